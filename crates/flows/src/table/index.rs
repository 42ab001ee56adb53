//! Maps keys to the slots of their flows.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use crate::FlowKey;

use super::lists::{Lists, Slot};

/// Maps keys to slots. The keys stay in the flows, so the map is small, and the CPU's cache has the
/// entries that every packet needs.
///
/// The hash is that of the standard library, with a secret that differs from table to table, so the
/// sender of packets cannot choose addresses that collide.
#[derive(Debug, Default)]
pub(super) struct Index {
    slots: HashTable<Slot>,
    hasher: RandomState,
}

impl Index {
    pub(super) fn find<T>(&self, key: &FlowKey, lists: &Lists<T>) -> Option<Slot> {
        let is_it = |slot: &Slot| lists.key(*slot) == Some(key);
        self.slots.find(self.hasher.hash_one(key), is_it).copied()
    }

    /// Adds the slot of a flow whose key is not in the index yet.
    pub(super) fn insert<T>(&mut self, key: &FlowKey, slot: Slot, lists: &Lists<T>) {
        let Self { slots, hasher } = self;
        let hash = |slot: &Slot| lists.key(*slot).map_or(0, |key| hasher.hash_one(key));
        slots.insert_unique(hasher.hash_one(key), slot, hash);
    }

    /// Removes the slot of a key.
    pub(super) fn remove(&mut self, key: &FlowKey, slot: Slot) {
        let hash = self.hasher.hash_one(key);
        if let Ok(entry) = self.slots.find_entry(hash, |other| *other == slot) {
            entry.remove();
        }
    }
}
