//! Lengths, and packets that are cut or malformed.

use super::*;

#[test]
fn lengths_are_those_of_ip_and_not_of_the_frame() {
    // Ethernet's padding is no payload, nor are ports read from it.
    let mut padded = ethernet(0x0800, &v4(UDP, 0, 0, &DATAGRAM));
    padded.resize(60, 0xee);
    check(LinkType::Ethernet, &padded, Ok(expect_v4(UDP, 60, 4)));
    let mut padded = ethernet(0x0800, &v4(UDP, 0, 0, &[]));
    padded.resize(60, 0xee);
    let expected = Headers {
        ports: None,
        ..expect_v4(UDP, 60, 0)
    };
    check(LinkType::Ethernet, &padded, Ok(expected));

    // What was not captured counts.
    let frame = ethernet(
        0x0800,
        &v4(UDP, 0, 0, &[&DATAGRAM[..8], &[0; 1000]].concat()),
    );
    let cut = decode(LinkType::Ethernet, &frame[..50], wire_len(&frame));
    assert_eq!(cut.map(anywhere), Ok(expect_v4(UDP, frame.len(), 1000)));

    // More than the frame had room for does not.
    let mut liar = v4(UDP, 0, 0, &DATAGRAM);
    liar[2..4].copy_from_slice(&[0xff, 0xff]);
    check(LinkType::RawIp, &liar, Ok(expect_v4(UDP, 32, 4)));
}

#[test]
fn the_payload_is_what_the_transport_protocol_carries() {
    let payload = |frame: &[u8], captured: usize| {
        let captured = &frame[..captured];
        let headers = decode(LinkType::Ethernet, captured, wire_len(frame)).unwrap();
        (headers.payload_offset, headers.payload(captured).to_vec())
    };
    let mut datagram = ethernet(0x0800, &v4(UDP, 0, 0, &DATAGRAM));
    let len = datagram.len();
    assert_eq!(payload(&datagram, len), (42, vec![1, 2, 3, 4]));
    assert_eq!(payload(&datagram, 44), (42, vec![1, 2]));
    assert_eq!(payload(&datagram, 42), (42, vec![]));
    assert_eq!(payload(&datagram, 38), (42, vec![]));
    datagram.resize(60, 0xee);
    assert_eq!(payload(&datagram, 60), (42, vec![1, 2, 3, 4]));
    // Behind options of TCP; only byte 12 of the header gives their end.
    let segment = ethernet(0x86dd, &v6(TCP, &SEGMENT));
    assert_eq!(payload(&segment, segment.len()), (78, vec![1, 2, 3]));
    assert_eq!(payload(&segment, 70), (78, vec![]));
    assert_eq!(payload(&segment, 66), (0, vec![]));
    // All of a later fragment, and what has no ports.
    let fragment = ethernet(0x0800, &v4(UDP, 7, 1, &DATAGRAM));
    assert_eq!(payload(&fragment, 46), (34, DATAGRAM.to_vec()));
    let echo = ethernet(0x0800, &v4(1, 0, 0, &[8, 0, 1]));
    assert_eq!(payload(&echo, 37), (34, vec![8, 0, 1]));
}

#[test]
fn a_length_of_zero_means_all_of_the_frame() {
    let mut offloaded = ethernet(0x0800, &v4(TCP, 0, 0, &SEGMENT));
    offloaded[16..18].copy_from_slice(&[0, 0]);
    let headers = decode(LinkType::Ethernet, &offloaded, 40_014).unwrap();
    assert_eq!(headers.payload_len, 40_000 - 20 - 24);
    assert_eq!(headers.tcp.map(|tcp| tcp.sequence), Some(5));

    let mut jumbo = v6(UDP, &DATAGRAM);
    jumbo[4..6].copy_from_slice(&[0, 0]);
    let headers = decode(LinkType::Ipv6, &jumbo, 100_048).unwrap();
    assert_eq!(headers.payload_len, 100_000);
    assert_eq!(headers.ports, PORTS);

    let mut empty = ethernet(0x86dd, &v6(59, &[]));
    empty.resize(60, 0);
    assert_eq!(
        decode(LinkType::Ethernet, &empty, 60).unwrap().payload_len,
        0
    );
}

#[test]
fn what_no_host_would_take_is_malformed() {
    let mut wrong_version = v4(UDP, 0, 0, &DATAGRAM);
    wrong_version[0] = 0x55;
    let mut short_header = v4(UDP, 0, 0, &DATAGRAM);
    short_header[0] = 0x44;
    let mut short_total = v4(UDP, 0, 0, &DATAGRAM);
    short_total[2..4].copy_from_slice(&[0, 19]);
    let mut long_header = v4(UDP, 0, 0, &DATAGRAM);
    long_header[0] = 0x4f;
    let hop_later = v6(60, &[&[0, 0, 0, 0, 0, 0, 0, 0], &DATAGRAM[..]].concat());
    let options_too_long = v6(60, &[UDP, 200, 0, 0, 0, 0, 0, 0]);
    let empty_authentication = v6(51, &[UDP, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let frames = [
        vec![],
        vec![0x45],
        wrong_version,
        short_header,
        short_total,
        long_header,
        hop_later,
        options_too_long,
        empty_authentication,
    ];
    for frame in frames {
        check(LinkType::RawIp, &frame, Err(DecodeError::Malformed));
    }
    // IPv6 where the ether type says IPv4.
    let frame = ethernet(0x0800, &v6(UDP, &DATAGRAM));
    check(LinkType::Ethernet, &frame, Err(DecodeError::Malformed));
}

#[test]
fn what_the_snap_length_took_is_cut_short() {
    let tagged = ethernet(0x8100, &[0, 5, 0x08, 0]);
    let chain = v6(0, &[&[UDP, 1, 0, 0][..], &[0; 12], &DATAGRAM].concat());
    let checks: [(LinkType, &[u8]); 8] = [
        (LinkType::Ethernet, &[]),
        (LinkType::Ethernet, &tagged[..13]),
        (LinkType::Ethernet, &tagged[..17]),
        (LinkType::Ethernet, &tagged),
        (LinkType::LinuxCooked, &[0; 15]),
        (LinkType::LinuxCooked2, &[8; 19]),
        (LinkType::RawIp, &chain[..39]),
        (LinkType::RawIp, &chain[..55]),
    ];
    for (link, frame) in checks {
        assert_eq!(decode(link, frame, 1500), Err(DecodeError::CutShort));
    }
}

#[test]
fn errors_have_stable_names() {
    let arp = DecodeError::NotIp {
        ether_type: Some(0x0806),
    };
    assert_eq!(arp.kind(), "not-ip");
    assert_eq!(arp.to_string(), "not an IP packet (ether type 0x0806)");
    assert_eq!(DecodeError::Encrypted.kind(), "encrypted");
    let usb = DecodeError::from(LinkType::of_file(189).unwrap_err());
    assert_eq!(usb.kind(), "link-type:USB_LINUX");
    let expected = "frames of link type USB_LINUX cannot be decoded";
    assert_eq!(usb.to_string(), expected);
    assert_eq!(DecodeError::CutShort.kind(), "cut-short");
    assert_eq!(DecodeError::Malformed.kind(), "malformed");
}
