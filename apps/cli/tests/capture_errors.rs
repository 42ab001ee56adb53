//! What goes wrong before capturing: no permission.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

#[test]
fn without_permission_the_command_that_gives_it_is_said() {
    // A copy where another user can reach it.
    let folder = tempfile::tempdir().unwrap();
    let open = || std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open()).unwrap();
    let program = folder.path().join("flowner");
    std::fs::copy(env!("CARGO_BIN_EXE_flowner"), &program).unwrap();
    std::fs::set_permissions(&program, open()).unwrap();
    let as_nobody = |arguments: &[&str]| {
        Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&program)
            .args(arguments)
            .output()
            .unwrap()
    };
    let version = as_nobody(&["--version"]);
    if !version.status.success() {
        flowner_testing::skipped!("no privilege to become another user");
        return;
    }
    let output = as_nobody(&["watch", "-i", "lo"]);
    assert_eq!(output.status.code(), Some(2));
    let said = common::stderr(&output);
    assert!(
        said.contains("chown root:flowner") && said.contains("setcap cap_net_raw"),
        "{said}"
    );
    // What needs no privilege works.
    for arguments in [&["sockets"][..], &["devices"]] {
        assert!(as_nobody(arguments).status.success());
    }
}
