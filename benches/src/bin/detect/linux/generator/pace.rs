//! So many bytes, at a rate.

use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct Pace {
    total: u64,
    done: u64,
    /// Bytes a second; 0: as fast as it goes.
    rate: u64,
    begin: Instant,
}

impl Pace {
    pub(crate) fn new(total: u64, rate: u64) -> Self {
        Self {
            total,
            done: 0,
            rate,
            begin: Instant::now(),
        }
    }

    /// Waits until it is time for the next piece, of at most `most` bytes. `None` when all is
    /// done.
    pub(crate) fn next(&mut self, most: usize) -> Option<usize> {
        let left = usize::try_from(self.total - self.done).unwrap_or(usize::MAX);
        if left == 0 {
            return None;
        }
        if let Some(nanoseconds) = (self.done * 1_000_000_000).checked_div(self.rate) {
            let due = self.begin + Duration::from_nanos(nanoseconds);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        let piece = left.min(most);
        self.done += piece as u64;
        Some(piece)
    }
}
