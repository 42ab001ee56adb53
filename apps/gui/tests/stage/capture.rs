//! Capture files for the stage.

use std::path::{Path, PathBuf};
use std::time::Duration;

use flowner_core::capture::LinkType;
use flowner_core::capture::pcapng::{Interface, Section, Writer};

/// A capture of another host: five exchanges of 192.168.7.9 with others.
pub(crate) fn of_another_host(folder: &Path) -> PathBuf {
    const RAW: u32 = 101;
    let packets = (1..=5_u8).flat_map(|number| {
        let (host, other) = ([192, 168, 7, 9], [203, 0, 113, number]);
        let ways = [(host, other, [40_000, 53]), (other, host, [53, 40_000])];
        ways.map(|(from, to, ports)| (number, datagram(from, to, ports)))
    });
    write(folder.join("elsewhere.pcap"), RAW, packets)
}

/// A capture of two frames that nobody's address is in: of ARP (its number is that of
/// RFC 826), which is not looked into.
pub(crate) fn of_no_flow(folder: &Path) -> PathBuf {
    const ETHERNET: u32 = 1;
    let mut frame = vec![0xff; 12];
    frame.extend(0x0806_u16.to_be_bytes());
    frame.resize(60, 0);
    let frames = [1, 2].map(|second| (second, frame.clone()));
    write(folder.join("arp.pcap"), ETHERNET, frames)
}

/// What a terminal, a window or the eye would obey, or not see.
pub(crate) const HOSTILE: &str =
    "a\u{1b}[31mb\u{9b}1md\u{202e}c\u{2066}\u{200b}\u{feff}\u{2028}\u{2029}\u{7f}\u{e000}\n\tz";

/// A capture whose comments claim owners with such names, in a file whose name is no better.
pub(crate) fn with_hostile_names(folder: &Path) -> PathBuf {
    let mut writer = Writer::new(Vec::new(), &Section::default()).unwrap();
    let interface = Interface {
        name: Some(HOSTILE.to_owned()),
        ..Interface::new(LinkType::RawIp)
    };
    let interface = writer.interface(&interface).unwrap();
    let name: Vec<_> = HOSTILE
        .chars()
        .map(|c| format!("\\u{{{:x}}}", u32::from(c)))
        .collect();
    let name = name.concat();
    let process = |pid: u32| {
        format!(
            "program=\"{name}\" pid={pid} process=\"p{name}\" user=\"u{name}\" uid=7 \
             path=\"/opt/{name}\" container=\"c{name}\""
        )
    };
    let claims = [
        format!("{} verdict=process match=five-tuple", process(71)),
        format!(
            "{} {} verdict=shared match=five-tuple",
            process(72),
            process(73)
        ),
        format!("user=\"u{name}\" uid=7 container=\"c{name}\" verdict=partial"),
        "verdict=unknown reason=gone".to_owned(),
    ];
    for (number, claim) in (1_u8..).zip(claims) {
        let frame = datagram([192, 168, 7, 9], [203, 0, 113, number], [40_000, 53]);
        let comment =
            format!("flowner: {claim} namespace=4026531840 namespace-name=\"n{name}\" end=source");
        let time = Duration::from_secs(1_700_000_000 + u64::from(number));
        let length = u32::try_from(frame.len()).unwrap();
        let written = writer.packet(interface, time, length, &frame, &[&comment, HOSTILE]);
        written.unwrap();
    }
    let path = folder.join(format!("{HOSTILE}.pcapng"));
    std::fs::write(&path, writer.into_inner()).unwrap();
    path
}

/// The name that a client asks for there, as it may be shown.
pub(crate) fn hostile_host() -> String {
    format!(
        r"a\226\128\174b\226\129\166c.{}.example.com",
        "long".repeat(15)
    )
}

/// A capture of requests for a web server of such a name, and for others.
pub(crate) fn with_hostile_hosts(folder: &Path) -> PathBuf {
    const RAW: u32 = 101;
    let hostile = format!("a\u{202e}b\u{2066}c.{}.example.com", "long".repeat(15));
    let hosts = [&hostile, "www.example.org", "example.net"];
    let packets = (1_u8..).zip(hosts).map(|(number, host)| {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let segment = segment([192, 168, 7, 9], [203, 0, 113, number], request.as_bytes());
        (number, segment)
    });
    write(folder.join("hosts.pcap"), RAW, packets)
}

/// The first data of a connection with a web server over IPv4.
fn segment(from: [u8; 4], to: [u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(40 + data.len()).unwrap();
    let mut packet = vec![0x45, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
    packet.extend(from);
    packet.extend(to);
    packet.extend([40_000_u16, 80].iter().flat_map(|port| port.to_be_bytes()));
    packet.extend([0, 0, 0, 1, 0, 0, 0, 1, 5 << 4, 0x18, 0, 64, 0, 0, 0, 0]);
    packet.extend(data);
    packet
}

/// A file of packets, each with the second in which it was captured.
fn write(path: PathBuf, link: u32, packets: impl IntoIterator<Item = (u8, Vec<u8>)>) -> PathBuf {
    let mut bytes = Vec::new();
    for field in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, link] {
        bytes.extend(field.to_le_bytes());
    }
    for (second, packet) in packets {
        let length = u32::try_from(packet.len()).unwrap();
        for field in [1_700_000_000 + u32::from(second), 0, length, length] {
            bytes.extend(field.to_le_bytes());
        }
        bytes.extend(packet);
    }
    std::fs::write(&path, bytes).unwrap();
    path
}

/// An empty datagram of UDP over IPv4.
fn datagram(from: [u8; 4], to: [u8; 4], ports: [u16; 2]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0];
    packet.extend(from);
    packet.extend(to);
    packet.extend(ports.iter().flat_map(|port| port.to_be_bytes()));
    packet.extend([0, 8, 0, 0]);
    packet
}
