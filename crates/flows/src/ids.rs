//! Maps from the names of flows.
//!
//! A table names its flows one after the other, so nobody outside chooses the keys: they need not
//! be protected from who would choose them badly, and each packet looks up several.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::FlowId;

/// A map from the names of flows.
pub type FlowIdMap<V> = HashMap<FlowId, V, BuildHasherDefault<FlowIdHasher>>;

/// A hash for names of flows, which a table counts: fast, and no protection against chosen keys.
#[derive(Debug, Default, Clone, Copy)]
pub struct FlowIdHasher(u64);

impl Hasher for FlowIdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    /// Multiplies, so that neighbours are far apart in the bits that the map looks at, the
    /// highest and the lowest.
    fn write_u64(&mut self, number: u64) {
        // 2^64 divided by the golden ratio (Knuth, The Art of Computer Programming 3, 6.4).
        let product = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = product ^ (product >> 32);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn neighbours_are_far_apart() {
        let map: FlowIdMap<u64> = (0..10_000).map(|id| (FlowId(id), id)).collect();
        assert!((0..10_000).all(|id| map.get(&FlowId(id)) == Some(&id)));
        let ends = |id: u64| {
            let mut hasher = FlowIdHasher::default();
            hasher.write_u64(id);
            (hasher.finish() >> 57, hasher.finish() & 0xFFF)
        };
        let distinct: HashSet<_> = (0..10_000).map(ends).collect();
        assert!(distinct.len() > 9_000, "{}", distinct.len());
    }
}
