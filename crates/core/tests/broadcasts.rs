//! Which way flows to the broadcast address of a network go, in a file that does not say which networks
//! there are.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::time::Duration;

use etherparse::PacketBuilder;
use flowner_core::capture::LinkType;
use flowner_core::capture::pcapng::{Interface, Section, Writer};
use flowner_core::flows::Direction;
use flowner_core::{Config, Input, Monitor};

const HOST: [u8; 4] = [10, 0, 0, 1];
const NEIGHBOUR: [u8; 4] = [10, 0, 0, 7];
const ALL: [u8; 6] = [0xff; 6];
const ONE: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// Datagrams by sender and receiver, in frames to that hardware address.
fn capture(packets: &[([u8; 4], [u8; 4], [u8; 6])], to: &Path) {
    let mut writer = Writer::new(Vec::new(), &Section::default()).unwrap();
    let interface = Interface::new(LinkType::Ethernet);
    let interface = writer.interface(&interface).unwrap();
    for ((source, destination, hardware), port) in packets.iter().zip(40_000..) {
        let builder = PacketBuilder::ethernet2(ONE, *hardware);
        let builder = builder.ipv4(*source, *destination, 64).udp(port, 137);
        let mut packet = Vec::new();
        builder.write(&mut packet, b"hello").unwrap();
        let length = u32::try_from(packet.len()).unwrap();
        let time = Duration::from_secs(1_800_000_000);
        let written = writer.packet(interface, time, length, &packet, &[]);
        written.unwrap();
    }
    std::fs::write(to, writer.into_inner()).unwrap();
}

#[test]
fn a_frame_for_all_shows_the_broadcast_address_of_a_network() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.pcapng");
    let packets = [
        (HOST, [9, 9, 9, 9], ONE, Direction::Outgoing),
        // Nothing shows it yet.
        (NEIGHBOUR, [10, 1, 255, 255], ONE, Direction::Forwarded),
        (NEIGHBOUR, [10, 0, 0, 255], ALL, Direction::Broadcast),
        (HOST, [10, 0, 0, 255], ALL, Direction::Broadcast),
        (NEIGHBOUR, [255, 255, 255, 255], ALL, Direction::Broadcast),
        // Anybody can put any address into such a frame.
        (NEIGHBOUR, [8, 8, 8, 8], ALL, Direction::Forwarded),
        (NEIGHBOUR, HOST, ALL, Direction::Incoming),
    ];
    let frames = packets.map(|(source, destination, hardware, _)| (source, destination, hardware));
    capture(&frames, &file);
    let config = Config {
        input: Input::File(file),
        local_addresses: vec![HOST.into()],
        ..Config::default()
    };
    let report = Monitor::builder(&config).start().unwrap().wait();
    let mut flows: Vec<_> = report.flows.iter().collect();
    flows.sort_by_key(|flow| flow.id);
    let found: Vec<_> = flows.iter().map(|flow| flow.direction).collect();
    assert_eq!(found, packets.map(|(.., direction)| direction));
}
