//! `flowner doctor`, and the output about processes that it may not inspect.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

/// The program, where every user may run it.
struct Program {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Program {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let path = folder.path().join("flowner");
        // By a process of its own: what is open for writing here cannot be run (ETXTBSY).
        let mut copy = Command::new("cp");
        copy.arg(env!("CARGO_BIN_EXE_flowner")).arg(&path);
        assert!(copy.status().unwrap().success());
        Self {
            _folder: folder,
            path,
        }
    }

    /// Run by a user without privileges; `None`, with a visible word, where that cannot be
    /// tried.
    fn as_nobody(&self, arguments: &[&str]) -> Option<Output> {
        let output = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .args(["--inh-caps=-all", "--bounding-set=-all", "--"])
            .arg(&self.path)
            .args(arguments)
            .output();
        let output = output
            .ok()
            .filter(|output| output.status.code() != Some(127));
        if output.is_none() || !is_root() {
            flowner_testing::skipped!("no privilege to become another user");
            return None;
        }
        output
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn doctor_prints_every_check() {
    let output = Command::new(env!("CARGO_BIN_EXE_flowner"))
        .arg("doctor")
        .output();
    let output = output.unwrap();
    let printed = text(&output.stdout);
    for name in [
        "capture",
        "sockets",
        "processes",
        "networks",
        "translations",
        "priority",
        "sandbox",
    ] {
        assert!(
            printed.lines().any(|line| line.starts_with(name)),
            "{printed}"
        );
    }
    let is_failed = printed.lines().any(|line| line.contains("  no  "));
    assert_eq!(
        output.status.code(),
        Some(if is_failed { 2 } else { 0 }),
        "{printed}"
    );
}

#[test]
fn one_command_would_show_everything() {
    let program = Program::new();
    let Some(output) = program.as_nobody(&["doctor"]) else {
        return;
    };
    let printed = text(&output.stdout);
    let path = program.path.display();
    let command = format!(
        "sudo setcap cap_dac_read_search,cap_net_admin,cap_net_raw,cap_sys_admin,\
         cap_sys_nice,cap_sys_ptrace=ep {path}"
    );
    assert!(printed.contains(&command), "{printed}");
    assert!(
        printed.contains("only the user of their sockets is known"),
        "{printed}"
    );
    assert_eq!(output.status.code(), Some(2), "{printed}");
    let json = program.as_nobody(&["doctor", "--json"]).unwrap();
    let json = text(&json.stdout);
    assert!(json.lines().count() == 10, "{json}");
    assert!(
        json.contains(r#""name":"processes","status":"limited""#),
        "{json}"
    );
}

#[test]
fn the_user_is_shown_in_place_of_the_process() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let program = Program::new();
    let filter = format!("port:{port}");
    let Some(output) = program.as_nobody(&["sockets", &filter]) else {
        return;
    };
    let printed = text(&output.stdout);
    let row = printed
        .lines()
        .find(|line| line.contains("listen"))
        .unwrap();
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(
        cells[4..8],
        ["root", "unknown:", "not", "permitted"],
        "{printed}"
    );
}
