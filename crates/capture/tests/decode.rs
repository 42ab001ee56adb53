//! Frames made by hand, one for each case, and what they decode to.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

#[path = "decode/damaged.rs"]
mod damaged;

use std::net::IpAddr;

use flowner_capture::{
    DecodeError, Fragment, Headers, Icmp, LinkType, Ports, Quoted, Tcp, TcpFlags, decode,
};

const V4_SOURCE: [u8; 4] = [192, 0, 2, 1];
const V4_DESTINATION: [u8; 4] = [198, 51, 100, 2];
const V6_SOURCE: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const V6_DESTINATION: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

const TCP: u8 = 6;
const UDP: u8 = 17;

fn wire_len(frame: &[u8]) -> u32 {
    u32::try_from(frame.len()).unwrap()
}

/// The headers of a frame that was captured whole. Where the payload begins is another test's
/// concern.
fn check(link: LinkType, frame: &[u8], expected: Result<Headers, DecodeError>) {
    let found = decode(link, frame, wire_len(frame)).map(anywhere);
    assert_eq!(found, expected, "{link:?}");
}

fn anywhere(headers: Headers) -> Headers {
    Headers {
        payload_offset: 0,
        ..headers
    }
}

/// An IPv4 packet; `body` follows its header.
fn v4(protocol: u8, id: u16, fragment_word: u16, body: &[u8]) -> Vec<u8> {
    let total = u16::try_from(20 + body.len()).unwrap();
    let mut packet = vec![0x45, 0];
    packet.extend(total.to_be_bytes());
    packet.extend(id.to_be_bytes());
    packet.extend(fragment_word.to_be_bytes());
    packet.extend([64, protocol, 0, 0]);
    packet.extend(V4_SOURCE);
    packet.extend(V4_DESTINATION);
    packet.extend(body);
    packet
}

/// An IPv6 packet; `body` follows its header.
fn v6(next_header: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    packet.extend([next_header, 64]);
    packet.extend(V6_SOURCE);
    packet.extend(V6_DESTINATION);
    packet.extend(body);
    packet
}

/// A UDP datagram with 4 bytes, from port 1000 to port 2000.
const DATAGRAM: [u8; 12] = [0x03, 0xe8, 0x07, 0xd0, 0, 12, 0, 0, 1, 2, 3, 4];

/// A TCP segment with 4 bytes of options and 3 of data: SYN and ACK.
const SEGMENT: [u8; 27] = [
    0x03, 0xe8, 0x07, 0xd0, 0, 0, 0, 5, 0, 0, 0, 9, 0x60, 0x12, 1, 0, 0, 0, 0, 0, 2, 4, 5, 0xb4, 1,
    2, 3,
];

const PORTS: Option<Ports> = Some(Ports {
    source: 1000,
    destination: 2000,
});

fn expect_v4(protocol: u8, frame_len: usize, payload_len: u32) -> Headers {
    Headers {
        source: V4_SOURCE.into(),
        destination: V4_DESTINATION.into(),
        protocol,
        ports: PORTS,
        tcp: None,
        icmp: None,
        fragment: None,
        wire_len: u32::try_from(frame_len).unwrap(),
        payload_len,
        payload_offset: 0,
    }
}

fn expect_v6(protocol: u8, frame_len: usize, payload_len: u32) -> Headers {
    Headers {
        source: V6_SOURCE.into(),
        destination: V6_DESTINATION.into(),
        ..expect_v4(protocol, frame_len, payload_len)
    }
}

fn with_header(header: &[u8], packet: &[u8]) -> Vec<u8> {
    [header, packet].concat()
}

fn ethernet(ether_type: u16, packet: &[u8]) -> Vec<u8> {
    let header = [&[2; 6][..], &[4; 6], &ether_type.to_be_bytes()].concat();
    with_header(&header, packet)
}

fn not_ip(ether_type: Option<u16>) -> Result<Headers, DecodeError> {
    Err(DecodeError::NotIp { ether_type })
}

#[test]
fn every_link_type_carries_both_versions() {
    let sll = |protocol: u16, device: u16| {
        let mut header = vec![0, 4];
        header.extend(device.to_be_bytes());
        header.extend([0, 6, 1, 2, 3, 4, 5, 6, 0, 0]);
        header.extend(protocol.to_be_bytes());
        header
    };
    let sll2 = |protocol: u16, device: u16| {
        let mut header = protocol.to_be_bytes().to_vec();
        header.extend([0, 0, 0, 0, 0, 2]);
        header.extend(device.to_be_bytes());
        header.extend([4, 6, 1, 2, 3, 4, 5, 6, 0, 0]);
        header
    };
    let v4_headers = [
        (LinkType::Ethernet, ethernet(0x0800, &[])),
        (LinkType::LinuxCooked, sll(0x0800, 1)),
        (LinkType::LinuxCooked2, sll2(0x0800, 1)),
        (LinkType::RawIp, vec![]),
        (LinkType::Ipv4, vec![]),
        (LinkType::Null, vec![2, 0, 0, 0]),
        (LinkType::Null, vec![0, 0, 0, 2]),
        (LinkType::Loop, vec![0, 0, 0, 2]),
    ];
    for (link, header) in v4_headers {
        let frame = with_header(&header, &v4(UDP, 0, 0, &DATAGRAM));
        check(link, &frame, Ok(expect_v4(UDP, frame.len(), 4)));
    }
    let v6_headers = [
        (LinkType::Ethernet, ethernet(0x86dd, &[])),
        (LinkType::LinuxCooked, sll(0x86dd, 1)),
        (LinkType::LinuxCooked2, sll2(0x86dd, 772)),
        (LinkType::RawIp, vec![]),
        (LinkType::Ipv6, vec![]),
        (LinkType::Null, vec![10, 0, 0, 0]),
        (LinkType::Null, vec![24, 0, 0, 0]),
        (LinkType::Null, vec![28, 0, 0, 0]),
        (LinkType::Null, vec![0, 0, 0, 30]),
        (LinkType::Loop, vec![0, 0, 0, 24]),
    ];
    for (link, header) in v6_headers {
        let frame = with_header(&header, &v6(UDP, &DATAGRAM));
        check(link, &frame, Ok(expect_v6(UDP, frame.len(), 4)));
    }
    let others = [
        (LinkType::LinuxCooked, sll(0x0806, 1), Some(0x0806)),
        (LinkType::LinuxCooked, sll(4, 1), None),
        // Netlink: the number is a family, though it may equal an EtherType.
        (LinkType::LinuxCooked, sll(0x0800, 824), None),
        (LinkType::LinuxCooked2, sll2(0x0800, 803), None),
        (LinkType::Null, vec![7, 0, 0, 0], None),
        (LinkType::Loop, vec![2, 0, 0, 0], None),
    ];
    for (link, header, ether_type) in others {
        let frame = with_header(&header, &v4(UDP, 0, 0, &DATAGRAM));
        check(link, &frame, not_ip(ether_type));
    }
}

#[test]
fn vlan_tags_are_skipped_however_many() {
    let packet = v4(UDP, 0, 0, &DATAGRAM);
    let stacks: [&[u16]; 5] = [
        &[0x8100],
        &[0x88a8],
        &[0x88a8, 0x8100],
        &[0x9100, 0x8100],
        &[0x88a8, 0x8100, 0x8100, 0x8100, 0x8100],
    ];
    for tags in stacks {
        let mut rest = packet.clone();
        let mut next = 0x0800_u16;
        for tag in tags.iter().rev() {
            rest = [&[0, 5][..], &next.to_be_bytes(), &rest].concat();
            next = *tag;
        }
        let frame = ethernet(next, &rest);
        check(
            LinkType::Ethernet,
            &frame,
            Ok(expect_v4(UDP, frame.len(), 4)),
        );
    }
    let tagged_arp = ethernet(0x8100, &[0, 5, 0x08, 0x06]);
    check(LinkType::Ethernet, &tagged_arp, not_ip(Some(0x0806)));
}

#[test]
fn frames_that_are_not_ip_say_what_they_are() {
    let checks = [
        (0x0806, Some(0x0806)),
        (0x88cc, Some(0x88cc)),
        (0x8863, Some(0x8863)),
        // A length: spanning tree in 802.3.
        (0x0026, None),
    ];
    for (number, expected) in checks {
        check(
            LinkType::Ethernet,
            &ethernet(number, &[0; 46]),
            not_ip(expected),
        );
    }
}

#[test]
fn tcp_is_decoded_with_flags_and_numbers() {
    let frame = v4(TCP, 0, 0x4000, &SEGMENT);
    let expected = Headers {
        tcp: Some(Tcp {
            flags: TcpFlags(0x12),
            sequence: 5,
            acknowledgment: 9,
        }),
        ..expect_v4(TCP, frame.len(), 3)
    };
    check(LinkType::RawIp, &frame, Ok(expected));

    // Cut after the flags, long before the end of the options.
    let cut = decode(LinkType::RawIp, &frame[..34], wire_len(&frame));
    assert_eq!(cut.map(anywhere), Ok(expected));
    // Cut after the ports.
    let cut = decode(LinkType::RawIp, &frame[..24], wire_len(&frame));
    assert_eq!(cut, Ok(expect_v4(TCP, frame.len(), 0)));
    // Cut inside the ports.
    let cut = decode(LinkType::RawIp, &frame[..23], wire_len(&frame)).unwrap();
    assert_eq!(cut.ports, None);
}

#[test]
fn a_tcp_header_that_contradicts_itself_gives_its_ports_only() {
    for (offset_byte, body_len) in [(0x40, 27), (0xf0, 27), (0x60, 20)] {
        let mut segment = SEGMENT;
        segment[12] = offset_byte;
        let frame = v4(TCP, 0, 0, &segment[..body_len]);
        check(LinkType::RawIp, &frame, Ok(expect_v4(TCP, frame.len(), 0)));
    }
}

#[test]
fn other_protocols_have_ports_or_none() {
    // (protocol, body, has ports, payload)
    let sctp = [&DATAGRAM[..4], &[0; 8], &[0, 3, 0, 16]].concat();
    let dccp = [&DATAGRAM[..4], &[4, 0, 0, 0], &[0; 8], &[9; 5]].concat();
    let checks: [(u8, &[u8], bool, u32); 7] = [
        (136, &DATAGRAM, true, 4),
        (132, &sctp, true, 4),
        (33, &dccp, true, 5),
        (1, &[8, 0, 0, 0, 0, 1, 0, 1], false, 8),
        (50, &[0; 24], false, 24),
        // Tunnels are not unwrapped.
        (4, &[0x45; 40], false, 40),
        (47, &[0; 30], false, 30),
    ];
    for (protocol, body, has_ports, payload_len) in checks {
        let frame = v4(protocol, 0, 0, body);
        let expected = Headers {
            ports: PORTS.filter(|_| has_ports),
            icmp: (protocol == 1).then_some(Icmp {
                kind: 8,
                code: 0,
                identifier: Some(1),
                quoted: None,
            }),
            ..expect_v4(protocol, frame.len(), payload_len)
        };
        check(LinkType::RawIp, &frame, Ok(expected));
    }
}

#[test]
fn fragments_of_ipv4() {
    let fragment = |offset, more| {
        Some(Fragment {
            id: 77,
            offset,
            more,
        })
    };
    let check_fragment = |word: u16, expected: Headers| {
        check(LinkType::RawIp, &v4(UDP, 77, word, &DATAGRAM), Ok(expected));
    };
    let first = Headers {
        fragment: fragment(0, true),
        ..expect_v4(UDP, 32, 4)
    };
    check_fragment(0x2000, first);
    // The bytes in the place of ports are data.
    let later = |offset, more| Headers {
        ports: None,
        fragment: fragment(offset, more),
        ..expect_v4(UDP, 32, 12)
    };
    check_fragment(0x20b9, later(1480, true));
    check_fragment(0x1fff, later(65_528, false));
    // An authentication header is only looked for where there is one.
    let frame = v4(51, 77, 1, &DATAGRAM);
    let expected = Headers {
        protocol: 51,
        ..later(8, false)
    };
    check(LinkType::RawIp, &frame, Ok(expected));
}

#[test]
fn extension_headers_of_ipv6() {
    let hop = |next: u8| vec![next, 0, 5, 2, 0, 0, 1, 0];
    let options = |next: u8| [vec![next, 1], vec![0; 14]].concat();
    let authentication = |next: u8| [vec![next, 4, 0, 0], vec![0; 20]].concat();
    let fragment = |next: u8, word: u16| {
        let [high, low] = word.to_be_bytes();
        vec![next, 0, high, low, 0, 1, 0, 2]
    };
    let check_chain = |first: u8, chain: &[Vec<u8>], expected: Headers| {
        let body = [chain.concat(), DATAGRAM.to_vec()].concat();
        let frame = v6(first, &body);
        let wire_len = wire_len(&frame);
        check(
            LinkType::Ipv6,
            &frame,
            Ok(Headers {
                wire_len,
                ..expected
            }),
        );
    };
    let udp = expect_v6(UDP, 0, 4);
    check_chain(0, &[hop(UDP)], udp);
    check_chain(60, &[options(UDP)], udp);
    check_chain(43, &[options(UDP)], udp);
    check_chain(51, &[authentication(UDP)], udp);
    let all = [
        hop(60),
        options(43),
        options(44),
        fragment(51, 1),
        authentication(60),
        options(UDP),
    ];
    let id = 0x1_0002;
    let first = Some(Fragment {
        id,
        offset: 0,
        more: true,
    });
    check_chain(
        0,
        &all,
        Headers {
            fragment: first,
            ..udp
        },
    );
    // Segments to go, and their addresses, of a routing header of this type.
    let routing = |kind: u8, left: u8, addresses: &[u8]| {
        let count = u8::try_from(addresses.len()).unwrap();
        let head = vec![UDP, 2 * count, kind, left, 0, 0, 0, 0];
        let addresses = addresses
            .iter()
            .map(|&last| [vec![0xfd; 15], vec![last]].concat());
        [head, addresses.flatten().collect()].concat()
    };
    let to = |last: u8| {
        let mut address = [0xfd; 16];
        address[15] = last;
        Headers {
            destination: IpAddr::from(address),
            ..udp
        }
    };
    for (chain, expected) in [
        (routing(0, 2, &[1, 2]), to(2)),
        (routing(0, 0, &[1, 2]), udp),
        (routing(0, 3, &[1, 2]), udp),
        (routing(2, 1, &[7]), to(7)),
        (routing(4, 1, &[1, 2, 3]), to(1)),
        (routing(4, 0, &[1, 2, 3]), udp),
        (routing(4, 1, &[]), udp),
        (routing(3, 1, &[1]), udp),
    ] {
        check_chain(43, &[chain], expected);
    }
    // A whole packet behind a fragment header is no fragment.
    check_chain(44, &[fragment(UDP, 0)], udp);
    // In a later fragment nothing is looked for.
    let later = Headers {
        ports: None,
        protocol: 60,
        fragment: Some(Fragment {
            id,
            offset: 1448,
            more: true,
        }),
        ..expect_v6(60, 0, 28)
    };
    check_chain(44, &[fragment(60, 1449), options(UDP)], later);
    // Nothing follows.
    let nothing = Headers {
        ports: None,
        ..expect_v6(59, 0, 12)
    };
    check_chain(59, &[], nothing);
}

#[test]
fn mapped_addresses_stay_as_they_are() {
    let mapped = "::ffff:192.0.2.1".parse::<std::net::Ipv6Addr>().unwrap();
    let mut packet = v6(UDP, &DATAGRAM);
    packet[8..24].copy_from_slice(&mapped.octets());
    let headers = decode(LinkType::RawIp, &packet, wire_len(&packet)).unwrap();
    assert_eq!(headers.source, std::net::IpAddr::V6(mapped));
}

/// What an ICMP message says, whatever the frame is cut to.
#[track_caller]
fn check_icmp(protocol: u8, message: &[u8], expected: Option<Icmp>) {
    let frame = if protocol == 1 {
        v4(1, 0, 0, message)
    } else {
        v6(protocol, message)
    };
    let len = wire_len(&frame);
    let icmp = |frame: &[u8]| decode(LinkType::RawIp, frame, len).unwrap().icmp;
    assert_eq!(icmp(&frame), expected);
    let header = frame.len() - message.len();
    assert_eq!(icmp(&frame[..=header]), None);
    if let Some(expected) = expected {
        let kind = icmp(&frame[..header + 2]).unwrap();
        assert_eq!((kind.kind, kind.code), (expected.kind, expected.code));
        assert_eq!((kind.identifier, kind.quoted), (None, None));
    }
}

#[test]
fn icmp_errors_quote_a_packet() {
    let quoted = |(source, destination): (IpAddr, IpAddr), protocol, sequence| Quoted {
        source,
        destination,
        protocol,
        ports: PORTS,
        identifier: None,
        sequence,
    };
    let error = |kind, code, quoted| {
        Some(Icmp {
            kind,
            code,
            identifier: None,
            quoted,
        })
    };
    let v4_ends = (V4_SOURCE.into(), V4_DESTINATION.into());
    // As many bytes as must be there: a header and 8 bytes.
    let datagram = v4(UDP, 0, 0, &DATAGRAM);
    let message = [&[3, 3, 0, 0, 0, 0, 0, 0][..], &datagram[..28]].concat();
    let about = quoted(v4_ends, UDP, None);
    check_icmp(1, &message, error(3, 3, Some(about)));
    let segment = v4(TCP, 0, 0x4000, &SEGMENT);
    let about = quoted(v4_ends, TCP, Some(5));
    for kind in [3, 11, 12] {
        let message = [&[kind, 1, 0, 0, 0, 0, 0, 0][..], &segment[..28]].concat();
        check_icmp(1, &message, error(kind, 1, Some(about)));
    }
    // Too short for the sequence number; a later fragment; no packet at all; no error.
    let cut = [&[3, 3, 0, 0, 0, 0, 0, 0][..], &segment[..27]].concat();
    check_icmp(1, &cut, error(3, 3, None));
    let fragment = v4(UDP, 7, 0x2001, &DATAGRAM);
    check_icmp(
        1,
        &[&[3, 3, 0, 0, 0, 0, 0, 0][..], &fragment].concat(),
        error(3, 3, None),
    );
    check_icmp(1, &[3, 3, 0, 0, 0, 0, 0, 0, 0x45, 0], error(3, 3, None));
    check_icmp(
        1,
        &[&[5, 0, 0, 0, 0, 0, 0, 0][..], &datagram].concat(),
        error(5, 0, None),
    );
    // A protocol without ports.
    let echo = v4(1, 0, 0, &[8, 0, 0, 0, 0, 1, 0, 1]);
    let about = Quoted {
        ports: None,
        identifier: Some(1),
        ..quoted(v4_ends, 1, None)
    };
    check_icmp(
        1,
        &[&[3, 1, 0, 0, 0, 0, 0, 0][..], &echo].concat(),
        error(3, 1, Some(about)),
    );

    let v6_ends = (V6_SOURCE.into(), V6_DESTINATION.into());
    let segment = v6(TCP, &SEGMENT);
    let about = quoted(v6_ends, TCP, Some(5));
    for kind in 1..=4 {
        let message = [&[kind, 4, 0, 0, 0, 0, 5, 0][..], &segment].concat();
        check_icmp(58, &message, error(kind, 4, Some(about)));
    }
    let echo = Icmp {
        kind: 128,
        code: 0,
        identifier: Some(0x0102),
        quoted: None,
    };
    check_icmp(58, &[128, 0, 0, 0, 1, 2, 0, 0], Some(echo));
}
