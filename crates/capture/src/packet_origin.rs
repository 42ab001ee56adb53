//! The origin of a packet, according to the capturing system.

use crate::link_type::LinkType;

/// The origin of a packet, according to the capturing system. A sender can forge addresses, but not
/// this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum PacketOrigin {
    /// The capturing host sent it, for itself or for another host (`PACKET_OUTGOING` of packet(7)).
    Sent,
    /// It arrived for the capturing host, for a group or for all hosts (`PACKET_HOST`,
    /// `PACKET_MULTICAST`, `PACKET_BROADCAST`).
    Received,
    /// It arrived in a frame for another host (`PACKET_OTHERHOST`), and was captured because the
    /// device accepts all frames.
    OtherHost,
    /// It was captured on a loopback device, where each sent packet also arrives
    /// (`PACKET_LOOPBACK`).
    Loopback,
    /// The system does not report it: most files, and devices of systems other than Linux.
    #[default]
    Unknown,
}

impl PacketOrigin {
    /// The origin in a frame's header; [`Unknown`](Self::Unknown) if it has none.
    pub(crate) fn of_header(link_type: LinkType, frame: &[u8]) -> Self {
        match (link_type, frame) {
            (LinkType::LinuxCooked | LinkType::LinuxCooked2, frame) => {
                Self::of_cooked(link_type, frame)
            }
            // One byte, 0 for received packets.
            (
                LinkType::PppPppd
                | LinkType::PppWithDirection
                | LinkType::CiscoHdlcWithDirection
                | LinkType::FrameRelayWithDirection
                | LinkType::Slip,
                [direction, ..],
            ) => [Self::Sent, Self::Received][usize::from(*direction == 0)],
            // `IPNET_OUTBOUND` and `IPNET_INBOUND` of libpcap.
            (LinkType::Ipnet, [_, _, 0, 1, ..]) => Self::Sent,
            (LinkType::Ipnet, [_, _, 0, 2, ..]) => Self::Received,
            // The flags `PTH_FLAG_DIR_IN` and `PTH_FLAG_DIR_OUT`, after three words and a name.
            (LinkType::Pktap, frame) => match frame.get(36).map(|flags| flags & 3) {
                Some(1) => Self::Received,
                Some(2) => Self::Sent,
                _ => Self::Unknown,
            },
            _ => Self::Unknown,
        }
    }

    fn of_cooked(link_type: LinkType, frame: &[u8]) -> Self {
        // `ARPHRD_LOOPBACK`.
        const LOOPBACK: u16 = 772;
        let fields = match (link_type, frame) {
            (LinkType::LinuxCooked, [p0, p1, k0, k1, ..]) => ([*p0, *p1], [*k0, *k1]),
            (LinkType::LinuxCooked2, [_, _, _, _, _, _, _, _, k0, k1, packet, ..]) => {
                ([0, *packet], [*k0, *k1])
            }
            _ => return Self::Unknown,
        };
        let (packet, device) = (u16::from_be_bytes(fields.0), u16::from_be_bytes(fields.1));
        match packet {
            _ if device == LOOPBACK => Self::Loopback,
            // `PACKET_HOST`, `PACKET_BROADCAST`, `PACKET_MULTICAST` and later ones of
            // linux/if_packet.h.
            0..=2 => Self::Received,
            3 => Self::OtherHost,
            4 => Self::Sent,
            5 => Self::Loopback,
            _ => Self::Unknown,
        }
    }

    /// The origin in the flags of a packet in a pcapng file (`epb_flags` of
    /// draft-ietf-opsawg-pcapng, 4.3.1).
    pub(crate) const fn of_flags(flags: u32) -> Self {
        const PROMISCUOUS: u32 = 4;
        match (flags & 3, flags >> 2 & 7) {
            (1, PROMISCUOUS) => Self::OtherHost,
            (1, _) => Self::Received,
            (2, _) => Self::Sent,
            _ => Self::Unknown,
        }
    }

    /// The flags for this origin in a pcapng file; `None` if there are none.
    pub(crate) const fn flags(self) -> Option<u32> {
        match self {
            Self::Received => Some(0b1),
            Self::Sent => Some(0b10),
            Self::OtherHost => Some(0b1_0001),
            Self::Loopback | Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_cooked_headers() {
        #[track_caller]
        fn check(packet: u8, device: u16, expected: PacketOrigin) {
            let [k0, k1] = device.to_be_bytes();
            let first = [0, packet, k0, k1, 0, 6];
            let second = [8, 0, 0, 0, 0, 0, 0, 2, k0, k1, packet, 6];
            let of = PacketOrigin::of_header;
            assert_eq!(of(LinkType::LinuxCooked, &first), expected);
            assert_eq!(of(LinkType::LinuxCooked2, &second), expected);
            assert_eq!(of(LinkType::Ethernet, &first), PacketOrigin::Unknown);
            assert_eq!(
                of(LinkType::LinuxCooked2, &second[..10]),
                PacketOrigin::Unknown
            );
        }
        for packet in 0..3 {
            check(packet, 1, PacketOrigin::Received);
            check(packet, 772, PacketOrigin::Loopback);
        }
        check(3, 1, PacketOrigin::OtherHost);
        check(4, 1, PacketOrigin::Sent);
        check(5, 1, PacketOrigin::Loopback);
        check(77, 1, PacketOrigin::Unknown);
    }

    #[test]
    fn of_other_headers() {
        #[track_caller]
        fn check(link_type: LinkType, header: &[u8], expected: PacketOrigin) {
            assert_eq!(PacketOrigin::of_header(link_type, header), expected);
        }
        check(LinkType::PppPppd, &[0, 3], PacketOrigin::Received);
        check(LinkType::PppPppd, &[1, 3], PacketOrigin::Sent);
        check(LinkType::Slip, &[], PacketOrigin::Unknown);
        check(LinkType::Ipnet, &[1, 2, 0, 1], PacketOrigin::Sent);
        check(LinkType::Ipnet, &[1, 2, 0, 2], PacketOrigin::Received);
        check(LinkType::Ipnet, &[1, 2, 0, 3], PacketOrigin::Unknown);
        let mut pktap = [0; 108];
        check(LinkType::Pktap, &pktap, PacketOrigin::Unknown);
        pktap[36] = 2;
        check(LinkType::Pktap, &pktap, PacketOrigin::Sent);
        pktap[36] = 1;
        check(LinkType::Pktap, &pktap, PacketOrigin::Received);
        check(LinkType::Pktap, &pktap[..36], PacketOrigin::Unknown);
    }

    #[test]
    fn of_flags_of_files() {
        for (flags, expected) in [
            (0, PacketOrigin::Unknown),
            (0b1, PacketOrigin::Received),
            (0b101, PacketOrigin::Received),
            (0b1_0001, PacketOrigin::OtherHost),
            (0b10, PacketOrigin::Sent),
            (0b11, PacketOrigin::Unknown),
            (0xff00_0002, PacketOrigin::Sent),
        ] {
            assert_eq!(PacketOrigin::of_flags(flags), expected, "{flags:#x}");
        }
        for origin in [
            PacketOrigin::Received,
            PacketOrigin::Sent,
            PacketOrigin::OtherHost,
        ] {
            let flags = origin.flags().unwrap();
            assert_eq!(PacketOrigin::of_flags(flags), origin);
        }
    }
}
