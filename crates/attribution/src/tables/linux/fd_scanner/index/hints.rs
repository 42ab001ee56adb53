//! The processes that may hold a new socket.

use std::collections::VecDeque;
use std::time::Instant;

use crate::policy::freshness::NEW_PROCESS_WINDOW;
use crate::tables::linux::fd_scanner::wanted::Kind;

/// The number of new processes that a search scans again.
const MAX_YOUNG: usize = 128;
/// The number of new ids that one lookup scans.
const MAX_NEW: u32 = 256;
/// The number of processes with recent hits, which a search tries first.
const MAX_WINNERS: usize = 16;

/// The processes to try first, in this order.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    newest: Option<u32>,
    /// Newest first.
    new_ids: VecDeque<u32>,
    /// New ids that a thread is scanning, perhaps another one.
    taken: VecDeque<u32>,
    young: VecDeque<(u32, Instant)>,
    winners: VecDeque<Winner>,
    descriptors: Vec<u32>,
}

/// A process with a hit, and the descriptor of the hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Winner {
    kind: Kind,
    pid: u32,
    descriptor: u32,
}

impl Hints {
    /// Forgets a process that has exited.
    pub(super) fn forget(&mut self, pid: u32) {
        self.young.retain(|(young, _)| *young != pid);
        self.winners.retain(|winner| winner.pid != pid);
    }

    /// Records the newest id. The ids since the last call are new.
    pub(crate) fn note_newest(&mut self, newest: u32) {
        let last = self.newest.replace(newest);
        let oldest = newest.saturating_sub(MAX_NEW);
        // The newest id is smaller than the last one: ids have started again from the bottom.
        let first = last.filter(|last| *last <= newest).unwrap_or(oldest);
        for id in first.max(oldest).saturating_add(1)..=newest {
            self.new_ids.push_front(id);
        }
        self.new_ids.truncate(MAX_NEW as usize);
    }

    /// Sets where new ids begin, if that is not known yet.
    pub(crate) fn begin_after(&mut self, newest: u32) {
        self.newest.get_or_insert(newest);
    }

    /// The newest ids whose descriptors are not known yet.
    pub(crate) fn newest_ids(&self) -> Vec<u32> {
        const MOST: usize = 16;
        let ids = self.taken.iter().chain(&self.new_ids);
        ids.take(MOST).copied().collect()
    }

    /// The ids that no scan has read, newest first.
    pub(crate) fn new_ids(&self) -> Vec<u32> {
        self.new_ids.iter().copied().collect()
    }

    /// Records that a scan has read this id.
    pub(crate) fn remove_new(&mut self, id: u32) {
        self.new_ids.retain(|new| *new != id);
        self.taken.retain(|taken| *taken != id);
    }

    /// The newest id that no scan has read. It stays in the list until
    /// [`remove_new`](Self::remove_new).
    pub(crate) fn take_new(&mut self) -> Option<u32> {
        let id = self.new_ids.pop_front()?;
        self.taken.truncate(MAX_NEW as usize - 1);
        self.taken.push_front(id);
        Some(id)
    }

    /// Remembers a new process.
    pub(crate) fn add_young(&mut self, pid: u32, now: Instant) {
        if self.young.len() == MAX_YOUNG {
            self.young.pop_back();
        }
        self.young.push_front((pid, now));
    }

    /// The processes that still count as new, youngest first.
    pub(crate) fn young(&mut self, now: Instant) -> Vec<u32> {
        let is_old = |(_, since): &(u32, Instant)| now.duration_since(*since) > NEW_PROCESS_WINDOW;
        while self.young.back().is_some_and(is_old) {
            self.young.pop_back();
        }
        self.young.iter().map(|(pid, _)| *pid).collect()
    }

    /// Remembers the process and descriptor of a hit.
    pub(crate) fn add_winner(&mut self, kind: Kind, pid: u32, descriptor: u32) {
        let winner = Winner {
            kind,
            pid,
            descriptor,
        };
        if self.winners.front() == Some(&winner) {
            return;
        }
        self.winners.retain(|other| *other != winner);
        self.winners.truncate(MAX_WINNERS - 1);
        self.winners.push_front(winner);
    }

    /// The latest hits by pid and descriptor, each once: for sockets of this kind first.
    pub(crate) fn winners(&self, kind: Kind) -> Vec<(u32, u32)> {
        let is_same = |winner: &&Winner| winner.kind == kind;
        let same = self.winners.iter().filter(is_same);
        let others = self.winners.iter().filter(|winner| !is_same(winner));
        let mut slots = Vec::with_capacity(self.winners.len());
        for winner in same.chain(others) {
            let slot = (winner.pid, winner.descriptor);
            if !slots.contains(&slot) {
                slots.push(slot);
            }
        }
        slots
    }

    /// The processes with the latest hits, each once.
    pub(crate) fn winning(&self) -> Vec<u32> {
        let mut pids = Vec::new();
        for winner in &self.winners {
            if !pids.contains(&winner.pid) {
                pids.push(winner.pid);
            }
        }
        pids
    }

    /// The descriptor numbers of the latest hits in new processes: a starting program has few files
    /// open, so the number is often the same.
    pub(crate) fn likely_descriptors(&self) -> Vec<u32> {
        // The first number after standard input, output and error.
        const FIRST: u32 = 3;
        if self.descriptors.is_empty() {
            return vec![FIRST];
        }
        self.descriptors.clone()
    }

    /// Remembers the descriptor number of a hit in a new process.
    pub(crate) fn add_likely(&mut self, descriptor: u32) {
        const MOST: usize = 2;
        self.descriptors.retain(|likely| *likely != descriptor);
        self.descriptors.truncate(MOST - 1);
        self.descriptors.insert(0, descriptor);
    }
}
