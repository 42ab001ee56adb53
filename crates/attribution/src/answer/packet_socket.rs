//! The facts that packet sockets have in place of addresses and ports.

use super::text::displayed;

/// The facts of a packet socket (packet(7)): which frames it receives, and how.
///
/// The device that it is bound to is that of the [`Socket`](crate::Socket).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PacketSocket {
    /// Whether it exchanges whole frames, or packets without the link header.
    pub kind: PacketKind,
    /// The Ethernet protocol of the frames that it receives (`linux/if_ether.h`): 3 (`ETH_P_ALL`) for
    /// all; 0 for one that receives nothing.
    pub ether_type: u16,
    /// The fanout group, whose sockets share the frames (`PACKET_FANOUT`).
    pub fanout_group: Option<u16>,
    /// Whether it has a filter (`SO_ATTACH_FILTER`). `None` if the table cannot know.
    pub has_filter: Option<bool>,
    /// Whether it receives frames through a ring (`PACKET_RX_RING`). `None` if the table cannot
    /// know.
    pub receives_by_ring: Option<bool>,
    /// Whether it sends frames through a ring (`PACKET_TX_RING`). `None` if the table cannot know.
    pub sends_by_ring: Option<bool>,
}

/// Which part of a frame a packet socket exchanges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[non_exhaustive]
pub enum PacketKind {
    /// Whole frames (`SOCK_RAW`).
    #[default]
    Frame,
    /// The payload behind the link header (`SOCK_DGRAM`).
    Datagram,
}

impl PacketKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Frame, Self::Datagram];

    /// The name in lower case, as JSON writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::Datagram => "datagram",
        }
    }
}

displayed!(PacketKind, "kind of packet socket");

/// `ETH_P_ALL`, `ETH_P_IP`, `ETH_P_IPV6`.
const ALL: u16 = 3;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

impl PacketSocket {
    /// A socket of a kind for frames of an Ethernet protocol; all else is unknown.
    pub const fn new(kind: PacketKind, ether_type: u16) -> Self {
        Self {
            kind,
            ether_type,
            fanout_group: None,
            has_filter: None,
            receives_by_ring: None,
            sends_by_ring: None,
        }
    }

    /// Whether its owner probably sends IP packets: it sends through a ring, it receives nothing,
    /// or it receives IP without a filter and without a ring.
    ///
    /// Programs that only capture have a filter or a ring (libpcap always has a ring), or receive
    /// another protocol. If the table knows neither, this is false.
    ///
    /// ```
    /// use flowner_attribution::{PacketKind, PacketSocket};
    ///
    /// let mut tcpdump = PacketSocket::new(PacketKind::Frame, 3);
    /// (tcpdump.has_filter, tcpdump.receives_by_ring) = (Some(false), Some(true));
    /// assert!(!tcpdump.may_send_ip());
    /// assert!(PacketSocket::new(PacketKind::Frame, 0).may_send_ip());
    /// ```
    pub fn may_send_ip(&self) -> bool {
        if self.sends_by_ring == Some(true) {
            return true;
        }
        match self.ether_type {
            0 => true,
            ALL | IPV4 | IPV6 => {
                self.has_filter == Some(false) && self.receives_by_ring == Some(false)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_that_may_send() {
        let plain = |ether_type| PacketSocket {
            has_filter: Some(false),
            receives_by_ring: Some(false),
            sends_by_ring: Some(false),
            ..PacketSocket::new(PacketKind::Frame, ether_type)
        };
        assert!(plain(ALL).may_send_ip() && plain(IPV4).may_send_ip() && plain(0).may_send_ip());
        // The protocols of wpa_supplicant and lldpd.
        assert!(!plain(0x888e).may_send_ip() && !plain(0x88cc).may_send_ip());
        let mut listener = plain(ALL);
        listener.receives_by_ring = Some(true);
        assert!(!listener.may_send_ip());
        listener.sends_by_ring = Some(true);
        assert!(listener.may_send_ip());
        let mut filtered = plain(IPV4);
        filtered.has_filter = Some(true);
        assert!(!filtered.may_send_ip());
        assert!(!PacketSocket::new(PacketKind::Datagram, ALL).may_send_ip());
    }
}
