//! The two ends of a flow as a key, and its hash.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::net::{IpAddr, SocketAddr};

use flowner_capture::{Headers, Ports};

const PROTOCOL_BIT: u32 = 32;
const V6: u64 = 1 << 40;

/// Two ends and a protocol, the same in both directions. The families are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ends {
    /// Ports, protocol and family.
    rest: u64,
    /// The lower end's address first. Those of IPv4 are in the last word.
    addresses: [u64; 4],
}

impl Ends {
    pub(super) fn of(headers: &Headers, ports: Ports) -> Self {
        let source = SocketAddr::new(headers.source, ports.source);
        let destination = SocketAddr::new(headers.destination, ports.destination);
        let (low, high) = if source < destination {
            (source, destination)
        } else {
            (destination, source)
        };
        let ports = u64::from(low.port()) << 16 | u64::from(high.port());
        let rest = ports | u64::from(headers.protocol) << PROTOCOL_BIT;
        match (low.ip(), high.ip()) {
            (IpAddr::V4(low), IpAddr::V4(high)) => Self {
                rest,
                addresses: [
                    0,
                    0,
                    0,
                    u64::from(low.to_bits()) << 32 | u64::from(high.to_bits()),
                ],
            },
            (low, high) => {
                let ([a, b], [c, d]) = (words(low), words(high));
                Self {
                    rest: rest | V6,
                    addresses: [a, b, c, d],
                }
            }
        }
    }

    /// Those of the lower end and of the other one.
    #[allow(clippy::cast_possible_truncation, reason = "each half is a port")]
    pub(super) const fn ports(self) -> Ports {
        Ports {
            source: (self.rest >> 16) as u16,
            destination: self.rest as u16,
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "both halves are taken")]
fn words(address: IpAddr) -> [u64; 2] {
    let address = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    let [high, low] = [address.to_bits() >> 64, address.to_bits()];
    [high as u64, low as u64]
}

impl Hash for Ends {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.rest);
        if self.rest & V6 != 0 {
            let [a, b, c, _] = self.addresses;
            state.write_u64(a);
            state.write_u64(b);
            state.write_u64(c);
        }
        state.write_u64(self.addresses[3]);
    }
}

/// Makes hashes with a secret. They cost a few nanoseconds, as every packet that may name a host costs
/// one: less than the hash of the standard library, and less strong. But few flows are kept, so that
/// even equal hashes would cost no more than microseconds.
#[derive(Debug, Clone)]
pub(super) struct Seed(u64, u64);

impl Default for Seed {
    fn default() -> Self {
        let state = RandomState::new();
        // With the factor 0, all keys would be equal.
        Self(state.hash_one(0), state.hash_one(1) | 1)
    }
}

impl BuildHasher for Seed {
    type Hasher = Folding;

    fn build_hasher(&self) -> Folding {
        Folding {
            state: self.0,
            factor: self.1,
        }
    }
}

/// Multiplies by a secret number and folds the product, so that each bit of the hash depends on the
/// whole key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Folding {
    state: u64,
    factor: u64,
}

impl Hasher for Folding {
    fn finish(&self) -> u64 {
        self.state
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "both halves are taken")]
    fn write_u64(&mut self, number: u64) {
        let product = u128::from(self.state ^ number) * u128::from(self.factor);
        let (low, high) = (product as u64, (product >> 64) as u64);
        // A state of 0 would stay 0.
        self.state = (low ^ high).wrapping_add(self.factor);
    }
}
