//! Frames of many layers, each put before what it carries: the opposite of decoding.

use flowner_capture::LinkType;

/// What a frame in the making begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begins {
    Ipv4,
    Ipv6,
    Ethernet,
    /// Behind this ether type.
    EtherType(u16),
    Llc,
    Ppp,
    CiscoHdlc,
    FrameRelay,
    Mpls,
    Pppoe,
    Ieee80211,
    Radiotap,
}

use Begins::{
    CiscoHdlc, EtherType, Ethernet, FrameRelay, Ieee80211, Ipv4, Ipv6, Llc, Mpls, Ppp, Pppoe,
    Radiotap,
};

impl Begins {
    /// The ether type by which others know it.
    pub(crate) fn ether_type(self) -> Option<u16> {
        match self {
            Ipv4 => Some(0x0800),
            Ipv6 => Some(0x86dd),
            Ethernet => Some(0x6558),
            EtherType(number) => Some(number),
            Mpls => Some(0x8847),
            Pppoe => Some(0x8864),
            Ppp => Some(0x880b),
            _ => None,
        }
    }

    /// The protocol number of PPP.
    fn ppp(self) -> Option<u16> {
        match self {
            Ipv4 => Some(0x0021),
            Ipv6 => Some(0x0057),
            Mpls => Some(0x0281),
            _ => None,
        }
    }
}

pub(crate) fn put(frame: &mut Vec<u8>, header: &[u8]) {
    frame.splice(0..0, header.iter().copied());
}

fn len16(frame: &[u8]) -> [u8; 2] {
    u16::try_from(frame.len()).unwrap().to_be_bytes()
}

/// Puts a layer before the frame, if one can be there: the one that `pick` names. What it begins
/// with then.
pub(crate) fn on(begins: Begins, pick: u8, noise: u8, frame: &mut Vec<u8>) -> Begins {
    let ether_type = begins.ether_type().map(u16::to_be_bytes);
    match (pick % 11, begins, ether_type) {
        (0, _, Some([t0, t1])) => {
            put(frame, &[noise, 7, t0, t1]);
            let tags = [0x8100, 0x88a8, 0x9100, 0x9200, 0x9300];
            EtherType(tags[usize::from(noise) % tags.len()])
        }
        (1, _, Some(ether_type)) => {
            put(
                frame,
                &[&[2, noise, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2][..], &ether_type].concat(),
            );
            Ethernet
        }
        (2, _, Some([t0, t1])) => {
            let last = [0, 0xf8][usize::from(noise & 1)];
            put(frame, &[0xaa, 0xaa, 3, 0, 0, last, t0, t1]);
            Llc
        }
        (3, Ethernet, _) => {
            put(frame, &[0xaa, 0xaa, 3, 0, 0x80, 0xc2, 0, 7]);
            Llc
        }
        // A length in place of a type.
        (4, Llc, _) => {
            let len = len16(frame);
            put(
                frame,
                &[&[2, noise, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2][..], &len].concat(),
            );
            Ethernet
        }
        (5, _, _) if begins.ppp().is_some() => {
            let [p0, p1] = begins.ppp().unwrap().to_be_bytes();
            let compressed = p0 == 0 && noise & 1 != 0;
            put(frame, &[p0, p1][usize::from(compressed)..]);
            if noise & 2 != 0 {
                put(frame, &[0xff, 3]);
            }
            Ppp
        }
        (6, Ppp, _) => {
            let [l0, l1] = len16(frame);
            put(frame, &[0x11, 0, 0, noise, l0, l1]);
            Pppoe
        }
        (7, Ipv4 | Ipv6, _) => {
            put(frame, &[0, 0, 0x11, 64]);
            for _ in 0..noise % 4 {
                put(frame, &[1, noise, 0x10, 64]);
            }
            Mpls
        }
        (8, _, Some([t0, t1])) => {
            put(frame, &[0x0f, 0, t0, t1]);
            CiscoHdlc
        }
        (9, Ipv4, _) => {
            put(frame, &[0x18, 0x41, 3, 0xcc]);
            FrameRelay
        }
        (9, Ipv6, _) => {
            put(frame, &[0x18, 0x40, 0x41, 3, 0, 0x8e]);
            FrameRelay
        }
        (9, _, Some([t0, t1])) => {
            put(frame, &[0x18, 0x41, 3, 0, 0x80, 0, 0, 0, t0, t1]);
            FrameRelay
        }
        (10, Llc, _) => ieee80211(noise, frame),
        _ => begins,
    }
}

/// A header with the parts that the bits of `noise` choose.
fn ieee80211(noise: u8, frame: &mut Vec<u8>) -> Begins {
    let has = |bit: u8| noise >> bit & 1 != 0;
    let (four, quality, ordered, aggregate) = (has(0), has(1), has(2), has(3));
    if aggregate && quality {
        let len = len16(frame);
        put(frame, &[&[5; 12][..], &len].concat());
    }
    let mut header = vec![if quality { 0x88 } else { 0x08 }];
    header.push(if four { 3 } else { 1 } | if ordered { 0x80 } else { 0 });
    header.extend([0; 2]);
    header.extend([6; 18]);
    header.extend([0x50, 0]);
    header.extend(&[7; 6][..if four { 6 } else { 0 }]);
    if quality {
        header.extend([if aggregate { 0x80 } else { 0 }, 0]);
        header.extend(&[8; 4][..if ordered { 4 } else { 0 }]);
    }
    let padded = header.len() % 4 != 0 && has(4);
    header.resize(header.len() + if padded { 2 } else { 0 }, 0);
    put(frame, &header);
    if !padded {
        return Ieee80211;
    }
    // Time, flags and rate, behind a second word of bits.
    let mut radiotap = vec![0, 0, 26, 0, 7, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0];
    radiotap.extend([9; 8]);
    radiotap.extend([0x20, 2]);
    put(frame, &radiotap);
    Radiotap
}

/// Puts what this link type begins with before the frame; whether it can.
#[allow(clippy::too_many_lines, reason = "an arm for each link type")]
pub(crate) fn under(begins: Begins, link: LinkType, frame: &mut Vec<u8>) -> bool {
    let ether_type = begins.ether_type().map(u16::to_be_bytes);
    let len = frame.len();
    let mut done = |header: &[u8]| {
        put(frame, header);
        true
    };
    match (link, begins) {
        (LinkType::Ethernet, Ethernet)
        | (LinkType::RawIp | LinkType::AtmClip, Ipv4 | Ipv6)
        | (LinkType::Ipv4, Ipv4)
        | (LinkType::Ipv6, Ipv6)
        | (LinkType::Ppp | LinkType::PppHdlc, Ppp | CiscoHdlc)
        | (LinkType::PppEther, Pppoe)
        | (LinkType::CiscoHdlc, CiscoHdlc)
        | (LinkType::FrameRelay, FrameRelay)
        | (LinkType::AtmLlc | LinkType::AtmClip, Llc)
        | (LinkType::Mpls, Mpls)
        | (LinkType::Radiotap, Radiotap)
        | (LinkType::Ieee80211, Ieee80211) => true,
        (LinkType::PppPppd, Ppp) => {
            match frame[..] {
                [0xff, ..] => frame[0] = 1,
                _ => put(frame, &[0, 3]),
            }
            true
        }
        (LinkType::PppWithDirection, Ppp | CiscoHdlc)
        | (LinkType::CiscoHdlcWithDirection, CiscoHdlc)
        | (LinkType::FrameRelayWithDirection, FrameRelay) => done(&[1]),
        (LinkType::MultilinkFrameRelay, FrameRelay) => done(&[0xc0, 7]),
        (LinkType::Null, Ipv4) => done(&[2, 0, 0, 0]),
        (LinkType::Null, Ipv6) => done(&[0, 0, 0, 28]),
        (LinkType::Loop, Ipv4) => done(&[0, 0, 0, 2]),
        (LinkType::Loop, Ipv6) => done(&[0, 0, 0, 24]),
        (LinkType::Slip, Ipv4 | Ipv6) => done(&[1; 16]),
        (LinkType::Arcnet, Ipv4) => done(&[1, 2, 240]),
        (LinkType::Arcnet, Ipv6) => done(&[1, 2, 196, 0, 0, 1]),
        (LinkType::ArcnetLinux, Ipv4) => done(&[1, 2, 0, 0, 212, 0, 0, 1]),
        (LinkType::ArcnetLinux, Ipv6) => done(&[1, 2, 0, 0, 196, 0, 0, 1]),
        (LinkType::Enc, Ipv4) => done(&[0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0]),
        (LinkType::Enc, Ipv6) => done(&[28, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]),
        (LinkType::Pflog, Ipv4 | Ipv6) => {
            let mut header = vec![61, if begins == Ipv4 { 2 } else { 30 }];
            header.resize(64, 0);
            done(&header)
        }
        (LinkType::JuniperEthernet, Ethernet) => done(b"MGC\x81\0\x04\0\0\0\0"),
        (LinkType::Radiotap, Ieee80211) => {
            // The flags say that a check sequence follows.
            frame.extend([0xcc; 4]);
            put(frame, &[0, 0, 9, 0, 2, 0, 0, 0, 0x10]);
            true
        }
        (LinkType::Prism, Ieee80211) if len.is_multiple_of(2) => done(&[0x44; 144]),
        (LinkType::Prism | LinkType::Avs, Ieee80211) => {
            let mut header = vec![0x80, 0x21, 0x10, 1, 0, 0, 0, 64];
            header.resize(64, 0);
            done(&header)
        }
        (LinkType::Ppi, Ethernet) => done(&[0, 0, 12, 0, 1, 0, 0, 0, 1, 2, 3, 4]),
        (LinkType::Ppi, Radiotap) => done(&[0, 0, 8, 0, 127, 0, 0, 0]),
        (LinkType::Pktap, Ipv4 | Ipv6) => {
            let mut header = vec![108, 0, 0, 0, 1, 0, 0, 0, 12, 0, 0, 0];
            header.resize(108, 0);
            done(&header)
        }
        (LinkType::Nflog, Ipv4 | Ipv6) => {
            let family = if begins == Ipv4 { 2 } else { 10 };
            let payload_len = u16::try_from(4 + len).unwrap();
            let little = family == 2;
            let order = if little {
                u16::to_le_bytes
            } else {
                u16::to_be_bytes
            };
            let mut header = vec![family, 0, 0, 5];
            for (len, kind, value) in [(8, 1, &[0, 0, 3, 0][..]), (5, 10, &[0, 0, 0, 0][..])] {
                header.extend(order(len));
                header.extend(order(kind));
                header.extend(value);
            }
            header.extend(order(payload_len));
            header.extend(order(9));
            done(&header)
        }
        (LinkType::Ipnet, Ipv4 | Ipv6) => {
            let mut header = vec![1, if begins == Ipv4 { 2 } else { 26 }, 0, 1];
            header.resize(24, 0);
            done(&header)
        }
        (LinkType::LinuxCooked, Llc) => {
            let mut header = vec![0, 4, 0, 1, 0, 6];
            header.resize(15, 0);
            header.push(4);
            done(&header)
        }
        (LinkType::LinuxCooked2, _) => match (begins, ether_type) {
            (FrameRelay | Ieee80211 | Radiotap, _) => {
                let device: u16 = match begins {
                    FrameRelay => 770,
                    Ieee80211 => 801,
                    _ => 803,
                };
                let [k0, k1] = device.to_be_bytes();
                let mut header = vec![0, 0, 0, 0, 0, 0, 0, 2, k0, k1];
                header.resize(20, 0);
                done(&header)
            }
            (_, Some([t0, t1])) => {
                let mut header = vec![t0, t1, 0, 0, 0, 0, 0, 2, 0, 1];
                header.resize(20, 0);
                done(&header)
            }
            _ => false,
        },
        (LinkType::LinuxCooked, _) => ether_type.is_some_and(|[t0, t1]| {
            let mut header = vec![0, 4, 0, 1, 0, 6];
            header.resize(14, 0);
            header.extend([t0, t1]);
            done(&header)
        }),
        (LinkType::IpOverInfiniband, _) => ether_type.is_some_and(|[t0, t1]| {
            let mut header = vec![0; 40];
            header.extend([t0, t1, 0, 0]);
            done(&header)
        }),
        _ => false,
    }
}
