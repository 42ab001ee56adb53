//! From the first bytes of an IP packet to the socket that sent it. Pure: any bytes
//! whatsoever give a question or nothing.

use std::net::{IpAddr, SocketAddr};

use crate::answer::{Protocol, SocketQuery};

/// What the longest header of IPv4 and two ports take.
pub(super) const LEN: usize = 64;

/// The question for the sender's end.
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
        _ => return None,
    };
    let port = |at| Some(u16::from_be_bytes(array_at(rest, at)?));
    let (local, remote) = (
        SocketAddr::new(from, port(0)?),
        SocketAddr::new(to, port(2)?),
    );
    Some(SocketQuery::new(protocol, local, Some(remote)))
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
        // Every part of it is needed.
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

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..LEN)) {
            sender(&bytes);
        }
    }
}
