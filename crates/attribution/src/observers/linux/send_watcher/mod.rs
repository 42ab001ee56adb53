//! Looks up the sender of the first packet of a flow, on the CPU that sends it.
//!
//! A process that sends something and exits when the answer is there lives for about 100 µs
//! after its first packet, and to wake a thread on another processor takes half of that, or
//! milliseconds where that one is busy. A thread that is bound to the sender's own processor,
//! with precedence there, looks before the sender goes on. So there is one for each
//! processor, and the kernel gives each the packets that are sent there.
//!
//! What they see is kept until the capturing thread asks for it, which sees the same packet
//! a moment later.

mod headers;
mod packets;
mod watch_table;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use crate::answer::{Ownership, Protocol, SocketQuery};
use crate::observers::linux::sched;
use crate::observers::linux::wake_fd::WakeFd;
use crate::policy::time_budget::TimeBudget;
use packets::Packets;
pub(crate) use watch_table::Told;
use watch_table::WatchTable;

/// What one may take of its CPU: so much at once, and one of so many parts of the time.
/// Past that, it rests for a while.
const BUDGET: Duration = Duration::from_millis(20);
const SHARE: u32 = 8;
/// The same, for what turns out to be a datagram of a flow that is known: each of them wakes it.
const IDLE_BUDGET: Duration = Duration::from_millis(10);
const IDLE_SHARE: u32 = 50;
const REST: Duration = Duration::from_millis(50);
/// How old a packet may be of which a look is waited for: that may begin, and that may end.
const WAKING: Duration = Duration::from_micros(200);
const PATIENCE: Duration = Duration::from_micros(500);
/// Processors for which this is worth the threads.
const MAX: usize = 64;

/// One for each processor. They end with it.
#[derive(Debug)]
pub(crate) struct SendWatchers {
    seen: Arc<Seen>,
    wake_fd: WakeFd,
    threads: Vec<JoinHandle<()>>,
}

impl SendWatchers {
    /// Starts them, each with a `lookup` of its own, which says who sent a packet; `None` where
    /// packets may not be seen or threads not be bound to processors.
    pub(crate) fn post<L>(realtime: bool, lookup: impl Fn() -> Option<L>) -> Option<Self>
    where
        L: FnMut(&SocketQuery) -> Option<Ownership> + Send + 'static,
    {
        let count = sched::processors().filter(|count| (2..=MAX).contains(count))?;
        let opened = Packets::open_each(count);
        let packets = opened.inspect_err(|error| {
            tracing::debug!(%error, "no send watcher runs: first packets cannot be read");
        });
        let mut send_watchers = Self {
            seen: Arc::default(),
            wake_fd: WakeFd::new().ok()?,
            threads: Vec::with_capacity(count),
        };
        for (processor, packets) in packets.ok()?.into_iter().enumerate() {
            let watcher = SendWatcher {
                processor,
                realtime,
                packets,
                wake_fd: send_watchers.wake_fd.clone(),
                lookup: lookup()?,
                seen: Arc::clone(&send_watchers.seen),
            };
            let thread = std::thread::Builder::new()
                .name(format!("flowner-look-{processor}"))
                .spawn(move || watcher.run());
            send_watchers.threads.push(thread.ok()?);
        }
        Some(send_watchers)
    }

    /// Takes note of an end that answers, which need not be looked at when it does.
    pub(crate) fn note_server(&self, query: &SocketQuery) {
        if query.protocol() == Protocol::Udp {
            lock(&self.seen.sightings).add_server(query, Instant::now());
        }
    }

    /// What was seen of a socket, by a look that began no earlier than the packet was seen.
    /// It is told once. [`Told::Seen`] also if no look is to be waited for.
    pub(crate) fn take(&self, query: &SocketQuery, seen_at: SystemTime) -> Told {
        let told = lock(&self.seen.sightings).take(query, seen_at, Instant::now());
        let patience = match told {
            Told::Seen(_) => return told,
            Told::NotYet if self.seen.resting.load(Ordering::Relaxed) > 0 => Duration::ZERO,
            Told::NotYet => WAKING,
            Told::Looking => PATIENCE,
        };
        let age = SystemTime::now().duration_since(seen_at);
        if age.is_ok_and(|age| age < patience) {
            told
        } else {
            Told::Seen(None)
        }
    }
}

/// Tries whether threads may take real-time priority, with one that ends at once.
pub(crate) fn try_realtime() -> std::io::Result<()> {
    let trial = std::thread::Builder::new().name("flowner-priority".to_owned());
    let trial = trial.spawn(sched::take_realtime)?;
    let taken = trial.join();
    taken.unwrap_or_else(|_panicked| Err(std::io::ErrorKind::Other.into()))
}

/// What the send watchers tell the capture thread.
#[derive(Debug, Default)]
struct Seen {
    sightings: Mutex<WatchTable>,
    /// How many rest, for a while or for good.
    resting: AtomicUsize,
}

impl Drop for SendWatchers {
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
    processor: usize,
    realtime: bool,
    packets: Packets,
    wake_fd: WakeFd,
    lookup: L,
    seen: Arc<Seen>,
}

impl<L: FnMut(&SocketQuery) -> Option<Ownership>> SendWatcher<L> {
    fn run(mut self) {
        if let Err(error) = sched::bind_to(self.processor) {
            // Elsewhere it would only be in the way.
            self.seen.resting.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(%error, "a thread could not be bound to its processor");
            return;
        }
        if self.realtime {
            sched::take_highest_precedence();
        } else {
            sched::take_precedence();
        }
        let now = Instant::now();
        let mut budget = TimeBudget::full(BUDGET, SHARE, now);
        let mut idle_budget = TimeBudget::full(IDLE_BUDGET, IDLE_SHARE, now);
        let mut spent = sched::processor_time();
        while self.packets.wait(&self.wake_fd) {
            let now = Instant::now();
            if budget.has_any(now) && idle_budget.has_any(now) {
                let packet = self.packets.receive();
                let query = packet.and_then(|(packet, device)| {
                    Some(headers::sender(packet)?.on_device(device).as_sender())
                });
                let is_new = query.is_some_and(|query| self.look(&query, now));
                // All of it: to be woken costs more than to see that nothing is new.
                let before = std::mem::replace(&mut spent, sched::processor_time());
                let spent = spent.saturating_sub(before);
                if is_new {
                    budget.spend(spent);
                } else {
                    idle_budget.spend(spent);
                }
            } else {
                self.seen.resting.fetch_add(1, Ordering::Relaxed);
                let is_over = self.wake_fd.is_woken_within(REST);
                self.seen.resting.fetch_sub(1, Ordering::Relaxed);
                if is_over {
                    return;
                }
                // Those who sent what came meanwhile have gone on.
                self.packets.drain();
            }
        }
    }

    /// Looks, unless that was done lately; whether it was not.
    fn look(&mut self, query: &SocketQuery, now: Instant) -> bool {
        let is_new = lock(&self.seen.sightings).begin(query, now, SystemTime::now());
        if is_new {
            let seen = (self.lookup)(query);
            lock(&self.seen.sightings).end(query, seen);
        }
        is_new
    }
}

/// What is guarded is whole between calls, also after a panic elsewhere.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
