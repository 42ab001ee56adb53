//! Connects the capture thread with the writing thread.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flowner_capture::{PacketOrigin, RawPacket};

use super::pending::{Bounds, PendingPackets};
use crate::model::packet_ref::PacketRef;

const BOUNDS: Bounds = Bounds {
    min_age: Duration::from_millis(20),
    max_age: Duration::from_millis(500),
    bytes: 16 << 20,
    max_bytes: 64 << 20,
};
/// The size of a packet beside its bytes.
const OVERHEAD: usize = 128;
/// The number of packets in a batch.
const BATCH: usize = 256;

/// The results for the packets. Each captured packet is in exactly one of the first four, or still
/// waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecordingStats {
    /// Packets that were written. Before the end these may still wait to be flushed to the
    /// operating system; if that fails, they become [`failed`](Self::failed).
    pub written: u64,
    /// Packets that do not match the filter.
    pub left_out: u64,
    /// Packets that were dropped because the output was too slow.
    pub too_slow: u64,
    /// Packets that were dropped because the output failed.
    pub failed: u64,
    /// Bytes of all files so far.
    pub bytes: u64,
    /// Packets that were written and name a process.
    pub named: u64,
    /// Files that were begun.
    pub files: u64,
}

/// Takes packets without waiting, and returns them when their owners are known.
#[derive(Debug)]
pub(crate) struct Recorder {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Debug)]
struct State {
    hold: PendingPackets<Captured>,
    /// The number of answers so far.
    answers: u64,
    /// The owner of the oldest packet was not settled, and no answer came since.
    is_unsettled: bool,
    /// No more packets come.
    has_ended: bool,
    /// The writing thread has stopped.
    has_failed: bool,
    stats: RecordingStats,
}

/// A packet, copied from the capture buffer.
#[derive(Debug)]
pub(super) struct Captured {
    pub(super) time: Duration,
    pub(super) wire_len: u32,
    pub(super) origin: PacketOrigin,
    pub(super) data: Box<[u8]>,
    pub(super) flow: Option<PacketRef>,
}

/// The next task of the writing thread.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Check the oldest packets.
    Check,
    /// Flush the written packets.
    Flush,
    /// Stop: there are no packets, and none will come.
    End,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                hold: PendingPackets::new(BOUNDS),
                answers: 0,
                is_unsettled: false,
                has_ended: false,
                has_failed: false,
                stats: RecordingStats::default(),
            }),
            news: Condvar::new(),
        }
    }

    /// Takes a packet. `now` is from a monotonic clock.
    pub(crate) fn push(&self, packet: &RawPacket<'_>, flow: Option<PacketRef>, now: Duration) {
        let captured = Captured {
            time: packet.time,
            wire_len: packet.wire_len,
            origin: packet.origin,
            data: packet.data.into(),
            flow,
        };
        let bytes = OVERHEAD + packet.data.len();
        let mut state = self.state();
        if state.has_failed {
            state.stats.failed += 1;
            return;
        }
        let was_empty = state.hold.is_empty();
        state.is_unsettled &= !was_empty;
        state.hold.push(captured, bytes, now);
        let is_urgent = was_empty || state.hold.is_over_bound();
        drop(state);
        if is_urgent {
            self.news.notify_one();
        }
    }

    /// Records that an answer came.
    pub(crate) fn answered(&self) {
        let mut state = self.state();
        state.answers += 1;
        if std::mem::take(&mut state.is_unsettled) {
            drop(state);
            self.news.notify_one();
        }
    }

    /// Records that no more packets come.
    pub(crate) fn end(&self) {
        self.state().has_ended = true;
        self.news.notify_one();
    }

    pub(crate) fn stats(&self) -> RecordingStats {
        let state = self.state();
        RecordingStats {
            too_slow: state.hold.refused(),
            ..state.stats
        }
    }

    /// Adds results of packets.
    pub(super) fn count(&self, add: impl FnOnce(&mut RecordingStats)) {
        add(&mut self.state().stats);
    }

    /// From here on, all packets fail, including those that wait.
    pub(super) fn fail(&self) {
        let mut state = self.state();
        state.has_failed = true;
        while state.hold.take().is_some() {
            state.stats.failed += 1;
        }
    }

    /// The flows of the oldest packets that may leave, and the number of answers so far.
    pub(super) fn ripe(&self, now: Duration) -> (Vec<Option<PacketRef>>, u64) {
        let state = self.state();
        let ripe = state.hold.ripe(now).map(|packet| packet.flow);
        (ripe.take(BATCH).collect(), state.answers)
    }

    /// Takes the oldest packets. `is_settled` has, for each [`ripe`](Self::ripe) packet, whether it
    /// need not wait for its owners, as of `answers` answers.
    pub(super) fn take(&self, is_settled: &[bool], answers: u64, now: Duration) -> Vec<Captured> {
        let mut state = self.state();
        let mut taken = Vec::with_capacity(is_settled.len());
        for is_settled in is_settled {
            let Some(packet) = state.hold.pop(now, |_| *is_settled) else {
                state.is_unsettled = !is_settled && state.answers == answers;
                break;
            };
            taken.push(packet);
        }
        taken
    }

    /// Waits until there is something to do, at most until it is time to flush.
    pub(super) fn wait(&self, flush: Option<Duration>, clock: &impl Fn() -> Duration) -> Turn {
        let mut state = self.state();
        loop {
            let now = clock();
            let check = state.hold.next_check(state.is_unsettled);
            if check.is_some_and(|check| check <= now) {
                return Turn::Check;
            }
            if flush.is_some_and(|flush| flush <= now) {
                return Turn::Flush;
            }
            if check.is_none() && state.has_ended {
                return Turn::End;
            }
            let until = check.into_iter().chain(flush).min();
            state = match until {
                None => self
                    .news
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let waited = self.news.wait_timeout(state, until.saturating_sub(now));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
