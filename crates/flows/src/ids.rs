//! Maps from the ids of flows.
//!
//! A table gives ids in order, so no outsider chooses the keys. They need no protection against
//! chosen collisions, and each packet looks up several.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use crate::FlowId;

/// A map from the ids of flows.
pub type FlowIdMap<V> = HashMap<FlowId, V, FxBuildHasher>;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn neighbours_are_far_apart() {
        let map: FlowIdMap<u64> = (0..10_000).map(|id| (FlowId(id), id)).collect();
        assert!((0..10_000).all(|id| map.get(&FlowId(id)) == Some(&id)));
        let ends = |id: u64| {
            let hash = FxBuildHasher.hash_one(FlowId(id));
            (hash >> 57, hash & 0xFFF)
        };
        let distinct: HashSet<_> = (0..10_000).map(ends).collect();
        assert!(distinct.len() > 9_000, "{}", distinct.len());
    }
}
