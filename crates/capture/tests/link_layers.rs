//! Link layers, a frame for each case, and which packet is in it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use common::stack::put;
use common::udp;
use flowner_capture::{DecodeError, LinkType, decode};

/// The packet is found behind this header, whole and cut anywhere.
#[track_caller]
fn finds(link: LinkType, header: &[u8], packet: &[u8]) {
    let frame = [header, packet].concat();
    let wire_len = u32::try_from(frame.len()).unwrap();
    let headers = decode(link, &frame, wire_len).unwrap();
    let alone = decode(LinkType::RawIp, packet, wire_len).unwrap();
    assert_eq!((headers.source, headers.ports), (alone.source, alone.ports));
    assert_eq!(headers.payload(&frame), alone.payload(packet));
    for len in 0..header.len() {
        let cut = decode(link, &frame[..len], wire_len);
        assert_eq!(cut, Err(DecodeError::CutShort), "{len}");
    }
}

#[track_caller]
fn refuses(link: LinkType, frame: &[u8], expected: DecodeError) {
    let wire_len = u32::try_from(frame.len()).unwrap();
    assert_eq!(decode(link, frame, wire_len), Err(expected));
}

const NOT_IP: DecodeError = DecodeError::NotIp { ether_type: None };

fn v4() -> Vec<u8> {
    udp(b"payload")
}

fn v6() -> Vec<u8> {
    let builder = etherparse::PacketBuilder::ipv6([1; 16], [2; 16], 64);
    let mut packet = Vec::new();
    builder.udp(7, 53).write(&mut packet, b"payload").unwrap();
    packet
}

const MACS: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];

fn ethernet(rest: &[u8]) -> Vec<u8> {
    [&MACS, rest].concat()
}

#[test]
fn ieee_802_3() {
    let mut packet = v4();
    let len = u8::try_from(8 + packet.len()).unwrap();
    let snap = ethernet(&[0, len, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0]);
    finds(LinkType::Ethernet, &snap, &packet);
    let tagged = ethernet(&[0x81, 0, 0, 7, 0, len, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0]);
    finds(LinkType::Ethernet, &tagged, &packet);
    let without = ethernet(&[0, len - 5, 6, 6, 3]);
    finds(LinkType::Ethernet, &without, &packet);
    // What is behind the length is padding, whatever the packet says.
    packet[3] += 4;
    let padded = [&snap[..], &packet, &[0; 4]].concat();
    let headers = decode(LinkType::Ethernet, &padded, 99).unwrap();
    assert_eq!(headers.payload_len, 7);
    // Spanning tree, IPX, and a number that is neither a length nor a type.
    refuses(
        LinkType::Ethernet,
        &ethernet(&[0, 5, 0x42, 0x42, 3, 0, 0]),
        NOT_IP,
    );
    refuses(
        LinkType::Ethernet,
        &ethernet(&[0, 5, 0xff, 0xff, 0, 0, 0]),
        NOT_IP,
    );
    refuses(
        LinkType::Ethernet,
        &ethernet(&[5, 0xe0, 0xaa, 0xaa, 3]),
        NOT_IP,
    );
    refuses(LinkType::Ethernet, &[0; 60], NOT_IP);
}

#[test]
fn pppoe() {
    let len = u8::try_from(2 + v4().len()).unwrap();
    let session = ethernet(&[0x88, 0x64, 0x11, 0, 0, 1, 0, len, 0, 0x21]);
    finds(LinkType::Ethernet, &session, &v4());
    finds(LinkType::PppEther, &session[14..], &v4());
    let discovery = ethernet(&[0x88, 0x64, 0x11, 9, 0, 0, 0, 0]);
    refuses(LinkType::Ethernet, &discovery, NOT_IP);
}

#[test]
fn mpls() {
    let labels = [0, 1, 0, 64, 0, 2, 1, 64];
    finds(LinkType::Mpls, &labels, &v6());
    finds(
        LinkType::Ethernet,
        &ethernet(&[&[0x88, 0x47][..], &labels].concat()),
        &v4(),
    );
    finds(
        LinkType::Ppp,
        &[&[0xff, 3, 2, 0x81][..], &labels].concat(),
        &v4(),
    );

    // A pseudo-wire: only what is Ethernet for sure.
    let inner = ethernet(&[0x81, 0, 0, 5, 8, 0]);
    let with_control = [&labels[..], &[0; 4], &inner].concat();
    let frame = |header: &[u8], packet: &[u8]| [header, packet].concat();
    let is_found = |frame: &[u8]| decode(LinkType::Mpls, frame, 99).is_ok();
    assert!(is_found(&frame(&with_control, &v4())));
    let zero = [&[0, 1, 0, 0, 0, 1][..], &inner[6..]].concat();
    assert!(is_found(&frame(&[&labels[..], &zero].concat(), &v4())));
    assert!(is_found(&frame(&[&labels[..], &inner].concat(), &v4())));
    // Another version than the ether type has, a group as the sender, no ether type of IP.
    assert!(!is_found(&frame(&with_control, &v6())));
    let mut group = with_control.clone();
    group[8 + 4 + 6] |= 1;
    assert!(!is_found(&frame(&group, &v4())));
    let mut arp = with_control.clone();
    arp[8 + 4 + 17] = 6;
    assert!(!is_found(&frame(&arp, &v4())));
    // Generic associated channel.
    refuses(LinkType::Mpls, &[&labels[..], &[0x10; 40]].concat(), NOT_IP);
    refuses(LinkType::Mpls, &[0; 40], DecodeError::Malformed);
}

#[test]
fn ppp_in_all_its_framings() {
    for link in [LinkType::Ppp, LinkType::PppHdlc] {
        finds(link, &[0xff, 3, 0, 0x21], &v4());
        finds(link, &[0xff, 3, 0x57], &v6());
        finds(link, &[0, 0x57], &v6());
        finds(link, &[0x21], &v4());
        finds(link, &[0x0f, 0, 8, 0], &v4());
        finds(link, &[0x8f, 0, 0x86, 0xdd], &v6());
        // Bridged Ethernet, without the number of a network and with it.
        let inner = ethernet(&[8, 0]);
        finds(
            link,
            &[&[0xff, 3, 0, 0x31, 0, 1][..], &inner].concat(),
            &v4(),
        );
        let numbered = [0x31, 0x40, 1, 0, 0, 0, 7];
        finds(link, &[&numbered[..], &inner].concat(), &v4());
        // Several links as one.
        finds(link, &[0xff, 3, 0, 0x3d, 0xc0, 0, 0, 9, 0x21], &v4());
        refuses(
            link,
            &[&[0xff, 3, 0, 0x3d, 0x80, 0, 0, 9, 0x21][..], &v4()].concat(),
            NOT_IP,
        );
        // IPCP, compressed headers.
        refuses(link, &[0xff, 3, 0x80, 0x21, 1, 1, 0, 4], NOT_IP);
        refuses(link, &[0xff, 3, 0, 0x2d, 1, 1, 0, 4], NOT_IP);
    }
    for direction in [0, 1] {
        finds(LinkType::PppPppd, &[direction, 3, 0, 0x21], &v4());
        finds(LinkType::PppPppd, &[direction, 0x57], &v6());
        finds(
            LinkType::PppWithDirection,
            &[direction, 0xff, 3, 0, 0x21],
            &v4(),
        );
        finds(
            LinkType::CiscoHdlcWithDirection,
            &[direction, 0x0f, 0, 8, 0],
            &v4(),
        );
        finds(
            LinkType::FrameRelayWithDirection,
            &[direction, 0x18, 0x41, 3, 0xcc],
            &v4(),
        );
    }
    finds(LinkType::CiscoHdlc, &[0x0f, 0, 0x86, 0xdd], &v6());
    let slarp = DecodeError::NotIp {
        ether_type: Some(0x8035),
    };
    refuses(LinkType::CiscoHdlc, &[0x8f, 0, 0x80, 0x35, 0, 0], slarp);
}

#[test]
fn frame_relay() {
    let link = LinkType::FrameRelay;
    finds(link, &[0x18, 0x41, 3, 0xcc], &v4());
    finds(link, &[0x18, 0x41, 3, 0x8e], &v6());
    finds(link, &[0x18, 0x40, 0x41, 3, 0, 0xcc], &v4());
    finds(link, &[0x18, 0x40, 0x40, 0x41, 3, 0xcc], &v4());
    finds(link, &[0x18, 0x41, 3, 0, 0x80, 0, 0, 0, 0x86, 0xdd], &v6());
    let bridged = [
        &[0x18, 0x41, 3, 0, 0x80, 0, 0x80, 0xc2, 0, 7][..],
        &MACS,
        &[8, 0],
    ]
    .concat();
    finds(link, &bridged, &v4());
    finds(link, &[0x18, 0x41, 8, 0], &v4());
    finds(
        LinkType::MultilinkFrameRelay,
        &[0xc0, 5, 0x18, 0x41, 3, 0xcc],
        &v4(),
    );
    // The first half, and what the bundle itself says.
    refuses(
        LinkType::MultilinkFrameRelay,
        &[0x80, 5, 0x18, 0x41, 3, 0xcc],
        NOT_IP,
    );
    refuses(LinkType::MultilinkFrameRelay, &[0xe0, 0, 1, 2], NOT_IP);
    // The local management interface; addresses that end too early or never.
    refuses(link, &[0, 1, 3, 8, 0, 0x75], NOT_IP);
    refuses(link, &[1, 3, 0xcc, 0, 0, 0, 0], NOT_IP);
    refuses(link, &[0, 0, 0, 0, 1, 3, 0xcc], NOT_IP);
}

#[test]
fn linux_cooked_of_devices_with_headers_of_their_own() {
    let sll2 = |protocol: [u8; 2], device: u16| {
        let mut header = vec![protocol[0], protocol[1], 0, 0, 0, 0, 0, 2];
        header.extend(device.to_be_bytes());
        header.resize(20, 0);
        header
    };
    let link = LinkType::LinuxCooked2;
    finds(
        link,
        &[&sll2([0, 4], 1)[..], &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0]].concat(),
        &v4(),
    );
    finds(
        link,
        &[&sll2([0, 0], 770)[..], &[0x18, 0x41, 3, 0xcc]].concat(),
        &v4(),
    );
    finds(link, &sll2([8, 0], 512), &v4());
    finds(
        link,
        &[&sll2([0x81, 0], 1)[..], &[0, 7, 0x86, 0xdd]].concat(),
        &v6(),
    );
}

const LLC: [u8; 8] = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];

/// A header with these first two bytes, and as many addresses as they want.
fn ieee80211(kind: u8, flags: u8) -> Vec<u8> {
    let mut header = vec![kind, flags, 0, 0];
    header.resize(24, 0);
    if flags & 3 == 3 {
        header.extend([9; 6]);
    }
    if kind & 0x80 != 0 {
        header.extend([0, 0]);
        if flags & 0x80 != 0 {
            header.extend([7; 4]);
        }
    }
    header
}

#[test]
fn wireless_frames() {
    let link = LinkType::Ieee80211;
    for (kind, flags) in [
        (8, 1),
        (8, 2),
        (8, 3),
        (0x18, 0),
        (0x88, 1),
        (0x88, 3),
        (0x88, 0x81),
    ] {
        finds(link, &[&ieee80211(kind, flags)[..], &LLC].concat(), &v4());
    }
    // Several packets in one frame, of which the first one counts.
    let mut aggregate = ieee80211(0x88, 2);
    aggregate[24] = 0x80;
    let len = u8::try_from(LLC.len() + v4().len()).unwrap();
    aggregate.extend([&MACS[..], &[0, len], &LLC].concat());
    finds(link, &aggregate, &v4());
    // Beacon, acknowledgment, null data with and without quality of service.
    for kind in [0x80, 0xd4, 0x48, 0xc8] {
        refuses(
            link,
            &[&ieee80211(kind, 0)[..], &LLC, &v4()].concat(),
            NOT_IP,
        );
    }
    let encrypted = [&ieee80211(0x88, 0x41)[..], &[7; 40]].concat();
    refuses(link, &encrypted, DecodeError::Encrypted);
    let mut later_fragment = ieee80211(8, 1);
    later_fragment[22] = 1;
    refuses(link, &[&later_fragment[..], &LLC, &v4()].concat(), NOT_IP);
}

#[test]
fn what_radios_write_before_a_frame() {
    let frame = [&ieee80211(0x88, 1)[..], &LLC].concat();
    let plain = [0, 0, 8, 0, 0, 0, 0, 0];
    finds(LinkType::Radiotap, &[&plain[..], &frame].concat(), &v4());
    // Time and flags, behind three words: what follows is filled up, and a check sequence is at
    // the end.
    let mut long = vec![0, 0, 0, 0, 3, 0, 0, 0x80, 0, 0, 0, 0x80, 0, 0, 0, 0];
    long.extend([1, 2, 3, 4, 5, 6, 7, 8, 0x30]);
    long[2] = u8::try_from(long.len()).unwrap();
    let padded = [&ieee80211(0x88, 1)[..], &[0, 0], &LLC].concat();
    let header = [&long[..], &padded].concat();
    let mut packet = v4();
    packet[2..4].copy_from_slice(&[0, 0]);
    let frame_len = header.len() + packet.len() + 4;
    let all = [&header[..], &packet, &[0xcc; 4]].concat();
    let headers = decode(LinkType::Radiotap, &all, u32::try_from(frame_len).unwrap()).unwrap();
    assert_eq!(headers.payload_len, 7);
    assert_eq!(headers.payload(&all), b"payload");

    let mut avs = vec![0x80, 0x21, 0x10, 1, 0, 0, 0, 64];
    avs.resize(64, 0);
    finds(LinkType::Avs, &[&avs[..], &frame].concat(), &v4());
    finds(LinkType::Prism, &[&avs[..], &frame].concat(), &v4());
    finds(LinkType::Prism, &[&[0x44; 144][..], &frame].concat(), &v4());
    finds(
        LinkType::Ppi,
        &[&[0, 0, 8, 0, 105, 0, 0, 0][..], &frame].concat(),
        &v4(),
    );
    // Lengths that are shorter than their own header.
    let too_short = [0, 0, 7, 0, 0, 0, 0, 0, 8, 1];
    refuses(LinkType::Radiotap, &too_short, DecodeError::Malformed);
    refuses(LinkType::Ppi, &too_short, DecodeError::Malformed);
    refuses(
        LinkType::Avs,
        &[0x80, 0x21, 0x10, 1, 0, 0, 0, 7],
        DecodeError::Malformed,
    );
}

#[test]
fn nflog() {
    let attributes = |order: fn(u16) -> [u8; 2], family: u8, ether_type: [u8; 2], packet: &[u8]| {
        let mut header = vec![family, 0, 0, 5];
        let prefix = order(7);
        for (len, kind, value) in [
            (8, 1, [ether_type[0], ether_type[1], 3, 0]),
            (7, 10, *b"ab\0\0"),
        ] {
            header.extend(order(len));
            header.extend(order(kind));
            header.extend(value);
        }
        assert_eq!(prefix.len(), 2);
        header.extend(order(u16::try_from(4 + packet.len()).unwrap()));
        header.extend(order(9));
        header
    };
    let link = LinkType::Nflog;
    for order in [u16::to_le_bytes, u16::to_be_bytes] {
        finds(link, &attributes(order, 2, [0, 0], &v4()), &v4());
        finds(link, &attributes(order, 10, [0, 0], &v6()), &v6());
        // Those of bridges say what the packet is.
        finds(link, &attributes(order, 7, [0x86, 0xdd], &v6()), &v6());
        let arp = attributes(order, 7, [8, 6], &v4());
        let expected = DecodeError::NotIp {
            ether_type: Some(0x0806),
        };
        refuses(link, &[&arp[..], &v4()].concat(), expected);
    }
    // A length that would never end.
    refuses(
        link,
        &[2, 0, 0, 5, 0, 0, 1, 0, 0, 0, 1, 0],
        DecodeError::Malformed,
    );
    refuses(link, &[2, 0, 0, 5], DecodeError::Malformed);
    refuses(link, &[2, 1, 0, 5], NOT_IP);
}

#[test]
fn headers_that_name_a_link_type() {
    let pktap = |kind: u8, link_type: u32| {
        let mut header = vec![108, 0, 0, 0, kind, 0, 0, 0];
        header.extend(link_type.to_le_bytes());
        header.resize(108, 0);
        header
    };
    finds(
        LinkType::Pktap,
        &[&pktap(1, 1)[..], &ethernet(&[8, 0])].concat(),
        &v4(),
    );
    finds(
        LinkType::Pktap,
        &[&pktap(1, 0)[..], &[2, 0, 0, 0]].concat(),
        &v4(),
    );
    finds(LinkType::Pktap, &pktap(1, 12), &v6());
    // One in the other.
    finds(
        LinkType::Pktap,
        &[pktap(1, 258), pktap(1, 12)].concat(),
        &v4(),
    );
    refuses(
        LinkType::Pktap,
        &[&pktap(0, 12)[..], &v4()].concat(),
        NOT_IP,
    );
    let usb = decode(LinkType::Pktap, &pktap(1, 189), 200).unwrap_err();
    assert_eq!(usb.kind(), "link-type:USB_LINUX");
}

#[test]
fn others() {
    let mut ipnet = vec![1, 2, 0, 1];
    ipnet.resize(24, 0);
    finds(LinkType::Ipnet, &ipnet, &v4());
    ipnet[1] = 26;
    finds(LinkType::Ipnet, &ipnet, &v6());
    let infiniband = [&[0; 40][..], &[0x86, 0xdd, 0, 0]].concat();
    finds(LinkType::IpOverInfiniband, &infiniband, &v6());
    finds(LinkType::Slip, &[1; 16], &v4());
    finds(LinkType::Null, &[0xff, 3, 0, 0x21], &v4());
    finds(LinkType::Null, &[0, 8, 0, 0], &v4());
    finds(LinkType::Null, &[0, 0, 0x86, 0xdd], &v6());
    let customer = ethernet(&[&[0x88, 0xe7, 0, 0, 0, 9][..], &ethernet(&[8, 0])].concat());
    finds(LinkType::Ethernet, &customer, &v4());
    finds(LinkType::Enc, &[2, 0, 0, 0, 7, 7, 7, 7, 0, 0, 0, 0], &v4());
    finds(LinkType::Enc, &[0, 0, 0, 24, 7, 7, 7, 7, 0, 0, 0, 0], &v6());
    let mut pflog = vec![61, 24];
    pflog.resize(64, 0);
    finds(LinkType::Pflog, &pflog, &v6());
    refuses(LinkType::Pflog, &[9; 99], NOT_IP);
    finds(LinkType::AtmLlc, &LLC, &v4());
    finds(LinkType::AtmClip, &LLC, &v4());
    finds(LinkType::AtmClip, &[], &v4());
}

#[test]
fn arcnet() {
    finds(LinkType::Arcnet, &[1, 2, 240], &v4());
    finds(LinkType::Arcnet, &[1, 2, 212, 0, 0, 9], &v4());
    finds(LinkType::Arcnet, &[1, 2, 196, 3, 0, 9], &v6());
    finds(
        LinkType::Arcnet,
        &[1, 2, 212, 0xff, 0xff, 0xff, 212, 0, 0, 9],
        &v4(),
    );
    refuses(
        LinkType::Arcnet,
        &[&[1, 2, 212, 2, 0, 9][..], &v4()].concat(),
        NOT_IP,
    );
    refuses(LinkType::Arcnet, &[1, 2, 213, 0, 0, 9], NOT_IP);
    finds(LinkType::ArcnetLinux, &[1, 2, 0, 0, 240], &v4());
    finds(LinkType::ArcnetLinux, &[1, 2, 0, 0, 212, 0, 0, 9], &v4());
}

#[test]
fn juniper() {
    let link = LinkType::JuniperEthernet;
    let plain = ethernet(&[8, 0]);
    finds(link, &[&b"MGC"[..], &[1], &plain].concat(), &v4());
    finds(
        link,
        &[&b"MGC"[..], &[0x81, 0, 5, 1, 2, 3, 4, 5], &plain].concat(),
        &v4(),
    );
    refuses(
        link,
        &[&b"MGC"[..], &[2, 0, 0, 0, 2], &v4()].concat(),
        NOT_IP,
    );
    refuses(link, &[7; 40], NOT_IP);
}

/// A tag on each layer that can carry one, down to PPP in Ethernet in frame relay.
#[test]
fn stacks() {
    let mut frame = v4();
    put(&mut frame, &[0, 0x21]);
    let len = u8::try_from(frame.len()).unwrap();
    put(&mut frame, &[0x11, 0, 0, 1, 0, len]);
    put(&mut frame, &[0, 7, 0x88, 0x64]);
    put(&mut frame, &ethernet(&[0x91, 0]));
    put(&mut frame, &[0x18, 0x41, 3, 0, 0x80, 0, 0x80, 0xc2, 0, 7]);
    let header = frame.len() - v4().len();
    finds(LinkType::FrameRelay, &frame[..header], &v4());
}
