//! What is written is read back; files of others are read; nothing makes the reader panic.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::net::IpAddr;
use std::time::Duration;

use flowner_capture::pcapng::{Counters, Interface, Section, Writer};
use flowner_capture::{FileReader, LinkType, ReadError};
use proptest::prelude::*;

/// A packet, apart from the reader that lent it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Packet {
    interface: usize,
    time: Duration,
    wire_len: u32,
    data: Vec<u8>,
    comments: Vec<String>,
}

/// All packets before the end or the damage, and what that was.
fn read(bytes: &[u8]) -> (Vec<Packet>, Result<(), ReadError>) {
    let mut packets = vec![];
    let ending = FileReader::new(bytes).and_then(|mut reader| {
        while let Some(packet) = reader.next()? {
            packets.push(Packet {
                interface: packet.interface,
                time: packet.time,
                wire_len: packet.wire_len,
                data: packet.data.to_vec(),
                comments: packet.comments.iter().map(str::to_owned).collect(),
            });
        }
        Ok(())
    });
    (packets, ending)
}

fn interfaces() -> impl Strategy<Value = Vec<Interface>> {
    let text = || proptest::option::of(".{0,20}");
    let one = (
        0..LinkType::ALL.len(),
        any::<u32>(),
        text(),
        text(),
        proptest::collection::vec(any::<IpAddr>(), 0..3),
    );
    let one = one.prop_map(
        |(link_type, snap_length, name, filter, addresses)| Interface {
            snap_length,
            name,
            filter,
            addresses,
            ..Interface::new(LinkType::ALL[link_type])
        },
    );
    proptest::collection::vec(one, 1..4)
}

fn packets(interfaces: usize) -> impl Strategy<Value = Vec<Packet>> {
    let one = (
        0..interfaces,
        0..u64::MAX / 1_000_000_000,
        0..1_000_000_000_u32,
        any::<u32>(),
        proptest::collection::vec(any::<u8>(), 0..100),
        proptest::collection::vec(".{0,30}", 0..3),
    );
    let one = one.prop_map(
        |(interface, seconds, nanoseconds, wire_len, data, comments)| Packet {
            interface,
            time: Duration::new(seconds, nanoseconds),
            wire_len,
            data,
            comments,
        },
    );
    proptest::collection::vec(one, 0..20)
}

fn files() -> impl Strategy<Value = (Vec<Interface>, Vec<Packet>)> {
    interfaces().prop_flat_map(|interfaces| {
        let packets = packets(interfaces.len());
        (Just(interfaces), packets)
    })
}

/// The file, and where its blocks end.
fn write(interfaces: &[Interface], packets: &[Packet]) -> (Vec<u8>, Vec<usize>) {
    let section = Section {
        application: Some("a test".to_owned()),
        ..Section::default()
    };
    let mut writer = Writer::new(Vec::new(), &section).unwrap();
    for interface in interfaces {
        writer.interface(interface).unwrap();
    }
    let mut ends = vec![writer.get_ref().len()];
    for packet in packets {
        let comments: Vec<_> = packet.comments.iter().map(String::as_str).collect();
        let interface = u32::try_from(packet.interface).unwrap();
        writer
            .packet(
                interface,
                packet.time,
                packet.wire_len,
                &packet.data,
                &comments,
            )
            .unwrap();
        ends.push(writer.get_ref().len());
    }
    let counters = Counters {
        received: Some(7),
        ..Counters::default()
    };
    writer
        .counters(0, Duration::from_secs(1), &counters)
        .unwrap();
    assert_eq!(writer.written(), writer.get_ref().len() as u64);
    (writer.into_inner(), ends)
}

proptest! {
    #[test]
    fn what_is_written_is_read((interfaces, packets) in files()) {
        let (file, _) = write(&interfaces, &packets);
        let (actual, ending) = read(&file);
        ending.unwrap();
        prop_assert_eq!(actual, packets);
        let mut reader = FileReader::new(&file[..]).unwrap();
        while reader.next().unwrap().is_some() {}
        for (number, interface) in interfaces.iter().enumerate() {
            prop_assert_eq!(reader.interface(number), Some(interface));
        }
        prop_assert_eq!(reader.interface(interfaces.len()), None);
        prop_assert_eq!(reader.position(), file.len() as u64);
    }

    #[test]
    fn a_file_that_was_cut_gives_all_whole_packets(
        (interfaces, packets) in files(),
        cut in any::<prop::sample::Index>(),
    ) {
        let (file, ends) = write(&interfaces, &packets);
        let len = cut.index(file.len());
        let (actual, ending) = read(&file[..len]);
        let whole = ends.iter().skip(1).filter(|end| **end <= len).count();
        prop_assert_eq!(&actual[..], &packets[..whole]);
        // Only between blocks, after what describes the first interface, is it no damage.
        if ends.contains(&len) {
            ending.unwrap();
        }
    }

    #[test]
    fn no_bytes_are_a_panic(
        (interfaces, packets) in files(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..9),
    ) {
        let (mut file, _) = write(&interfaces, &packets);
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        let (_packets, _ending) = read(&file);
    }
}

/// A block of a file of either byte order.
struct Bytes {
    is_big_endian: bool,
    file: Vec<u8>,
}

impl Bytes {
    fn number(&self, number: u32) -> [u8; 4] {
        if self.is_big_endian {
            number.to_be_bytes()
        } else {
            number.to_le_bytes()
        }
    }

    fn short(&self, number: u16) -> [u8; 2] {
        if self.is_big_endian {
            number.to_be_bytes()
        } else {
            number.to_le_bytes()
        }
    }

    fn block(&mut self, kind: u32, body: &[u8]) {
        let len = self.number(u32::try_from(body.len() + 12).unwrap());
        let kind = self.number(kind);
        self.file.extend([&kind[..], &len, body, &len].concat());
    }

    fn section(&mut self) {
        let body = [
            &self.number(0x1a2b_3c4d)[..],
            &self.short(1),
            &self.short(0),
            &[0xff; 8],
        ];
        self.block(0x0a0d_0d0a, &body.concat());
    }

    fn interface(&mut self, link_type: u16, options: &[u8]) {
        let body = [
            &self.short(link_type)[..],
            &[0; 2],
            &self.number(100),
            options,
        ];
        self.block(1, &body.concat());
    }

    fn option(&self, code: u16, value: &[u8]) -> Vec<u8> {
        let len = u16::try_from(value.len()).unwrap();
        let padding = &[0; 3][..value.len().wrapping_neg() & 3];
        [&self.short(code)[..], &self.short(len), value, padding].concat()
    }

    /// An enhanced packet of interface 0, of three bytes, at a tick.
    fn packet(&mut self, tick: u32, options: &[u8]) {
        let numbers = [0, 0, tick, 3, 60].map(|number| self.number(number));
        let body = [numbers.as_flattened(), &[1, 2, 3, 0], options].concat();
        self.block(6, &body);
    }
}

#[test]
fn files_of_either_byte_order_and_any_resolution() {
    for is_big_endian in [false, true] {
        let mut bytes = Bytes {
            is_big_endian,
            file: vec![],
        };
        bytes.section();
        let options = [
            bytes.option(2, b"eth0"),
            bytes.option(4, &[10, 0, 0, 1, 255, 0, 0, 0]),
            bytes.option(9, &[3]),
            bytes.option(11, b"\0tcp"),
        ];
        bytes.interface(1, &options.concat());
        // Between packets is a block of an unknown type, and a section without padding at its end.
        bytes.block(0x0bad, &[1, 2, 3, 4]);
        let comments = [
            bytes.option(1, b"one"),
            bytes.option(1, b"\xff is no UTF-8"),
            bytes.option(2, &[0; 4]),
            bytes.option(1, "zwölf".as_bytes()),
            bytes.option(0, &[]),
            bytes.option(1, b"after the end"),
        ];
        bytes.packet(1_002, &comments.concat());
        // An obsolete packet and a simple one.
        let [zero, tick, len, wire_len] = [0, 7, 3, 60].map(|number| bytes.number(number));
        let old = [&[0; 4][..], &zero, &tick, &len, &wire_len, &[4, 5, 6, 0]].concat();
        bytes.block(2, &old);
        let simple = [&bytes.number(4)[..], &[7, 8, 9, 10]].concat();
        bytes.block(3, &simple);
        // A section of its own, with another interface.
        bytes.section();
        bytes.interface(276, &[]);
        bytes.packet(1_000_002, &[]);

        let (packets, ending) = read(&bytes.file);
        ending.unwrap();
        let seen: Vec<_> = packets
            .iter()
            .map(|packet| (packet.time, packet.wire_len, &packet.data[..]))
            .collect();
        let time = Duration::from_micros;
        let expected: [(Duration, u32, &[u8]); 4] = [
            (time(1_002_000), 60, &[1, 2, 3]),
            (time(7_000), 60, &[4, 5, 6]),
            (time(0), 4, &[7, 8, 9, 10]),
            (time(1_000_002), 60, &[1, 2, 3]),
        ];
        assert_eq!(seen, expected, "big endian: {is_big_endian}");
        assert_eq!(packets[0].comments, ["one", "zwölf"]);

        let mut reader = FileReader::new(&bytes.file[..]).unwrap();
        let first = reader.next().unwrap().unwrap();
        assert_eq!(first.link_type, Ok(LinkType::Ethernet));
        let interface = reader.interface(0).unwrap();
        assert_eq!(interface.name.as_deref(), Some("eth0"));
        assert_eq!(interface.filter.as_deref(), Some("tcp"));
        assert_eq!(interface.addresses, ["10.0.0.1".parse::<IpAddr>().unwrap()]);
    }
}

#[test]
fn damage_is_named() {
    #[track_caller]
    fn check(damage: impl Fn(&mut Bytes), expected: &str) {
        let mut bytes = Bytes {
            is_big_endian: false,
            file: vec![],
        };
        bytes.section();
        bytes.interface(1, &[]);
        bytes.packet(1, &[]);
        let before = bytes.file.len();
        damage(&mut bytes);
        let (packets, ending) = read(&bytes.file);
        assert_eq!(packets.len(), 1, "what was before the damage is given");
        assert!(bytes.file.len() > before);
        let error = ending.unwrap_err().to_string();
        assert!(error.contains(expected), "{expected:?} in {error:?}");
    }
    let block = |kind: u32, len: u32| [kind.to_le_bytes(), len.to_le_bytes(), [0; 4]].concat();
    check(|bytes| bytes.file.extend(block(6, 11)), "11 bytes");
    check(|bytes| bytes.file.extend(block(6, 34)), "12 of 36 bytes");
    check(
        |bytes| bytes.file.extend(block(6, u32::MAX - 3)),
        "4294967292 bytes",
    );
    check(|bytes| bytes.file.extend(block(6, 40)), "12 of 40 bytes");
    check(|bytes| bytes.file.extend([6, 0, 0]), "3 of 12 bytes");
    check(
        |bytes| bytes.file.extend(block(0x0a0d_0d0a, 28)),
        "byte order",
    );
    let other_end = |bytes: &mut Bytes| {
        bytes.packet(2, &[]);
        let at = bytes.file.len() - 4;
        bytes.file[at] += 4;
    };
    check(other_end, "another length at its end");
    let unknown = |bytes: &mut Bytes| bytes.block(6, &[1; 20]);
    check(unknown, "not described");
    let too_long = |bytes: &mut Bytes| bytes.block(3, &[200, 0, 0, 0, 1, 2, 3, 4]);
    check(too_long, "does not fit");
}

/// Times finer than a nanosecond, by as much as the format has room for.
#[test]
fn no_resolution_is_too_fine() {
    for resolution in [20, 40, 127, 0xc0, 0xff] {
        let mut bytes = Bytes {
            is_big_endian: false,
            file: vec![],
        };
        bytes.section();
        let option = bytes.option(9, &[resolution]);
        bytes.interface(1, &option);
        bytes.packet(1, &[]);
        let (packets, ending) = read(&bytes.file);
        ending.unwrap();
        assert_eq!(packets[0].time, Duration::ZERO);
    }
}

#[test]
fn long_comments_are_cut_between_characters() {
    let mut writer = Writer::new(Vec::new(), &Section::default()).unwrap();
    let eth0 = writer
        .interface(&Interface::new(LinkType::Ethernet))
        .unwrap();
    let long = "ö".repeat(40_000);
    writer
        .packet(eth0, Duration::ZERO, 0, &[], &[&long, "short"])
        .unwrap();
    assert!(writer.packet(1, Duration::ZERO, 0, &[], &[]).is_err());
    let (packets, ending) = read(&writer.into_inner());
    ending.unwrap();
    assert_eq!(
        packets[0].comments,
        ["ö".repeat(32_767), "short".to_owned()]
    );
}
