//! `flowner sockets` and `flowner who` on sockets of this very process.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::net::{TcpListener, UdpSocket};
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::{flowner, json_lines, run, stderr, stdout};

/// One test at a time: a child that another test starts holds this process's sockets
/// too, from its fork to its exec, and the portable table names one of the two.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn who_and_sockets_know_this_test() {
    let _alone = alone();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let pid = std::process::id();
    let (tcp_address, udp_address) = (tcp.local_addr().unwrap(), udp.local_addr().unwrap());

    let port = tcp_address.port().to_string();
    for target in [
        port.as_str(),
        &format!("tcp:{port}"),
        &tcp_address.to_string(),
    ] {
        let output = run(&["who", target]);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{target}: {}",
            stderr(&output)
        );
        assert!(stdout(&output).contains(&format!("[{pid}]")), "{target}");
    }
    let lines = json_lines(&stdout(&run(&["who", "--json", &udp_address.to_string()])));
    assert_eq!(lines[0]["schema"], 1);
    assert_eq!(lines[1]["owner"]["processes"][0]["pid"], pid, "{lines:#?}");

    let filter = format!("pid:{pid} port:{port}");
    let lines = json_lines(&stdout(&run(&["sockets", "--json", &filter])));
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert_eq!(lines[1]["local"], tcp_address.to_string());
    assert_eq!(lines[1]["state"], "listen");
}

#[cfg(unix)]
#[test]
fn sockets_that_come_and_go() {
    let _alone = alone();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let filter = format!("port:{port}");
    let mut watch = common::Running::spawn(flowner().args([
        "sockets",
        "--watch",
        "--interval",
        "20ms",
        &filter,
    ]));
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let line = watch.line();
    assert!(
        line.starts_with("+ tcp") && line.contains(&std::process::id().to_string()),
        "{line}"
    );
    drop(listener);
    assert!(watch.line().starts_with("- tcp"));
    watch.interrupt();
    assert_eq!(watch.rest(), Vec::<String>::new());
    assert!(watch.child.wait().unwrap().success());
}
