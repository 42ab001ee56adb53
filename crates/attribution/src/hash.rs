//! Hashes that are faster than that of the standard library, for numbers from the kernel and for
//! the keys of callers.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

/// A map from numbers of inodes, processes and sockets. The kernel chooses them, so the hash needs
/// no protection against chosen keys. A list of all sockets looks up tens of thousands.
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "only its table reads lists")
)]
pub(crate) type NumberMap<K, V> = HashMap<K, V, BuildHasherDefault<NumberHasher>>;

/// Multiplies, so that neighbours differ in the bits that the map uses, the highest and the lowest.
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "only its table reads lists")
)]
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

/// A map from the keys of callers. These may come from the network, such as ports, so each map has
/// its own seed. Each packet of an unsettled flow looks up its waiting request.
pub(crate) type KeyMap<K, V> = HashMap<K, V, Seeded>;

/// The seed of a map.
#[derive(Debug, Clone)]
pub(crate) struct Seeded(u64);

impl Default for Seeded {
    fn default() -> Self {
        Self(RandomState::new().hash_one(0))
    }
}

impl BuildHasher for Seeded {
    type Hasher = SeededHasher;

    fn build_hasher(&self) -> SeededHasher {
        SeededHasher {
            state: self.0,
            // With the factor 0, all keys would be equal.
            factor: self.0.rotate_left(32) | 1,
        }
    }
}

/// Multiplies by a secret number and folds the product, so that each bit of the hash depends on the
/// whole key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SeededHasher {
    state: u64,
    factor: u64,
}

impl Hasher for SeededHasher {
    fn finish(&self) -> u64 {
        self.state
    }

    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut number = [0; 8];
            number[..part.len()].copy_from_slice(part);
            self.write_u64(u64::from_le_bytes(number));
        }
        self.write_usize(bytes.len());
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(number.into());
    }

    fn write_u16(&mut self, number: u16) {
        self.write_u64(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    #[allow(clippy::cast_possible_truncation, reason = "both halves are taken")]
    fn write_u64(&mut self, number: u64) {
        let product = u128::from(self.state ^ number) * u128::from(self.factor);
        let low = product as u64;
        let high = (product >> 64) as u64;
        // A state of 0 would stay 0.
        self.state = (low ^ high).wrapping_add(self.factor);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_map_distinguishes_keys_by_its_own_seed() {
        let keys = || (0..10_000_u32).map(|number| (number % 100, number / 100, number % 3 == 0));
        let map: KeyMap<_, _> = keys().zip(0..).collect();
        assert!(
            keys()
                .zip(0..)
                .all(|(key, number)| map.get(&key) == Some(&number))
        );
        let seed = Seeded::default();
        let ends = |key| {
            let hash = seed.hash_one(key);
            (hash >> 57, hash & 0xFFF)
        };
        let distinct: std::collections::HashSet<_> = keys().map(ends).collect();
        assert!(distinct.len() > 9_000, "{}", distinct.len());
        assert_ne!(seed.hash_one(1), Seeded::default().hash_one(1));
    }

    #[test]
    fn neighbours_are_distinguished() {
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
