//! A hash for numbers that the kernel or the caller gives out: of inodes, processes, sockets and
//! flows.
//!
//! Nobody outside chooses them, so they need not be protected from who would choose
//! them badly. A list of all sockets looks up tens of thousands, and each packet of a flow whose
//! owner is not settled looks up who waits for it.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map from such numbers.
pub(crate) type NumberMap<K, V> = HashMap<K, V, BuildHasherDefault<NumberHasher>>;

/// Multiplies, so that neighbours are far apart in the bits that the map looks at, the
/// highest and the lowest.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        // 2^64 divided by the golden ratio (Knuth, The Art of Computer Programming 3, 6.4).
        let product = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = product ^ (product >> 32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_told_apart() {
        let map: NumberMap<u32, u32> = (0..10_000).map(|number| (number, number)).collect();
        assert!((0..10_000).all(|number| map.get(&number) == Some(&number)));
        let ends = |number: u32| {
            let mut hasher = NumberHasher::default();
            hasher.write_u32(number);
            (hasher.finish() >> 57, hasher.finish() & 0xFFF)
        };
        let distinct: std::collections::HashSet<_> = (0..10_000).map(ends).collect();
        assert!(distinct.len() > 9_000, "{}", distinct.len());
    }
}
