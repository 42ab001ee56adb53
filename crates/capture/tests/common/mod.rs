//! What several tests need.
#![allow(dead_code, reason = "no test needs all of it")]

pub(crate) mod stack;

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use flowner_capture::{DecodeError, Headers, Icmp, Quoted};
use tempfile::NamedTempFile;

/// The tcpdump project's test captures; `None`, said aloud, where they are absent.
pub(crate) fn captures() -> Option<Vec<PathBuf>> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/captures");
    let folder = std::env::var_os("FLOWNER_CAPTURES").map_or_else(|| default.into(), PathBuf::from);
    let Ok(entries) = std::fs::read_dir(folder.join("tcpdump")) else {
        flowner_testing::skipped!("no captures in {}", folder.display());
        return None;
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|ext| ext != "md"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no files in {}", folder.display());
    Some(paths)
}

/// A pcap file in the making, with time stamps in microseconds.
pub(crate) struct PcapFile {
    bytes: Vec<u8>,
}

impl PcapFile {
    pub(crate) fn new(link_type: u32) -> Self {
        let mut bytes = Vec::new();
        for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, link_type] {
            bytes.extend(u32::to_le_bytes(word));
        }
        Self { bytes }
    }

    pub(crate) fn packet(mut self, seconds: u32, wire_len: u32, data: &[u8]) -> Self {
        let captured = u32::try_from(data.len()).unwrap();
        for word in [seconds, 7, captured, wire_len] {
            self.bytes.extend(word.to_le_bytes());
        }
        self.bytes.extend(data);
        self
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn write(self) -> NamedTempFile {
        file(&self.bytes)
    }
}

/// A block of a pcapng file, little-endian.
pub(crate) fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let body_len = body.len().next_multiple_of(4);
    let len = u32::try_from(12 + body_len).unwrap().to_le_bytes();
    let mut bytes = [&kind.to_le_bytes()[..], &len, body].concat();
    bytes.resize(8 + body_len, 0);
    bytes.extend(len);
    bytes
}

/// The beginning of a pcapng file.
pub(crate) fn section() -> Vec<u8> {
    let body = [
        0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255,
    ];
    block(0x0a0d_0d0a, &body)
}

/// An interface with frames of this link type.
pub(crate) fn interface(link_type: u16) -> Vec<u8> {
    let [l0, l1] = link_type.to_le_bytes();
    block(1, &[l0, l1, 0, 0, 0, 0, 4, 0])
}

/// A packet at the epoch.
pub(crate) fn enhanced(interface: u32, data: &[u8]) -> Vec<u8> {
    let len = u32::try_from(data.len()).unwrap();
    let mut body = Vec::new();
    for word in [interface, 0, 0, len, len] {
        body.extend(word.to_le_bytes());
    }
    body.extend(data);
    block(6, &body)
}

pub(crate) fn file(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// An IPv4 packet with a UDP datagram from 192.0.2.1:40000 to 192.0.2.2:53.
pub(crate) fn udp(payload: &[u8]) -> Vec<u8> {
    let builder = etherparse::PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64);
    let mut packet = Vec::new();
    builder.udp(40_000, 53).write(&mut packet, payload).unwrap();
    packet
}

/// Asserts that decoding what is left of a cut frame gives what decoding all of it
/// does, or less.
pub(crate) fn assert_only_less(
    cut: Result<Headers, DecodeError>,
    whole: Result<Headers, DecodeError>,
) {
    let Ok(cut) = cut else { return };
    let whole = whole.expect("what is cut decodes, so the whole does");
    let expected = Headers {
        ports: cut.ports.and(whole.ports),
        tcp: cut.tcp.and(whole.tcp),
        icmp: cut.icmp.zip(whole.icmp).map(|(cut, whole)| Icmp {
            identifier: cut.identifier.and(whole.identifier),
            quoted: cut.quoted.zip(whole.quoted).map(|(cut, whole)| Quoted {
                ports: cut.ports.and(whole.ports),
                identifier: cut.identifier.and(whole.identifier),
                sequence: cut.sequence.and(whole.sequence),
                ..whole
            }),
            ..whole
        }),
        payload_len: [0, whole.payload_len][usize::from(cut.payload_len > 0)],
        payload_offset: [0, whole.payload_offset][usize::from(cut.payload_offset > 0)],
        ..whole
    };
    assert_eq!(cut, expected);
}

/// Runs the test of this name alone in a process of its own, which finds `role` in its
/// environment: [`role`].
pub(crate) fn as_child(mut launcher: Command, test: &str, role: &str) -> Command {
    launcher.args(["--exact", test, "--nocapture"]);
    launcher.env(ROLE, role);
    launcher
}

/// What this process is run for, where it is a child.
pub(crate) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

const ROLE: &str = "FLOWNER_TEST_ROLE";
