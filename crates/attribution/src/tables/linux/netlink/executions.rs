//! When processes execute programs, as the kernel reports it.
//!
//! The process events connector (`drivers/connector/cn_proc.c`) sends a message when a process has executed
//! a program: after the last instruction of the program before, and before the first one of the new
//! program. So a report tells exactly which of the two sent a packet. The kernel sends reports in the
//! first namespaces only: this process has to be in the first ones of users and of process ids, and
//! the socket in the first one of networks. Before Linux 6.6 it takes `CAP_NET_ADMIN`.

mod events;
mod open;
mod watcher;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use super::link::Link;
use crate::hash::NumberMap;
use crate::tables::fast_lookup::Executed;
use crate::tables::linux::procfs::proc::Proc;
use events::Event;
pub(crate) use watcher::ExecutionWatcher;

/// Processes of which the last report is kept: about as many as there are ids by default.
const MAX: usize = 32_768;
/// Reports that are kept for a reader that does not ask.
const MAX_NEWS: usize = 4_096;

/// A time by the clock of the reports (`CLOCK_MONOTONIC`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Monotonic(u64);

impl Monotonic {
    pub(crate) fn now() -> Self {
        let now = Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default();
        Self(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
    }

    /// The same time by the wall clock, as that is set now.
    pub(crate) fn wall_clock(self) -> SystemTime {
        /// Between two readings of the clock, if nothing came between.
        const AT_ONCE: u64 = 5_000;
        let (mut before, mut wall) = (Self::now(), SystemTime::now());
        for _ in 0..3 {
            let after = Self::now();
            if after.0.saturating_sub(before.0) < AT_ONCE {
                break;
            }
            (before, wall) = (after, SystemTime::now());
        }
        let age = Duration::from_nanos(before.0.saturating_sub(self.0));
        let ahead = Duration::from_nanos(self.0.saturating_sub(before.0));
        wall.checked_sub(age).unwrap_or(wall) + ahead
    }
}

/// What the reports say of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reported {
    /// When it executed a program last.
    pub(crate) last: Option<Monotonic>,
    /// Since when all reports were received.
    pub(crate) since: Monotonic,
    /// Until when some were missing, though this listened.
    pub(crate) lost_until: Option<Monotonic>,
}

impl Reported {
    /// Whether the process has executed a program after that time, if the reports tell.
    pub(crate) fn is_after(self, time: Monotonic) -> Option<bool> {
        if self.last.is_some_and(|last| last > time) {
            return Some(true);
        }
        (self.since <= time).then_some(false)
    }
}

/// Listens to the reports. Dropping it ends that.
#[derive(Debug)]
pub(crate) struct Executions {
    /// The kernel puts a report into the queue of the socket before the process goes on. To be sure
    /// that a report is not on its way between two threads, the lock is held while one takes it from
    /// there, which never waits.
    heard: Mutex<Heard>,
    /// Whether there is anything to be taken by the reader: to ask that costs nothing.
    has_news: AtomicBool,
}

#[derive(Debug)]
struct Heard {
    link: Link,
    buffer: Vec<u8>,
    since: Monotonic,
    lost_until: Option<Monotonic>,
    last: NumberMap<u32, Monotonic>,
    /// For the reader, if there is one.
    news: Option<News>,
}

/// Reports since the reader asked last.
#[derive(Debug, Default)]
pub(crate) struct News {
    pub(crate) executed: Vec<Executed>,
    /// Others are missing.
    pub(crate) is_incomplete: bool,
}

impl Executions {
    /// Begins to listen.
    ///
    /// # Errors
    /// Where the kernel does not report to this process.
    pub(crate) fn open(proc: &Proc) -> io::Result<Self> {
        let link = open::open(proc)?;
        Ok(Self {
            heard: Mutex::new(Heard {
                link,
                buffer: vec![0; events::MAX_LEN],
                since: Monotonic::now(),
                lost_until: None,
                last: NumberMap::default(),
                news: None,
            }),
            has_news: AtomicBool::new(false),
        })
    }

    /// What has been reported of a process until now. Whatever it executes until this is asked is
    /// known; a program that it is just about to begin is not.
    pub(crate) fn of(&self, pid: u32) -> Reported {
        let mut heard = self.lock();
        self.take_reports(&mut heard);
        Reported {
            last: heard.last.get(&pid).copied(),
            since: heard.since,
            lost_until: heard.lost_until,
        }
    }

    /// Whether one of these processes is reported to have executed a program after the time beside it.
    pub(crate) fn is_any_after(&self, processes: &[(u32, Monotonic)]) -> bool {
        let mut heard = self.lock();
        self.take_reports(&mut heard);
        let mut all = processes.iter();
        all.any(|(pid, time)| heard.last.get(pid).is_some_and(|last| last > time))
    }

    /// All reports since this was called last, for the only reader. `now`: including those that no
    /// thread has taken from the kernel yet.
    pub(crate) fn take_news(&self, now: bool) -> News {
        if now {
            self.take_reports(&mut self.lock());
        }
        // To write costs more than to read, and this is asked with each packet.
        if !self.has_news.load(Ordering::Relaxed) || !self.has_news.swap(false, Ordering::Acquire) {
            return News::default();
        }
        self.lock()
            .news
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// From now on there is a reader, who asks for news.
    fn begin_news(&self) {
        self.lock().news.get_or_insert_default();
    }

    /// What is guarded is whole between calls, also after a panic elsewhere.
    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what the kernel has reported.
    fn take_reports(&self, heard: &mut Heard) {
        let mut is_any_lost = false;
        while let Some(received) = heard.receive() {
            match received {
                Ok(Some(Event::Executed { pid, at })) => {
                    if heard.last.len() >= MAX {
                        heard.last.clear();
                        heard.lose();
                    }
                    heard.last.insert(pid, Monotonic(at));
                    if let Some(news) = &mut heard.news {
                        news.add(pid, Monotonic(at));
                        self.has_news.store(true, Ordering::Release);
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    if Errno::from_io_error(&error) == Some(Errno::NOBUFS) {
                        tracing::debug!("more programs were executed than could be reported");
                    } else {
                        tracing::warn!(%error, "reports of executed programs are missing");
                    }
                    is_any_lost = true;
                    if Errno::from_io_error(&error) != Some(Errno::NOBUFS) {
                        break;
                    }
                }
            }
        }
        // The kernel goes on to drop reports until all that it kept were taken.
        if is_any_lost {
            heard.lose();
            if let Some(news) = &mut heard.news {
                news.is_incomplete = true;
                self.has_news.store(true, Ordering::Release);
            }
        }
    }
}

impl Heard {
    /// Writes down that reports until now are missing.
    fn lose(&mut self) {
        self.since = Monotonic::now();
        self.lost_until = Some(self.since);
    }

    /// The next report; `None` if there is none now.
    fn receive(&mut self) -> Option<io::Result<Option<Event>>> {
        match self.link.receive(&mut self.buffer, false) {
            // Another process may send anything.
            Ok(received) if !received.is_from_kernel => Some(Ok(None)),
            Ok(received) => {
                let bytes = self.buffer.get(..received.length).unwrap_or_default();
                Some(Ok(events::event(bytes)))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Some(Ok(None)),
            Err(error) => Some(Err(error)),
        }
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        // Before Linux 6.6, the kernel goes on to make reports for nobody otherwise.
        if let Err(error) = self.link.send(&events::request(events::IGNORE)) {
            tracing::debug!(%error, "reports of executed programs were not ended");
        }
    }
}

impl News {
    fn add(&mut self, pid: u32, at: Monotonic) {
        if self.executed.len() >= MAX_NEWS {
            self.executed.clear();
            self.is_incomplete = true;
        }
        self.executed.push(Executed::new(pid, at.wall_clock()));
    }
}

#[cfg(test)]
mod tests;
