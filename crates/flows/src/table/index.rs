//! Which slot has the flow of a key.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use crate::FlowKey;

use super::lists::{Lists, Slot};

/// Slots by the keys of their flows, which stay where they are: it is small, so that what is
/// asked for with every packet is in the processor's cache.
///
/// Keys are hashed as the standard library does it, with a secret that differs from table to
/// table: a sender of packets cannot choose addresses that collide.
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

    /// Adds the flow of a slot, whose key has none yet.
    pub(super) fn insert<T>(&mut self, key: &FlowKey, slot: Slot, lists: &Lists<T>) {
        let Self { slots, hasher } = self;
        let hash = |slot: &Slot| lists.key(*slot).map_or(0, |key| hasher.hash_one(key));
        slots.insert_unique(hasher.hash_one(key), slot, hash);
    }

    /// Removes what was the slot of a key.
    pub(super) fn remove(&mut self, key: &FlowKey, slot: Slot) {
        let hash = self.hasher.hash_one(key);
        if let Ok(entry) = self.slots.find_entry(hash, |other| *other == slot) {
            entry.remove();
        }
    }
}
