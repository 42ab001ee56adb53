//! What goes wrong while capturing: no permission, a device that disappears.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use common::Running;
use common::namespace::Namespace;
use serde_json::Value;

#[test]
fn a_device_that_disappears_leaves_a_partial_report() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    let ip = |arguments: &str| {
        let arguments = arguments.split(' ');
        assert!(
            namespace
                .command("ip")
                .args(arguments)
                .status()
                .unwrap()
                .success()
        );
    };
    ip("link add one type veth peer name two");
    ip("link set one up");
    ip("link set two up");
    let program = env!("CARGO_BIN_EXE_flowner");
    let mut watch = Running::spawn(
        namespace
            .command(program)
            .args(["watch", "--json", "-i", "one"]),
    );
    assert!(watch.line().contains("\"schema\":1"));
    ip("link del one");
    let rest = watch.rest();
    let summary: Value = serde_json::from_str(rest.last().unwrap()).unwrap();
    assert_eq!(
        (&summary["type"], &summary["complete"]),
        (&"summary".into(), &false.into())
    );
    assert_eq!(watch.child.wait().unwrap().code(), Some(2));
    let said = watch.read_stderr();
    assert!(said.contains("partial") && said.contains("one"), "{said}");
}

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
        eprintln!("SKIPPED: no privilege to become another user");
        return;
    }
    let output = as_nobody(&["watch", "-i", "lo"]);
    assert_eq!(output.status.code(), Some(2));
    let said = common::stderr(&output);
    assert!(
        said.contains("setcap cap_net_raw") && said.contains("sudo"),
        "{said}"
    );
    // What needs no privilege works.
    for arguments in [&["sockets"][..], &["devices"]] {
        assert!(as_nobody(arguments).status.success());
    }
}
