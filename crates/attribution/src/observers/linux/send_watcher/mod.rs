//! Looks up the sender of the first packet of a flow, on the CPU that sends it.
//!
//! A process that sends a request and exits when the answer arrives lives for about 100 µs after
//! its first packet. Waking a thread on another CPU takes half of that, or milliseconds if that CPU
//! is busy. A thread that is bound to the sender's own CPU, with a higher scheduling priority, runs
//! before the sender continues. So there is one thread for each CPU, and the kernel gives each
//! thread the packets that its CPU sends.
//!
//! The threads push their results as observations. [`WatchTable`] records the flows that they have
//! looked up, and those whose lookup is under way. It is not part of the policy's pending set: a
//! send watcher checks it while the sender waits for its CPU, and a thread that the watcher has
//! just preempted may hold the lock of the policy.

mod headers;
mod packets;
mod watch_table;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use crate::answer::{Ownership, Reason, SocketQuery, Source};
use crate::observers::linux::sched;
use crate::observers::linux::wake_fd::WakeFd;
use crate::observers::{Observer, OnObservation};
use crate::policy::freshness::{OBSERVED_SENDER, SENT_WITHOUT_PORT};
use crate::policy::time_budget::TimeBudget;
use crate::policy::{Initiator, LookupRequest, Observation, ObservationKind};
use packets::Packets;
use watch_table::{Found, WatchTable, Watched};

/// The CPU time that a send watcher may use: a burst, and one part of `SHARE` of the time. Past
/// that, it rests for a while.
const BUDGET: Duration = Duration::from_millis(20);
const SHARE: u32 = 8;
/// The same for datagrams that turn out to belong to a known flow, because each of them wakes the
/// thread.
const IDLE_BUDGET: Duration = Duration::from_millis(10);
const IDLE_SHARE: u32 = 50;
const REST: Duration = Duration::from_millis(50);
/// How old a packet may be while the capture thread still waits for its lookup to begin or to end.
const WAKING: Duration = Duration::from_micros(200);
const PATIENCE: Duration = Duration::from_micros(500);
/// The largest number of CPUs for which the threads are worth their cost.
const MAX: usize = 64;

/// Looks up the owner of a socket, in microseconds.
pub(crate) trait SenderLookup: Send + 'static {
    /// Another lookup, for another thread.
    fn another(&self) -> Option<Self>
    where
        Self: Sized;

    /// The owner of the socket that has just sent a packet, as far as an immediate lookup finds it.
    fn sender(&mut self, query: &SocketQuery, sent: SentHere) -> Option<Ownership>;

    /// Whether the sender is in this network namespace, whose packets the watchers receive.
    fn is_sent_here(&mut self, query: &SocketQuery) -> bool;
}

/// How the packet of a sender was sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SentHere {
    /// The number of the CPU that sent the packet. This thread runs on it.
    pub(crate) cpu: usize,
    /// The kernel's wall-clock time of the packet.
    pub(crate) at: Option<SystemTime>,
    /// Whether this thread preempts all threads without real-time priority: none of them has run
    /// since the packet.
    pub(crate) is_realtime: bool,
}

/// One send watcher for each CPU, once started. Dropping this ends them.
pub(crate) struct SendWatchers<L> {
    lookup: L,
    realtime: bool,
    started: Option<Started>,
}

impl<L> fmt::Debug for SendWatchers<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendWatchers")
            .field("started", &self.started)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Started {
    shared: Arc<Shared>,
    wake_fd: WakeFd,
    threads: Vec<JoinHandle<()>>,
}

/// What the send watchers and the capture thread share.
#[derive(Debug, Default)]
struct Shared {
    table: Mutex<WatchTable>,
    /// The number of watchers that rest, for a while or for good.
    resting: AtomicUsize,
}

impl<L: SenderLookup> SendWatchers<L> {
    /// Send watchers that are not started yet, each with its own lookup.
    pub(crate) const fn new(lookup: L, realtime: bool) -> Self {
        Self {
            lookup,
            realtime,
            started: None,
        }
    }

    /// `None` if this process may not read packets or bind threads to CPUs.
    fn try_start(&self, on_observation: &OnObservation) -> Option<Started> {
        let count = sched::cpus().filter(|count| (2..=MAX).contains(count))?;
        let opened = Packets::open_each(count);
        let packets = opened.inspect_err(|error| {
            tracing::debug!(%error, "no send watcher runs: first packets cannot be read");
        });
        let mut started = Started {
            shared: Arc::default(),
            wake_fd: WakeFd::new().ok()?,
            threads: Vec::with_capacity(count),
        };
        for (cpu, packets) in packets.ok()?.into_iter().enumerate() {
            let watcher = SendWatcher {
                cpu,
                realtime: self.realtime,
                packets,
                wake_fd: started.wake_fd.clone(),
                lookup: self.lookup.another()?,
                shared: Arc::clone(&started.shared),
                on_observation: Arc::clone(on_observation),
            };
            let thread = std::thread::Builder::new()
                .name(format!("flowner-watch-{cpu}"))
                .spawn(move || watcher.run());
            started.threads.push(thread.ok()?);
        }
        Some(started)
    }
}

impl<L: SenderLookup> Observer for SendWatchers<L> {
    fn start(&mut self, on_observation: OnObservation) {
        self.started = self.try_start(&on_observation);
    }

    fn expect(&mut self, request: &LookupRequest) -> Option<Duration> {
        let shared = &self.started.as_ref()?.shared;
        let query = &request.query;
        match request.initiator {
            Initiator::Local => {}
            Initiator::Remote => {
                // An end that has received a datagram first needs no lookup when it answers.
                if query.protocol().is_datagram() {
                    lock(&shared.table).add_server(query, Instant::now());
                }
                return None;
            }
            Initiator::Unknown => return None,
        }
        let is_portless = !query.protocol().has_ports();
        let watched = lock(&shared.table).watched(query, request.packet_time, Instant::now());
        let patience = match watched {
            Watched::Done => return None,
            Watched::NotYet if shared.resting.load(Ordering::Relaxed) > 0 => return None,
            // No fast lookup names the sender: only one that begins so soon, as long as it counts.
            Watched::NotYet if is_portless => SENT_WITHOUT_PORT,
            Watched::UnderWay if is_portless => OBSERVED_SENDER,
            Watched::NotYet => WAKING,
            Watched::UnderWay => PATIENCE,
        };
        let age = SystemTime::now().duration_since(request.packet_time).ok()?;
        let left = patience.checked_sub(age).filter(|left| !left.is_zero())?;
        let may_come = watched == Watched::UnderWay || self.lookup.is_sent_here(query);
        may_come.then_some(left)
    }
}

/// Tests whether threads may take real-time priority, with one that ends at once.
pub(crate) fn try_realtime() -> std::io::Result<()> {
    let trial = std::thread::Builder::new().name("flowner-priority".to_owned());
    let trial = trial.spawn(sched::take_realtime)?;
    let taken = trial.join();
    taken.unwrap_or_else(|_panicked| Err(std::io::ErrorKind::Other.into()))
}

impl Drop for Started {
    fn drop(&mut self) {
        self.wake_fd.wake();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a send watcher has panicked");
            }
        }
    }
}

struct SendWatcher<L> {
    cpu: usize,
    realtime: bool,
    packets: Packets,
    wake_fd: WakeFd,
    lookup: L,
    shared: Arc<Shared>,
    on_observation: OnObservation,
}

impl<L: SenderLookup> SendWatcher<L> {
    fn run(mut self) {
        if let Err(error) = sched::bind_to(self.cpu) {
            // On another CPU it would only compete with other threads.
            self.shared.resting.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(%error, "a thread could not be bound to its CPU");
            return;
        }
        // From now on, whether the thread has real-time priority.
        self.realtime = self.realtime && sched::raise_to_highest_priority();
        if !self.realtime {
            sched::raise_priority();
        }
        let now = Instant::now();
        let mut budget = TimeBudget::full(BUDGET, SHARE, now);
        let mut idle_budget = TimeBudget::full(IDLE_BUDGET, IDLE_SHARE, now);
        let mut spent = sched::cpu_time();
        while self.packets.wait(&self.wake_fd) {
            let now = Instant::now();
            if budget.has_any(now) && idle_budget.has_any(now) {
                let packet = self.packets.receive();
                let found = packet.and_then(|packet| {
                    let query = headers::sender(packet.start)?;
                    Some((query.on_device(packet.device).as_sender(), packet.at))
                });
                let is_new = found.is_some_and(|(query, at)| self.look_up(query, at, now));
                // Counts all of it: waking up costs more than finding out that there is nothing
                // new.
                let before = std::mem::replace(&mut spent, sched::cpu_time());
                let spent = spent.saturating_sub(before);
                if is_new {
                    budget.spend(spent);
                } else {
                    idle_budget.spend(spent);
                }
            } else {
                self.shared.resting.fetch_add(1, Ordering::Relaxed);
                let is_over = self.wake_fd.is_woken_within(REST);
                self.shared.resting.fetch_sub(1, Ordering::Relaxed);
                if is_over {
                    return;
                }
                // The senders of packets that came in the meantime have continued.
                self.packets.drain();
            }
        }
    }

    /// Looks up a sender unless a recent lookup covers it. Returns whether it did.
    fn look_up(&mut self, query: SocketQuery, sent_at: Option<SystemTime>, now: Instant) -> bool {
        let at = SystemTime::now();
        let is_new = lock(&self.shared.table).begin(&query, now, at);
        if is_new {
            let sent = SentHere {
                cpu: self.cpu,
                at: sent_at,
                is_realtime: self.realtime,
            };
            let owner = self.lookup.sender(&query, sent);
            // A forwarded packet has no sender here, and neither has any other packet of its flow.
            let found = match &owner {
                Some(owner) if owner.evidence.is_by_run() => Found::Runner,
                None if self.lookup.is_sent_here(&query) => Found::Nobody,
                _ => Found::Socket,
            };
            let owner =
                owner.unwrap_or_else(|| Ownership::unknown(Reason::NotFound, at, Source::None));
            let observation = Observation::new(query, owner, at, ObservationKind::Sender);
            (self.on_observation)(observation);
            // This comes after the push: a request that stops expecting the observation finds it
            // there.
            lock(&self.shared.table).end(&query, found);
        }
        is_new
    }
}

/// Between calls the guarded data is consistent, even after a panic elsewhere.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
