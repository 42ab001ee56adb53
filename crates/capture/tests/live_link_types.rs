//! Capturing from devices of other link types, in a network namespace of its own: logs of the
//! packet filter, and devices that pretend to be of another kind.
#![cfg(all(feature = "pcap", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::fmt::Write as _;
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flowner_capture::{LinkType, LiveOptions, Next, Source};

/// How long is waited for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes a device of a kind of `linux/if_arp.h`, and has the kernel receive frames on it.
const TUN: &str = r#"
import fcntl, os, struct, subprocess, sys
name, kind, frame = sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3])
tun = os.open("/dev/net/tun", os.O_RDWR)
TUNSETIFF, TUNSETLINK, TUN = 0x400454ca, 0x400454cd, 1
fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", name.encode(), TUN))
fcntl.ioctl(tun, TUNSETLINK, kind)
subprocess.run(["ip", "link", "set", name, "up"], check=True)
print("up", flush=True)
for line in sys.stdin:
    os.write(tun, b"\0\0\x08\0" + frame)
"#;

/// Runs the test again as a child in a network namespace of its own. Whether this process is that
/// child; `None`, said aloud, where there can be none.
fn in_own_network(test: &str) -> Option<bool> {
    if common::role().is_some() {
        run("ip", "link set lo up");
        return Some(true);
    }
    let can = Command::new("unshare").args(["--net", "true"]).status();
    if !can.is_ok_and(|status| status.success()) {
        flowner_testing::skipped!("no privilege to make a network namespace");
        return None;
    }
    let mut launcher = Command::new("unshare");
    launcher.arg("--net").arg(std::env::current_exe().unwrap());
    let output = common::as_child(launcher, test, "capture")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    Some(false)
}

fn run(program: &str, arguments: &str) {
    let mut command = Command::new(program);
    let output = command.args(arguments.split_whitespace()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments}: {said}");
}

fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

fn open(device: &str) -> Source {
    let options = LiveOptions {
        device: device.to_owned(),
        ..LiveOptions::default()
    };
    Source::live(&options).unwrap()
}

/// Bytes on the wire and bytes of payload of the next packets to port 53.
fn next(source: &mut Source, count: usize) -> Vec<(u32, u32)> {
    let deadline = Instant::now() + PATIENCE;
    let mut found = vec![];
    while found.len() < count {
        assert!(Instant::now() < deadline, "only {found:?} arrived");
        let Next::Packet(packet) = source.next().unwrap() else {
            continue;
        };
        match packet.headers() {
            Ok(headers) if headers.ports.is_some_and(|ports| ports.destination == 53) => {
                found.push((headers.wire_len, headers.payload_len));
            }
            _ => {}
        }
    }
    found
}

#[test]
fn what_the_packet_filter_logs() {
    const THIS: &str = "what_the_packet_filter_logs";
    if !has("nft") {
        return flowner_testing::skipped!("nft is not installed");
    }
    if in_own_network(THIS) != Some(true) {
        return;
    }
    run("nft", "add table inet t");
    run(
        "nft",
        "add chain inet t o { type filter hook output priority 0; }",
    );
    run("nft", "add rule inet t o log group 5");
    let mut source = open("nflog:5");
    assert_eq!(source.link_type(), Ok(LinkType::Nflog));
    // It waits, and nothing is wrong.
    assert_eq!(source.next().unwrap(), Next::Idle);
    let to = ["127.0.0.1:53", "[::1]:53"];
    let lengths = [10_u32, 1_000, 1_400];
    for (to, from) in to.into_iter().zip(["127.0.0.1:0", "[::1]:0"]) {
        let socket = UdpSocket::bind(from).unwrap();
        // No host answers, and the test needs none.
        socket.connect(to).unwrap();
        for len in lengths {
            let _refused = socket.send(&vec![7; len as usize]);
            let _refused = socket.take_error();
        }
    }
    let found = next(&mut source, 6);
    let payloads: Vec<_> = found.iter().map(|(_, payload_len)| *payload_len).collect();
    assert_eq!(payloads, [10, 1_000, 1_400, 10, 1_000, 1_400]);
    // All of a packet counts, though a capture of another device would take its first bytes only.
    for (wire_len, payload_len) in found {
        assert!(
            (payload_len + 28..payload_len + 300).contains(&wire_len),
            "{wire_len}"
        );
    }
}

/// A device while it lives.
struct Tun(Child);

impl Tun {
    /// `None`, said aloud, where there can be none.
    fn new(name: &str, kind: u16, frame: &[u8]) -> Option<Self> {
        let mut hex = String::new();
        for byte in frame {
            write!(hex, "{byte:02x}").unwrap();
        }
        let mut python = Command::new("python3");
        python.args(["-c", TUN, name, &kind.to_string(), &hex]);
        python.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = python.spawn().unwrap();
        let mut line = String::new();
        let said = child.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(said), &mut line).unwrap();
        if line != "up\n" {
            child.wait().unwrap();
            flowner_testing::skipped!("no device of the kind {kind} can be made");
            return None;
        }
        Some(Self(child))
    }

    /// Has the kernel receive the frame once more.
    fn receive(&mut self) {
        std::io::Write::write_all(self.0.stdin.as_mut().unwrap(), b"\n").unwrap();
    }
}

impl Drop for Tun {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn devices_of_other_kinds() {
    const THIS: &str = "devices_of_other_kinds";
    if !has("python3") {
        return flowner_testing::skipped!("python3 is not installed");
    }
    if in_own_network(THIS) != Some(true) {
        return;
    }
    let packet = common::udp(b"abc");
    let llc = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
    let mut data = vec![8, 1];
    data.resize(24, 0);
    data.extend(llc);
    let radiotap = [&[0, 0, 8, 0, 0, 0, 0, 0][..], &data].concat();
    let mut prism = vec![0x44; 144];
    prism.extend(&data);
    // Kinds of linux/if_arp.h: raw, Cisco HDLC, frame relay, wireless in three forms.
    let cases: [(u16, Option<LinkType>, &[u8]); 6] = [
        (519, None, &[]),
        (513, Some(LinkType::CiscoHdlc), &[0x0f, 0, 8, 0]),
        (770, Some(LinkType::FrameRelay), &[0x18, 0x41, 3, 0xcc]),
        (801, Some(LinkType::Ieee80211), &data),
        (802, Some(LinkType::Prism), &prism),
        (803, Some(LinkType::Radiotap), &radiotap),
    ];
    for (number, (kind, link_type, header)) in cases.into_iter().enumerate() {
        let frame = [header, &packet].concat();
        let name = format!("fl{number}");
        let Some(mut tun) = Tun::new(&name, kind, &frame) else {
            continue;
        };
        let mut source = open(&name);
        let found = source.link_type();
        assert!(
            link_type.is_none_or(|expected| found == Ok(expected)),
            "{kind}: {found:?}"
        );
        tun.receive();
        let (wire_len, payload_len) = next(&mut source, 1)[0];
        assert_eq!(payload_len, 3, "{kind}: {found:?}");
        assert!(wire_len as usize >= frame.len(), "{kind}: {found:?}");
    }
}
