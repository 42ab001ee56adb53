//! Which packets are read, and which are not.

use std::time::Duration;

use flowner_capture::pcapng::Comments;
use flowner_capture::{LinkType, PacketOrigin, RawPacket};
use flowner_names::NameEvidence;
use proptest::prelude::*;

use super::NameInput;
use super::ends::Ends;

const SYN: u8 = 0x02;
const PUSH_ACK: u8 = 0x18;
const RST: u8 = 0x04;

/// A segment of TCP in a packet of IPv4.
fn segment(ports: [u16; 2], sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(40 + payload.len()).unwrap();
    let mut packet = vec![0x45, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 2, 192, 0, 2, 1]);
    packet.extend(ports.map(u16::to_be_bytes).as_flattened());
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0]);
    packet.extend(payload);
    packet
}

/// How many names a packet gives, seen on a device at a time in milliseconds.
fn names(input: &mut NameInput, packet: &[u8], device: Option<u32>, at: u64) -> usize {
    let packet = RawPacket {
        time: Duration::from_secs(1_800_000_000) + Duration::from_millis(at),
        wire_len: u32::try_from(packet.len()).unwrap(),
        link_type: Ok(LinkType::RawIp),
        data: packet,
        comments: Comments::default(),
        origin: PacketOrigin::default(),
        device,
    };
    let mut found = Vec::new();
    input.read(&packet.headers().unwrap(), &packet, &mut found);
    let is_name = |one: &&NameEvidence| matches!(one, NameEvidence::Server { .. });
    found.iter().filter(is_name).count()
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n";

#[test]
fn a_copy_on_another_device_is_not_read_again() {
    let mut input = NameInput::default();
    let syn = segment([40_000, 80], 6, SYN, &[]);
    let request = segment([40_000, 80], 7, PUSH_ACK, REQUEST);
    for device in [1, 2] {
        assert_eq!(names(&mut input, &syn, Some(device), 0), 0);
    }
    assert_eq!(names(&mut input, &request, Some(1), 1), 1);
    for device in [2, 3] {
        assert_eq!(names(&mut input, &request, Some(device), 2), 0);
    }
    // Sent again, and what looks the same later: they are read. So is everything of one device.
    assert_eq!(names(&mut input, &request, Some(1), 3), 1);
    assert_eq!(names(&mut input, &request, Some(2), 3_000), 1);
    assert_eq!(names(&mut input, &request, None, 3_000), 1);
}

#[test]
fn a_request_in_two_parts_is_read_and_other_packets_are_not() {
    let mut input = NameInput::default();
    let [begin, rest] = [&REQUEST[..20], &REQUEST[20..]];
    let mut of = |ports: [u16; 2]| {
        let packets = [
            (6, SYN, &[][..]),
            (7, PUSH_ACK, begin),
            (27, PUSH_ACK, rest),
        ];
        packets.map(|(sequence, flags, payload)| {
            names(
                &mut input,
                &segment(ports, sequence, flags, payload),
                None,
                0,
            )
        })
    };
    assert_eq!(of([40_000, 80]), [0, 0, 1]);
    assert_eq!(of([40_001, 80]), [0, 0, 1]);
    // Nobody saw the begin.
    assert_eq!(
        names(
            &mut input,
            &segment([40_002, 80], 27, PUSH_ACK, rest),
            None,
            0
        ),
        0
    );
    assert!(input.reader.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever began, was named, was reset, or made room for others: the flows that the reader has are
    /// found.
    #[test]
    fn the_flows_of_the_reader_are_found(
        steps in prop::collection::vec((0..30_u16, 0..4_u8, 0..2_u16), 1..200),
        many in 0..3_u32,
    ) {
        let mut input = NameInput::default();
        for number in 0..many * 5_000 {
            let port = u16::try_from(number % 50_000).unwrap() + 10_000;
            names(&mut input, &segment([port, 81], number, SYN, &[]), None, 0);
        }
        for (port, what, server) in steps {
            let (flags, payload) = match what {
                0 => (SYN, &[][..]),
                1 => (PUSH_ACK, &REQUEST[..20]),
                2 => (PUSH_ACK, REQUEST),
                _ => (RST, &[][..]),
            };
            names(&mut input, &segment([port, server + 80], 7, flags, payload), None, 0);
            let mut flows = input.reader.flows();
            prop_assert!(flows.all(|flow: Ends| input.places.may_have(flow.ports())));
        }
    }
}
