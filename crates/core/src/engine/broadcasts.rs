//! Which addresses in a file are those of all hosts of a network. Pure.
//!
//! A file does not say which networks its host was in. But a host sends a packet to the broadcast address
//! of a network in a frame that is for all hosts of the link.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};

/// Addresses that are remembered: more networks than a link has.
const MAX: usize = 1_024;

/// The addresses that were found.
#[derive(Debug, Default)]
pub(crate) struct Broadcasts(HashSet<IpAddr>);

impl Broadcasts {
    /// Takes the ends of a packet in a frame for all hosts; the address of its receiver, if that is a
    /// broadcast address that was not known.
    pub(crate) fn add(&mut self, source: IpAddr, destination: IpAddr) -> Option<IpAddr> {
        let (IpAddr::V4(from), IpAddr::V4(to)) = (source, destination) else {
            return None;
        };
        let is_new =
            is_last_of_network(from, to) && self.0.len() < MAX && self.0.insert(destination);
        is_new.then_some(destination)
    }
}

/// Whether an address is the last one of a network that the other one is in, of at least four addresses
/// and at most a class A (RFC 919). Anybody can put any address into such a frame.
fn is_last_of_network(other: Ipv4Addr, last: Ipv4Addr) -> bool {
    const SHORTEST: u32 = 8;
    const LONGEST: u32 = 30;
    let same = (other.to_bits() ^ last.to_bits()).leading_zeros();
    let prefix = same.min(LONGEST);
    let hosts = u32::MAX.checked_shr(prefix).unwrap_or(0);
    same < u32::BITS && prefix >= SHORTEST && last.to_bits() & hosts == hosts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_address_of_the_senders_network_is_for_all() {
        let mut broadcasts = Broadcasts::default();
        let mut add = |from: &str, to: &str| {
            let [from, to] = [from, to].map(|text| text.parse().unwrap());
            broadcasts.add(from, to).is_some()
        };
        assert!(add("10.0.0.7", "10.0.0.255"));
        // It is known.
        assert!(!add("10.0.0.8", "10.0.0.255"));
        assert!(add("10.0.0.5", "10.0.0.7"));
        assert!(add("172.16.3.9", "172.16.255.255"));
        for to in ["8.8.8.8", "10.0.0.1", "10.0.0.254", "255.255.255.255"] {
            assert!(!add("10.0.0.2", to), "{to}");
        }
        assert!(!add("10.0.0.11", "10.0.0.11"));
        assert!(!add("fe80::1", "ff02::1"));
    }
}
