//! A list that one thread reads while another one writes it.
//!
//! The list consists of chunks of a few items. A [`View`] shares the chunks: making one copies no
//! item. A thread that writes an item later first copies its chunk, if a view still has it. So
//! neither the reader nor the writer ever waits for a copy of the whole list.

use std::collections::VecDeque;
use std::sync::Arc;

/// The number of items in a chunk: few, so that a write copies little, but enough that there are
/// not too many chunks to share.
const ITEMS: usize = 32;

/// A list, read by position. Positions start at 0 and never change, even if earlier items are
/// [dropped](Self::drop_before).
#[derive(Debug, Clone)]
pub struct Chunked<T> {
    /// All but the last one are full.
    chunks: VecDeque<Chunk<T>>,
    /// The position of the first item that is kept.
    first: usize,
    len: usize,
}

/// A few items.
#[derive(Debug, Clone)]
struct Chunk<T> {
    /// While no view has them: separate, so that a write costs no atomic operation.
    own: Vec<T>,
    /// Items that a view may share.
    shared: Option<Arc<Vec<T>>>,
}

/// The items of a [`Chunked`] list at one point in time. A clone shares them.
#[derive(Debug, Clone)]
pub struct View<T> {
    chunks: Arc<[Arc<Vec<T>>]>,
}

impl<T> Default for Chunked<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Chunked<T> {
    /// An empty list.
    pub const fn new() -> Self {
        Self {
            chunks: VecDeque::new(),
            first: 0,
            len: 0,
        }
    }

    /// The number of items that are kept.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether no item is kept.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The item at a position; `None` if it was dropped or does not exist yet.
    pub fn get(&self, place: usize) -> Option<&T> {
        let index = place.checked_sub(self.first)?;
        self.chunks.get(index / ITEMS)?.items().get(index % ITEMS)
    }

    /// The items that are kept, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(Chunk::items)
    }

    /// The items as they are now. This copies no item.
    pub fn view(&mut self) -> View<T> {
        View {
            chunks: self.chunks.iter_mut().map(Chunk::share).collect(),
        }
    }

    /// Drops chunks that only have items before a position. Some items before it may stay.
    pub fn drop_before(&mut self, place: usize) {
        while self.len > ITEMS && place >= self.first + ITEMS {
            self.chunks.pop_front();
            self.first += ITEMS;
            self.len -= ITEMS;
        }
    }
}

impl<T: Clone> Chunked<T> {
    /// Appends an item, and returns its position.
    pub fn push(&mut self, item: T) -> usize {
        if self.len.is_multiple_of(ITEMS) {
            self.chunks.push_back(Chunk::new());
        }
        if let Some(chunk) = self.chunks.back_mut() {
            chunk.items_mut().push(item);
        }
        self.len += 1;
        self.first + self.len - 1
    }

    /// The item at a position, for writing. Copies its chunk if a view has it.
    pub fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        let index = place.checked_sub(self.first)?;
        let chunk = self.chunks.get_mut(index / ITEMS)?;
        chunk.items_mut().get_mut(index % ITEMS)
    }
}

impl<T> Chunk<T> {
    fn new() -> Self {
        Self {
            own: Vec::with_capacity(ITEMS),
            shared: None,
        }
    }

    fn items(&self) -> &[T] {
        self.shared.as_deref().unwrap_or(&self.own)
    }

    fn share(&mut self) -> Arc<Vec<T>> {
        let own = &mut self.own;
        let shared = self
            .shared
            .get_or_insert_with(|| Arc::new(std::mem::take(own)));
        Arc::clone(shared)
    }
}

impl<T: Clone> Chunk<T> {
    fn items_mut(&mut self) -> &mut Vec<T> {
        if let Some(shared) = self.shared.take() {
            self.own = Arc::try_unwrap(shared).unwrap_or_else(|shared| {
                let mut copy = Vec::with_capacity(ITEMS);
                copy.extend_from_slice(&shared);
                copy
            });
        }
        &mut self.own
    }
}

impl<T> View<T> {
    /// The items, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|items| items.iter())
    }
}

impl<T> Default for View<T> {
    fn default() -> Self {
        Self {
            chunks: Arc::new([]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    /// An item that counts its copies.
    #[derive(Debug)]
    struct Counted(usize, Rc<Cell<usize>>);

    impl Clone for Counted {
        fn clone(&self) -> Self {
            self.1.set(self.1.get() + 1);
            Self(self.0, Rc::clone(&self.1))
        }
    }

    #[test]
    fn a_view_copies_nothing_and_a_write_a_chunk() {
        const ALL: usize = 100_000;
        let copies = Rc::new(Cell::new(0));
        let mut list = Chunked::new();
        for number in 0..ALL {
            list.push(Counted(number, Rc::clone(&copies)));
        }
        let view = list.view();
        assert_eq!(copies.get(), 0);
        for place in [5, 6, 5, 77_777] {
            list.get_mut(place).unwrap().0 = ALL;
        }
        assert_eq!(copies.get(), 2 * ITEMS);
        // The view does not show later writes.
        assert!(view.iter().map(|item| item.0).eq(0..ALL));
        drop(view);
        // No view has the chunks any more.
        list.get_mut(50_000).unwrap().0 = ALL;
        assert_eq!(copies.get(), 2 * ITEMS);
        let written = list.iter().filter(|item| item.0 == ALL);
        assert_eq!(written.count(), 4);
    }

    #[test]
    fn positions_stay_when_the_first_items_are_dropped() {
        let mut list = Chunked::new();
        for number in 0..5 * ITEMS {
            assert_eq!(list.push(number), number);
        }
        let view = list.view();
        list.drop_before(2 * ITEMS + 1);
        assert_eq!(list.get(2 * ITEMS - 1), None);
        assert_eq!(list.get(2 * ITEMS), Some(&(2 * ITEMS)));
        assert_eq!(list.push(7), 5 * ITEMS);
        assert_eq!(list.get_mut(5 * ITEMS), Some(&mut 7));
        assert_eq!(list.len(), list.iter().count());
        assert!(view.iter().copied().eq(0..5 * ITEMS));
        // The last chunk stays.
        list.drop_before(usize::MAX);
        assert_eq!(list.push(8), 5 * ITEMS + 1);
        assert_eq!(list.get(5 * ITEMS + 1), Some(&8));
    }
}
