//! Scans many processes within limits: those with few descriptors first, then those with very many
//! in parts, taking turns between users and processes.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::aim::{Aim, Gaps};
use super::miss::Miss;
use super::wanted::Wanted;
use super::{FdScanner, MANY, lock};
use crate::tables::linux::procfs::proc::{FdStamp, Part, ReadBuffers};

/// How long one lookup scans processes of other users than the wanted one.
const AT_MOST: Duration = Duration::from_secs(1);

/// The processes that the first pass left over.
#[derive(Debug, Default)]
struct Left {
    gaps: Gaps,
    failed: Vec<u32>,
    /// Processes with very many descriptors.
    large: Vec<u32>,
}

/// The progress through the descriptors of a process that has very many: from some position to the
/// end, and on from the start.
#[derive(Debug)]
struct Sweep {
    pid: u32,
    start: u32,
    at: u32,
    is_past_end: bool,
    /// The number and stamp of the first scan.
    first: Option<(u64, FdStamp)>,
}

impl FdScanner {
    /// Scans the descriptors of processes: those of the wanted user first, and the youngest first.
    pub(super) fn scan_each(
        &self,
        mut pids: Vec<u32>,
        aim: Aim<'_>,
        buffers: &mut ReadBuffers,
    ) -> Gaps {
        let uid = match aim {
            Aim::All => 0,
            Aim::One(wanted) => wanted.uid,
        };
        {
            let index = self.index();
            pids.sort_by_cached_key(|pid| {
                let owner = index.scanned(*pid).map(|known| known.stamp.owner);
                (owner.is_some_and(|owner| owner != uid), Reverse(*pid))
            });
        }
        let left = Mutex::new(Left::default());
        let (next, began) = (AtomicUsize::new(0), Instant::now());
        let scan = |buffers: &mut ReadBuffers| {
            while let Some(pid) = pids.get(next.fetch_add(1, Ordering::Relaxed)) {
                if matches!(aim, Aim::One(_)) && began.elapsed() > AT_MOST {
                    lock(&left).gaps.unread = true;
                    return;
                }
                self.scan_one(*pid, aim, &left, buffers);
            }
        };
        if pids.len() < MANY {
            scan(buffers);
        } else {
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            let threads = threads.min(pids.len() / (MANY / 2)).min(8);
            std::thread::scope(|scope| {
                for _ in 1..threads {
                    let helping = || {
                        self.ignore_this_thread();
                        scan(&mut ReadBuffers::default());
                    };
                    // If no thread can be started, this one does all the work.
                    let started = std::thread::Builder::new().spawn_scoped(scope, helping);
                    drop(started.inspect_err(|error| tracing::debug!(%error, "no thread")));
                }
                scan(buffers);
            });
        }
        let left = left.into_inner();
        let left = left.unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut gaps = self.scan_failed(left.failed, left.gaps, buffers);
        if let Aim::One(wanted) = aim {
            gaps.unread |= !self.sweep(left.large, wanted, buffers);
        }
        gaps
    }

    fn scan_one(&self, pid: u32, aim: Aim<'_>, left: &Mutex<Left>, buffers: &mut ReadBuffers) {
        let part = match aim {
            Aim::All => Part::Whole,
            Aim::One(_) => Part::End,
        };
        let mut is_large = false;
        let begun = self.begin_scan(pid, part, buffers);
        let taken = begun.and_then(|scan| {
            is_large = !scan.is_whole();
            self.finish_scan(scan, buffers)
        });
        match taken {
            Ok(()) if is_large => lock(left).large.push(pid),
            Ok(()) => {}
            Err(Miss::Gone) => {
                lock(left).gaps.vanished = true;
                self.index().forget_gone(pid);
            }
            Err(Miss::Failed(_)) => lock(left).failed.push(pid),
        }
    }

    /// Repeats failed scans: on one thread, and with the descriptors that are reserved for this.
    fn scan_failed(&self, failed: Vec<u32>, mut gaps: Gaps, buffers: &mut ReadBuffers) -> Gaps {
        if failed.is_empty() {
            return gaps;
        }
        let _room = self.proc.make_room();
        let (mut missed, mut last) = (0, None);
        for pid in failed {
            match self.scan(pid, Part::End, buffers) {
                Ok(()) => {}
                Err(Miss::Gone) => gaps.vanished = true,
                Err(Miss::Failed(error)) => {
                    self.index().forget_unread(pid);
                    (missed, last) = (missed + 1, Some(error));
                }
            }
        }
        if let Some(error) = last {
            gaps.failed = true;
            // Only a new list finds an unknown process again.
            *lock(&self.listed_until) = None;
            tracing::warn!(missed, %error, "cannot read all processes");
        }
        gaps
    }

    /// Scans processes with very many descriptors in turns, as long as there is time. True if that
    /// covered all.
    fn sweep(&self, large: Vec<u32>, wanted: &Wanted, buffers: &mut ReadBuffers) -> bool {
        let mut users = self.by_user(large, wanted.uid);
        while let Some((user, mut sweeps)) = users.pop_front() {
            let Some(mut sweep) = sweeps.pop_front() else {
                continue;
            };
            let began = Instant::now();
            let is_enough = wanted.first_is_enough && self.is_held(wanted);
            if is_enough || !lock(&self.budget).has_any(began) {
                return false;
            }
            let is_more = self.sweep_on(&mut sweep, buffers);
            lock(&self.budget).spend(began.elapsed());
            if is_more {
                sweeps.push_back(sweep);
            }
            users.push_back((user, sweeps));
        }
        true
    }

    /// The unread parts of each user's processes, with this user first.
    fn by_user(&self, pids: Vec<u32>, first: u32) -> VecDeque<(u32, VecDeque<Sweep>)> {
        let mut users: VecDeque<(u32, VecDeque<Sweep>)> = VecDeque::new();
        let index = self.index();
        for pid in pids {
            let owner = index.scanned(pid).map_or(0, |known| known.stamp.owner);
            let start = index.cursor(pid);
            let sweep = Sweep {
                pid,
                start,
                at: start,
                is_past_end: false,
                first: None,
            };
            match users.iter_mut().find(|(user, _)| *user == owner) {
                Some((_, sweeps)) => sweeps.push_back(sweep),
                None if owner == first => users.push_front((owner, [sweep].into())),
                None => users.push_back((owner, [sweep].into())),
            }
        }
        users
    }

    /// Reads a part. False if none is left.
    fn sweep_on(&self, sweep: &mut Sweep, buffers: &mut ReadBuffers) -> bool {
        let pid = sweep.pid;
        let begun = self.begin_scan(pid, Part::From(sweep.at), buffers);
        let Ok(scan) = begun else {
            return false;
        };
        let &mut (number, stamp) = sweep.first.get_or_insert(scan.number_and_stamp());
        let next = scan.next();
        if self.finish_scan(scan, buffers).is_err() {
            return false;
        }
        sweep.at = next.unwrap_or_default();
        sweep.is_past_end |= next.is_none();
        let index = &mut *self.index();
        if sweep.is_past_end && sweep.at >= sweep.start {
            index.complete(pid, number, stamp);
            return false;
        }
        index.set_cursor(pid, sweep.at);
        true
    }
}
