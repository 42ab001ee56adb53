//! Remembers found and missing pictures. Pure; bounded in number and in memory.

use std::collections::HashMap;

use crate::{Icon, IconRequest};

/// The state of a program's picture.
#[derive(Debug)]
struct Slot {
    /// The picture, else the letter.
    shown: Icon,
    state: State,
    /// When it was last shown, counted in requests.
    used: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The thread searches for it.
    Asked,
    Settled,
    /// The search ended, before directories changed.
    Old,
}

/// The picture that each program has now.
#[derive(Debug)]
pub(crate) struct Cache {
    slots: HashMap<String, Slot>,
    questions: u64,
    bytes: usize,
    max_slots: usize,
    max_bytes: usize,
}

/// The picture to show, and whether to search for a better one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) icon: Icon,
    pub(crate) look: bool,
}

impl Cache {
    pub(crate) fn new(max_slots: usize, max_bytes: usize) -> Self {
        Self {
            slots: HashMap::new(),
            questions: 0,
            bytes: 0,
            max_slots: max_slots.max(1),
            max_bytes,
        }
    }

    /// The present picture of a program. `tile`: draws the letter, if nothing is known.
    pub(crate) fn show(
        &mut self,
        request: &IconRequest,
        tile: impl Fn(&IconRequest) -> Icon,
    ) -> Answer {
        self.questions += 1;
        if let Some(slot) = self.slots.get_mut(&request.key) {
            slot.used = self.questions;
            let look = slot.state == State::Old;
            if look {
                slot.state = State::Asked;
            }
            return Answer {
                icon: slot.shown.clone(),
                look,
            };
        }
        let icon = tile(request);
        let slot = Slot {
            shown: icon.clone(),
            state: State::Asked,
            used: self.questions,
        };
        self.bytes += icon.weight();
        self.slots.insert(request.key.clone(), slot);
        self.make_room();
        Answer { icon, look: true }
    }

    /// Call this when the search could not start.
    pub(crate) fn not_asked(&mut self, key: &str) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.state = State::Old;
        }
    }

    /// Takes the result for a program. Returns whether the program has another picture now.
    pub(crate) fn settle(
        &mut self,
        request: &IconRequest,
        found: Option<Icon>,
        tile: impl Fn(&IconRequest) -> Icon,
    ) -> bool {
        // The cache may have dropped it meanwhile: the next request searches again.
        let Some(slot) = self.slots.get_mut(&request.key) else {
            return false;
        };
        slot.state = State::Settled;
        let icon = found.unwrap_or_else(|| tile(request));
        if icon == slot.shown {
            return false;
        }
        self.bytes = self.bytes.saturating_sub(slot.shown.weight()) + icon.weight();
        slot.shown = icon;
        self.make_room();
        true
    }

    #[cfg(test)]
    pub(crate) fn is_settled(&self, key: &str) -> bool {
        let slot = self.slots.get(key);
        slot.is_some_and(|slot| slot.state == State::Settled)
    }

    /// Searches for every picture again when it is shown the next time. Until then, it stays.
    pub(crate) fn age(&mut self) {
        for slot in self.slots.values_mut() {
            if slot.state == State::Settled {
                slot.state = State::Old;
            }
        }
    }

    /// Drops the pictures that were shown longest ago, a quarter at a time.
    fn make_room(&mut self) {
        while self.slots.len() > 1
            && (self.slots.len() > self.max_slots || self.bytes > self.max_bytes)
        {
            let mut uses: Vec<u64> = self.slots.values().map(|slot| slot.used).collect();
            uses.sort_unstable();
            let newest = uses.last().copied().unwrap_or_default();
            let limit = uses.get(uses.len() / 4).copied().unwrap_or_default();
            let is_kept = |slot: &Slot| slot.used > limit || slot.used == newest;
            self.slots.retain(|_, slot| is_kept(slot));
            self.bytes = self.slots.values().map(|slot| slot.shown.weight()).sum();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(key: &str) -> IconRequest {
        IconRequest {
            key: key.to_owned(),
            name: key.to_owned(),
            ..IconRequest::default()
        }
    }

    fn icon(bytes: usize) -> Icon {
        Icon::of_svg(&vec![b' '; bytes], 48)
    }

    fn show(cache: &mut Cache, key: &str) -> Answer {
        cache.show(&request(key), IconRequest::tile)
    }

    #[test]
    fn a_picture_is_looked_for_once() {
        let mut cache = Cache::new(10, 10_000);
        let tile = request("a").tile();
        assert_eq!(
            show(&mut cache, "a"),
            Answer {
                icon: tile.clone(),
                look: true
            }
        );
        assert_eq!(
            show(&mut cache, "a"),
            Answer {
                icon: tile.clone(),
                look: false
            }
        );
        assert!(cache.settle(&request("a"), Some(icon(10)), IconRequest::tile));
        assert_eq!(
            show(&mut cache, "a"),
            Answer {
                icon: icon(10),
                look: false
            }
        );
        // The search found nothing: the letter stays, and there is no second search.
        show(&mut cache, "b");
        assert!(!cache.settle(&request("b"), None, IconRequest::tile));
        assert!(!show(&mut cache, "b").look);
        cache.age();
        assert_eq!(
            show(&mut cache, "a"),
            Answer {
                icon: icon(10),
                look: true
            }
        );
        assert!(!show(&mut cache, "a").look);
        assert!(show(&mut cache, "b").look);
        // It is gone.
        assert!(cache.settle(&request("a"), None, IconRequest::tile));
        assert_eq!(show(&mut cache, "a").icon, tile);
    }

    #[test]
    fn who_could_not_be_asked_is_asked_again() {
        let mut cache = Cache::new(10, 10_000);
        assert!(show(&mut cache, "a").look);
        cache.not_asked("a");
        assert!(show(&mut cache, "a").look);
    }

    #[test]
    fn what_was_shown_longest_ago_is_dropped() {
        let mut cache = Cache::new(4, 1_000_000);
        for key in ["a", "b", "c", "d"] {
            show(&mut cache, key);
        }
        show(&mut cache, "a");
        show(&mut cache, "e");
        assert!(!show(&mut cache, "a").look);
        assert!(show(&mut cache, "b").look);
        assert!(!cache.settle(&request("x"), Some(icon(1)), IconRequest::tile));
    }

    proptest! {
        #[test]
        fn memory_is_bounded(steps in prop::collection::vec((0_u8..30, 0_usize..400), 0..200)) {
            let mut cache = Cache::new(10, 2_000);
            for (key, size) in steps {
                let request = request(&key.to_string());
                show(&mut cache, &request.key);
                cache.settle(&request, Some(icon(size)), IconRequest::tile);
                prop_assert!(!show(&mut cache, &request.key).look);
                prop_assert!(cache.slots.len() <= 10);
                prop_assert!(cache.bytes <= 2_000);
                let sum: usize = cache.slots.values().map(|slot| slot.shown.weight()).sum();
                prop_assert_eq!(sum, cache.bytes);
            }
        }
    }
}
