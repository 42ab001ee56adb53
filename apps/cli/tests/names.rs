//! Names of remote ends that no packet tells: from the hosts file, and by `--resolve` from a server of
//! this test's own.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::net::UdpSocket;
use std::path::Path;

use common::{json_lines, run, stderr, stdout};
use flowner_testing::namespace::{is_run_apart, link_to_silence};
use flowner_testing::resolver::{Asked, serve, use_server};
use serde_json::Value;

/// In a network in which everything but loopback leads to a neighbour that does not answer.
fn set_up(folder: &Path) -> Asked {
    use_server(folder);
    link_to_silence();
    serve()
}

/// A pcap file of datagrams to addresses of 192.0.2.0/24.
fn capture(folder: &Path, to: &[u8]) -> String {
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
    file.extend([0; 8]);
    file.extend([0, 0, 4, 0, 228, 0, 0, 0]);
    for last in to {
        let packet = [
            0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 192, 0, 2, *last, //
            0, 200, 0, 9, 0, 12, 0, 0, 1, 2, 3, 4,
        ];
        let length = [32, 0, 0, 0];
        file.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        file.extend([length, length].concat());
        file.extend(packet);
    }
    let path = folder.join("trace.pcap");
    std::fs::write(&path, file).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The name of each address, with its source.
fn names(arguments: &[&str]) -> Vec<(String, Value, Value)> {
    let output = run(arguments);
    let lines = json_lines(&stdout(&output));
    let mut names: Vec<_> = lines
        .iter()
        .filter(|line| line["remote"].is_string())
        .map(|line| {
            let remote = line["remote"].as_str().unwrap().to_owned();
            (
                remote,
                line["remote_name"].clone(),
                line["remote_name_source"].clone(),
            )
        })
        .collect();
    names.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(!names.is_empty(), "{}", stderr(&output));
    names
}

fn known(remote: &str, name: &str, source: &str) -> (String, Value, Value) {
    (remote.to_owned(), name.into(), source.into())
}

fn unknown(remote: &str) -> (String, Value, Value) {
    (remote.to_owned(), Value::Null, Value::Null)
}

#[test]
fn a_file_is_read_with_the_names_of_reverse_lookups() {
    if is_run_apart("a_file_is_read_with_the_names_of_reverse_lookups") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let asked = set_up(folder.path());
    let file = capture(folder.path(), &[7, 8]);
    let read = ["read", &file, "--local", "10.0.0.1", "--json"];
    let bare = [unknown("192.0.2.7:9"), unknown("192.0.2.8:9")];
    assert_eq!(names(&read), bare);
    assert!(asked.questions().is_empty());
    let resolved = [&read[..], &["--resolve"]].concat();
    let by_reverse = known("192.0.2.7:9", "host-7.example.org", "reverse");
    assert_eq!(names(&resolved), [by_reverse, unknown("192.0.2.8:9")]);
    let table = stdout(&run(&[
        "read",
        &file,
        "--local",
        "10.0.0.1",
        "--resolve",
        "--by",
        "domain",
    ]));
    assert!(table.contains(" example.org\n"), "{table}");
    assert!(table.contains(" no name\n"), "{table}");
}

#[test]
fn sockets_have_the_names_of_their_remote_ends() {
    if is_run_apart("sockets_have_the_names_of_their_remote_ends") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let asked = set_up(folder.path());
    let sockets = ["192.0.2.77:9", "192.0.2.7:9"].map(|remote| {
        let socket = UdpSocket::bind("10.99.0.1:0").unwrap();
        socket.connect(remote).unwrap();
        socket
    });
    let pid = format!("pid:{}", std::process::id());
    let list = ["sockets", "--json", &pid];
    let of_hosts = known("192.0.2.77:9", "of-hosts.example", "hosts");
    assert_eq!(names(&list), [of_hosts.clone(), unknown("192.0.2.7:9")]);
    let table = stdout(&run(&["sockets", &pid]));
    assert!(
        table.contains("NAME") && table.contains("of-hosts.example"),
        "{table}"
    );
    assert!(asked.questions().is_empty());
    let by_reverse = known("192.0.2.7:9", "host-7.example.org", "reverse");
    let resolved = [&list[..], &["--resolve"]].concat();
    assert_eq!(names(&resolved), [of_hosts, by_reverse.clone()]);
    let local = sockets[1].local_addr().unwrap().to_string();
    let who = ["who", "--resolve", "udp", &local, "192.0.2.7:9"];
    let told = stdout(&run(&who));
    assert!(
        told.contains("192.0.2.7 is host-7.example.org  (reverse)"),
        "{told}"
    );
    let who = [&who[..], &["--json"]].concat();
    assert_eq!(names(&who), [by_reverse]);
}
