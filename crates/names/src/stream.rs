//! The first bytes of something that comes in pieces, in any order.

/// The most that is kept, in bytes.
pub(crate) const LIMIT: usize = 16 << 10;
/// Gaps between pieces.
const MAX_PIECES: usize = 32;

/// Pieces, put together. What came first counts where two overlap.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    bytes: Vec<u8>,
    /// From where to where there are bytes, in order, with a gap between each two.
    filled: Vec<(usize, usize)>,
}

impl Pieces {
    /// Puts in bytes at a place; those beyond the limit are left out.
    pub(crate) fn put(&mut self, at: usize, bytes: &[u8]) {
        let end = at.saturating_add(bytes.len()).min(LIMIT);
        if at >= end {
            return;
        }
        if self.filled.len() >= MAX_PIECES && at > self.beginning().len() {
            return;
        }
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        for (from, to) in self.gaps(at, end) {
            self.bytes[from..to].copy_from_slice(&bytes[from - at..to - at]);
        }
        self.fill(at, end);
    }

    /// Where there is nothing yet within a range.
    fn gaps(&self, at: usize, end: usize) -> Vec<(usize, usize)> {
        let mut gaps = Vec::new();
        let mut from = at;
        for &(start, stop) in &self.filled {
            if start >= end {
                break;
            }
            if start > from {
                gaps.push((from, start));
            }
            from = from.max(stop);
        }
        if from < end {
            gaps.push((from, end));
        }
        gaps
    }

    fn fill(&mut self, at: usize, end: usize) {
        self.filled.push((at, end));
        self.filled.sort_unstable();
        let mut merged: Vec<(usize, usize)> = Vec::new();
        for (start, stop) in self.filled.drain(..) {
            match merged.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(stop),
                _ => merged.push((start, stop)),
            }
        }
        self.filled = merged;
    }

    /// All bytes from the first one to the first gap.
    pub(crate) fn beginning(&self) -> &[u8] {
        match self.filled.first() {
            Some(&(0, end)) => &self.bytes[..end],
            _ => &[],
        }
    }

    /// Bytes that are there, with and without a gap before them.
    pub(crate) fn len(&self) -> usize {
        self.filled.iter().map(|(start, stop)| stop - start).sum()
    }

    /// Lets go of the first bytes: what follows becomes the beginning.
    pub(crate) fn skip(&mut self, count: usize) {
        self.bytes.drain(..count.min(self.bytes.len()));
        let moved = self.filled.drain(..).filter_map(|(start, stop)| {
            let stop = stop.checked_sub(count).filter(|&stop| stop > 0)?;
            Some((start.saturating_sub(count), stop))
        });
        self.filled = moved.collect();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_came_first_counts() {
        let mut pieces = Pieces::default();
        pieces.put(2, b"cd");
        pieces.put(1, b"XYZW");
        assert_eq!(pieces.beginning(), b"");
        pieces.put(0, b"a");
        assert_eq!(pieces.beginning(), b"aXcdW");
        pieces.skip(3);
        assert_eq!(pieces.beginning(), b"dW");
    }

    #[test]
    fn no_more_than_the_limit() {
        let mut pieces = Pieces::default();
        pieces.put(LIMIT - 1, b"ab");
        pieces.put(LIMIT, b"c");
        pieces.put(usize::MAX, b"d");
        for number in 0..1_000 {
            pieces.put(10 + 2 * number, b"x");
        }
        assert!(pieces.filled.len() <= MAX_PIECES + 1);
        pieces.put(0, &[7; LIMIT]);
        assert_eq!(pieces.beginning().len(), LIMIT);
    }

    proptest! {
        /// In every order, with every overlap.
        #[test]
        fn pieces_make_the_whole(
            whole in prop::collection::vec(any::<u8>(), 1..300),
            cuts in prop::collection::vec((0_usize..300, 1_usize..60), 0..20),
        ) {
            let mut pieces = Pieces::default();
            for (at, length) in cuts {
                let at = at % whole.len();
                let end = (at + length).min(whole.len());
                pieces.put(at, &whole[at..end]);
                prop_assert!(whole.starts_with(pieces.beginning()));
            }
            pieces.put(0, &whole);
            prop_assert_eq!(pieces.beginning(), &whole[..]);
        }
    }
}
