//! A server of DNS that knows names of addresses, for tests in namespaces of their own (Linux).
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test that cannot go on fails"
)]

use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

/// Whatever a server was asked for.
#[derive(Debug, Clone, Default)]
pub struct Asked(Arc<Mutex<Vec<String>>>);

impl Asked {
    /// The names, in the order in which they came.
    pub fn questions(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Starts a server in the network of this test, on 127.0.0.53. It answers the first question of a message: `7.2.0.192.in-addr.arpa` is `host-7.example.org`, and all
/// whose last number is even have no name.
pub fn serve() -> Asked {
    let socket = UdpSocket::bind("127.0.0.53:53").unwrap();
    let asked = Asked::default();
    let heard = asked.clone();
    std::thread::spawn(move || {
        let mut buffer = [0; 1_500];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            let question = &buffer[..length];
            let name = labels(&question[12..]);
            heard.0.lock().unwrap().push(name.join("."));
            let number: u8 = name[0].parse().unwrap_or(0);
            let is_named = !number.is_multiple_of(2);
            let mut answer = question.to_vec();
            // Without what the question has behind it.
            answer.truncate(12 + name.iter().map(|it| it.len() + 1).sum::<usize>() + 5);
            (answer[2], answer[3]) = (0x81, if is_named { 0x80 } else { 0x83 });
            (answer[7], answer[9], answer[11]) = (u8::from(is_named), 0, 0);
            if is_named {
                let label = format!("host-{number}");
                let mut data = vec![u8::try_from(label.len()).unwrap()];
                data.extend(label.bytes());
                data.extend(b"\x07example\x03org\0");
                answer.extend([0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 60, 0]);
                answer.push(u8::try_from(data.len()).unwrap());
                answer.extend(data);
            }
            let _gone = socket.send_to(&answer, client);
        }
    });
    asked
}

fn labels(mut bytes: &[u8]) -> Vec<String> {
    let mut labels = Vec::new();
    while let Some((&length, rest)) = bytes.split_first()
        && length > 0
    {
        let (label, rest) = rest.split_at(length.into());
        labels.push(String::from_utf8(label.to_vec()).unwrap());
        bytes = rest;
    }
    labels
}

/// Has the system's resolver ask that server alone, in the mount namespace of this test; the hosts
/// file names `192.0.2.77`.
pub fn use_server(folder: &Path) {
    for (name, text) in [
        (
            "resolv.conf",
            "nameserver 127.0.0.53\noptions timeout:5 attempts:3\n",
        ),
        ("nsswitch.conf", "hosts: files dns\n"),
        (
            "hosts",
            "127.0.0.1 localhost\n192.0.2.77 of-hosts.example\n",
        ),
    ] {
        let file = folder.join(name);
        std::fs::write(&file, text).unwrap();
        let place = format!("/etc/{name}");
        let mounted = Command::new("mount")
            .arg("--bind")
            .arg(file)
            .arg(place)
            .status();
        assert!(mounted.unwrap().success(), "{name}");
    }
}
