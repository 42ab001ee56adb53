//! A thread that searches for further holders of sockets, when a confirmation needs to know them. It
//! sleeps while none does.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::observers::linux::sched;
use crate::policy::freshness::OTHER_HOLDERS;
use crate::policy::time_budget::TimeBudget;
use crate::tables::linux::fd_scanner::FdScanner;
use crate::tables::linux::fd_scanner::coverage::Coverage;
use crate::tables::linux::procfs::proc::ReadBuffers;
use crate::tables::linux::sys::System;

/// The time of one CPU that searches take at most: a burst, which is about as much as the first search
/// takes on a host with many processes, and one part of `SHARE` of the time.
const BUDGET: Duration = Duration::from_millis(100);
const SHARE: u32 = 32;
/// How much of it a search takes to read tables with very many descriptors.
const AT_MOST: Duration = Duration::from_millis(10);

/// Searches for further holders until it is dropped.
#[derive(Debug)]
pub(super) struct OthersSearch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_wanted: bool,
    is_over: bool,
}

impl OthersSearch {
    /// Starts the thread.
    pub(super) fn start(scanner: Arc<FdScanner>) -> io::Result<Self> {
        let shared: Arc<Shared> = Arc::default();
        let (its, system) = (Arc::clone(&shared), System::of_this_thread());
        let thread = std::thread::Builder::new()
            .name("flowner-holders".to_owned())
            .spawn(move || {
                system.take_over();
                its.run(&scanner);
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Makes a search begin that covers everything until now, as soon as the last one was long enough
    /// ago. Returns at once.
    pub(super) fn want(&self) {
        self.shared.want();
    }
}

impl Shared {
    fn want(&self) {
        let was_wanted = std::mem::replace(&mut self.lock().is_wanted, true);
        if !was_wanted {
            self.changed.notify_one();
        }
    }

    fn run(&self, scanner: &FdScanner) {
        let (mut coverage, mut buffers) = (Coverage::default(), ReadBuffers::default());
        let mut budget = TimeBudget::full(BUDGET, SHARE, Instant::now());
        // The first search reads everything: flows do not wait for that.
        self.want();
        while self.is_wanted() {
            let began = sched::cpu_time();
            scanner.search_others(&mut coverage, AT_MOST, &mut buffers);
            budget.spend(sched::cpu_time().saturating_sub(began));
            let rest = OTHER_HOLDERS.max(budget.any_within(Instant::now()));
            if self.is_over_within(rest) {
                return;
            }
        }
    }

    /// Waits until a search is wanted; false if none will be.
    fn is_wanted(&self) -> bool {
        let is_idle = |state: &mut State| !state.is_wanted && !state.is_over;
        let waited = self.changed.wait_while(self.lock(), is_idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_wanted = false;
        !state.is_over
    }

    /// Waits for so long, however often a search is wanted meanwhile.
    fn is_over_within(&self, time: Duration) -> bool {
        let is_going_on = |state: &mut State| !state.is_over;
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), time, is_going_on);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_over
    }

    /// Between calls the guarded data is consistent, even after a panic elsewhere.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OthersSearch {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_one();
        let thread = self.thread.take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that searches for holders of sockets has panicked");
        }
    }
}
