//! The search for further holders of the sockets of named processes: a process may pass a descriptor on
//! and keep its own, and the kernel does not report that.
//!
//! A search reads the descriptors of each process that has run since the last one: no other one can have
//! received a descriptor, or have sent anything. Tables with very many descriptors are read in parts, in
//! turns, so one search covers all of the others, however long these take.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::coverage::{Coverage, Facts, Reading};
use super::miss::Miss;
use super::{FdScanner, lock};
use crate::answer::Process;
use crate::observers::linux::sched;
use crate::policy::freshness::START_TIME_ERROR;
use crate::tables::linux::procfs::cpu_time::cpu_time;
use crate::tables::linux::procfs::proc::{Part, ReadBuffers};

/// The processes that hold a socket beside those that an answer names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Others {
    /// None is known.
    None,
    /// All of them started after the answer.
    New,
    /// One was there before the answer, and may have sent as much as the named processes.
    Old,
}

impl FdScanner {
    /// Searches all processes that have run since the last search, and reads tables with very many
    /// descriptors for so much CPU time.
    pub(crate) fn search_others(
        &self,
        coverage: &mut Coverage,
        for_large: Duration,
        buffers: &mut ReadBuffers,
    ) {
        let began = Instant::now();
        let (mut pids, is_listed) = self.living(self.has_new_processes(), buffers);
        pids.sort_unstable();
        coverage.forget_all_but(&pids);
        for pid in pids {
            self.search_process(pid, coverage, buffers);
        }
        let until = sched::cpu_time() + for_large;
        while sched::cpu_time() < until
            && let Some(reading) = coverage.next()
        {
            self.search_part(reading, coverage, buffers);
        }
        if is_listed {
            *lock(&self.covered_until) = coverage.until(began);
            *lock(&self.refreshed) = Some(began);
        }
    }

    fn search_process(&self, pid: u32, coverage: &mut Coverage, buffers: &mut ReadBuffers) {
        let (now, number) = (Instant::now(), self.next_check());
        let Ok(stamp) = self.proc.stamp(pid) else {
            self.index().forget_gone(pid);
            return coverage.forget(pid);
        };
        let facts = Facts {
            stamp,
            cpu_time: cpu_time(pid).filter(|_| self.sees_own_ids),
        };
        if coverage.is_unchanged(pid, facts, now) || coverage.is_being_read(pid) {
            return;
        }
        let begun = self.begin_scan(pid, Part::End, buffers);
        let taken = begun.and_then(|scan| {
            let is_whole = scan.is_whole();
            self.finish_scan(scan, buffers).map(|()| is_whole)
        });
        match taken {
            Ok(true) => coverage.add(pid, facts, now),
            Ok(false) => coverage.begin(Reading {
                pid,
                began: now,
                facts,
                number,
                at: 0,
            }),
            Err(Miss::Gone) => {
                self.index().forget_gone(pid);
                coverage.forget(pid);
            }
            // It stays to be read.
            Err(Miss::Failed(error)) => tracing::debug!(%error, pid, "not searched"),
        }
    }

    fn search_part(&self, reading: Reading, coverage: &mut Coverage, buffers: &mut ReadBuffers) {
        let begun = self.begin_scan(reading.pid, Part::From(reading.at), buffers);
        let taken = begun.and_then(|scan| {
            let next = scan.next();
            self.finish_scan(scan, buffers).map(|()| next)
        });
        match taken {
            Ok(next) => {
                if next.is_none() {
                    let Reading {
                        pid, number, facts, ..
                    } = reading;
                    self.index().complete(pid, number, facts.stamp);
                }
                coverage.read(reading, next);
            }
            Err(Miss::Gone) => coverage.forget(reading.pid),
            // The next search begins with it again.
            Err(Miss::Failed(error)) => {
                tracing::debug!(%error, pid = reading.pid, "not searched");
            }
        }
    }

    /// The wall-clock time until which a search has covered all processes but those that are named for
    /// a socket, so that it has found every other process that held the socket at that time.
    pub(crate) fn searched_until(&self, named: &[Arc<Process>]) -> SystemTime {
        let is_named = |pid: u32| named.iter().any(|named| named.pid == pid);
        let until = lock(&self.covered_until).without(is_named);
        // The wall clock may have been set since.
        let until = until.and_then(|until| SystemTime::now().checked_sub(until.elapsed()));
        until.unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// The processes that are known to hold a socket beside the named ones, or to have held it since
    /// they were named.
    pub(crate) fn known_others(
        &self,
        named: &[Arc<Process>],
        inode: u32,
        named_at: SystemTime,
    ) -> Others {
        let is_other = |pid: u32| named.iter().all(|named| named.pid != pid);
        let holders = self.index().holders(inode);
        let others = holders.iter().filter(|holder| is_other(holder.pid));
        let holding = others.filter(|other| self.is_seen(inode, other, u64::MAX));
        let ages = holding.map(|other| {
            let index = self.index();
            let known = index.scanned(other.pid);
            let process = known.and_then(|known| known.process.as_deref());
            process.map_or(Others::Old, |process| age(process, named_at))
        });
        let age_of_holders = ages.max().unwrap_or(Others::None);
        if age_of_holders == Others::Old {
            return Others::Old;
        }
        // A process that started since may have had it for a moment only, before execve(2).
        let since = SystemTime::now().duration_since(named_at).ok();
        let since = since.and_then(|since| Instant::now().checked_sub(since));
        let was_held = since.is_some_and(|since| {
            let index = self.index();
            let mut recent = index.recent_owners.since(inode, since);
            recent.any(|one| is_other(one.pid) && age(one, named_at) == Others::Old)
        });
        if was_held {
            Others::Old
        } else {
            age_of_holders
        }
    }
}

fn age(process: &Process, named_at: SystemTime) -> Others {
    let is_new = |started: SystemTime| started > named_at + START_TIME_ERROR;
    match process.started {
        Some(started) if is_new(started) => Others::New,
        _ => Others::Old,
    }
}
