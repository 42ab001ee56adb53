//! Finds the socket that sent an IP packet from the packet's first bytes. Pure: any input gives a
//! query or nothing.

use std::net::{IpAddr, SocketAddr};

use crate::answer::{Protocol, SocketQuery};

/// The size of the longest IPv4 header and two ports.
pub(super) const LEN: usize = 64;

/// The query for the sender's end.
pub(super) fn sender(packet: &[u8]) -> Option<SocketQuery> {
    let (number, from, to, rest) = match packet.first()? >> 4 {
        4 => {
            let header_len = usize::from(packet[0] & 15) * 4;
            let from = IpAddr::from(array_at::<4>(packet, 12)?);
            let to = IpAddr::from(array_at::<4>(packet, 16)?);
            (*packet.get(9)?, from, to, packet.get(header_len..)?)
        }
        6 => {
            let from = IpAddr::from(array_at::<16>(packet, 8)?);
            let to = IpAddr::from(array_at::<16>(packet, 24)?);
            (packet[6], from, to, packet.get(40..)?)
        }
        _ => return None,
    };
    let protocol = match number {
        6 => Protocol::Tcp,
        17 => Protocol::Udp,
        33 => Protocol::Dccp,
        132 => Protocol::Sctp,
        136 => Protocol::UdpLite,
        1 | 58 => return echo(number, from, to, rest),
        // IPv6 headers other than the first one, and the kernel's own IGMP.
        0 | 2 | 43 | 44 | 60 => return None,
        other => return Some(SocketQuery::raw(other, from, Some(to))),
    };
    let port = |at| Some(u16::from_be_bytes(array_at(rest, at)?));
    let (local, remote) = (
        SocketAddr::new(from, port(0)?),
        SocketAddr::new(to, port(2)?),
    );
    Some(SocketQuery::new(protocol, local, Some(remote)))
}

/// An ICMP message that requests an answer, by its id (RFC 792, RFC 950, RFC 4443, RFC 8335). The
/// kernel sends all others.
fn echo(number: u8, from: IpAddr, to: IpAddr, message: &[u8]) -> Option<SocketQuery> {
    let asks = match number {
        1 => [8, 13, 15, 17, 42].contains(message.first()?),
        _ => [128, 160].contains(message.first()?),
    };
    let id = u16::from_be_bytes(array_at(message, 4)?);
    asks.then(|| SocketQuery::icmp_echo(id, from, to))
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(packet: &[u8], protocol: Protocol, local: &str, remote: &str) {
        let (local, remote) = (local.parse().unwrap(), remote.parse().unwrap());
        let expected = SocketQuery::new(protocol, local, Some(remote));
        assert_eq!(sender(packet), Some(expected));
        // The parser needs every byte of it.
        let header_len = packet.len() - 4;
        assert!((0..header_len + 4).all(|len| sender(&packet[..len]).is_none()));
    }

    #[test]
    fn senders_are_read() {
        let mut v4 = vec![0x46; 28];
        v4[9] = 6;
        v4[12..20].copy_from_slice(&[10, 0, 0, 2, 192, 0, 2, 1]);
        v4[24..].copy_from_slice(&[0x1f, 0x90, 0, 53]);
        check(&v4, Protocol::Tcp, "10.0.0.2:8080", "192.0.2.1:53");
        let mut v6 = vec![0; 44];
        (v6[0], v6[6], v6[23], v6[39]) = (0x60, 17, 1, 2);
        v6[40..].copy_from_slice(&[0x1f, 0x90, 0, 53]);
        check(&v6, Protocol::Udp, "[::1]:8080", "[::2]:53");
        v6[6] = 58;
        assert_eq!(sender(&v6), None);
    }

    #[test]
    fn senders_of_other_protocols_are_read() {
        let mut v4 = vec![0x45; 28];
        v4[12..20].copy_from_slice(&[10, 0, 0, 2, 192, 0, 2, 1]);
        v4[20..].copy_from_slice(&[8, 0, 0, 0, 0x12, 0x34, 0, 1]);
        let mut of = |number: u8, kind: u8| {
            (v4[9], v4[20]) = (number, kind);
            sender(&v4).map(|query| query.to_string())
        };
        let echo = "icmp 10.0.0.2:4660 -> 192.0.2.1:0";
        assert_eq!(of(1, 8).as_deref(), Some(echo));
        // A reply, and a destination unreachable.
        assert_eq!((of(1, 0), of(1, 3), of(2, 8)), (None, None, None));
        let raw = "raw 10.0.0.2:253 -> 192.0.2.1:253";
        assert_eq!(of(253, 8).as_deref(), Some(raw));
        for (number, name) in [(33, "dccp"), (132, "sctp"), (136, "udplite")] {
            let ports = format!("{name} 10.0.0.2:2048 -> 192.0.2.1:0");
            assert_eq!(of(number, 8), Some(ports));
        }
        let mut v6 = vec![0; 48];
        (v6[0], v6[6], v6[23], v6[39]) = (0x60, 58, 1, 2);
        v6[40..].copy_from_slice(&[128, 0, 0, 0, 0, 9, 0, 1]);
        let echo = sender(&v6).map(|query| query.to_string());
        assert_eq!(echo.as_deref(), Some("icmp [::1]:9 -> [::2]:0"));
        // A neighbour solicitation.
        v6[40] = 135;
        assert_eq!(sender(&v6), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..LEN)) {
            sender(&bytes);
        }
    }
}
