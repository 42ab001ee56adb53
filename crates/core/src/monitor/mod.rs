//! Runs the pipeline on threads: the only module of this crate with a clock, a thread or a device.
//!
//! Two threads write the ledger: the capture thread, for every packet, and the one that looks up
//! owners, for every answer. (For a file, a third one reads ahead.) No work waits for a tick: the
//! thread that received the first packet of a flow looks up its socket before it reads the next
//! one, and a background lookup settles the rest.

pub(crate) mod address_names;
mod addresses;
mod ahead;
mod budget;
pub(crate) mod builder;
mod capture_thread;
pub(crate) mod config;
mod counting;
mod device;
mod drops;
mod injection;
mod input;
mod jumps;
mod launch;
mod links;
mod names;
mod packet_input;
mod player;
mod recording;
mod reports;
mod stop;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use flowner_attribution::capture::{CaptureResolver, Confirmed};
use flowner_attribution::{self as attribution, Lookup, Ownership, Resolver, Token};
use flowner_capture::Statistics;

use self::builder::Builder;
use self::config::Config;
use self::links::LinksThread;
use self::names::NamesThread;
use self::recording::Writing;
use self::reports::Reports;
use crate::engine::ledger::{Claim, Effect, Ledger};
use crate::model::event::Event;
use crate::model::principal::Owner;
use crate::model::report::{EndState, InputInfo, LocalAddressSource, Parts, Report};
use crate::model::stop_handle::StopHandle;
use crate::programs::Programs;
use crate::sinks::attached::{Attached, Queues};
use crate::sinks::record::Recorder;

/// Captures, counts and looks up owners until it is stopped or its input ends.
#[derive(Debug)]
pub struct Monitor {
    shared: Arc<Shared>,
    service: Option<Arc<Resolver>>,
    stopper: input::Stopper,
    reports: Reports,
    thread: Option<JoinHandle<()>>,
    /// Watches for changes of devices, if the packets come from those of this host. Dropping it
    /// ends it.
    links: Option<LinksThread>,
    /// Keeps what is known of names and places true. Dropped, it ends.
    names: Option<NamesThread>,
    /// Gives sinks their reports, if there are sinks.
    ticker: Option<JoinHandle<()>>,
    sinks: Vec<Attached>,
    /// Sinks that record.
    writing: Vec<Writing>,
}

/// The state that the threads share. No thread holds a lock while it makes a system call or takes
/// another lock.
#[derive(Debug)]
struct Shared {
    ledger: Mutex<Ledger>,
    status: Mutex<Status>,
    /// The input has ended, is interrupted, or continues.
    ended: Condvar,
    queues: Queues,
    progress: Progress,
    /// Whether devices have changed since the capture thread last checked.
    links_changed: AtomicBool,
    programs: Programs,
    /// The recorders of packets.
    recorders: Vec<Arc<Recorder>>,
}

#[derive(Debug)]
struct Status {
    ending: EndState,
    capture: Option<Statistics>,
    local_addresses: LocalAddressSource,
    /// Why the capture is interrupted, while the input has not ended.
    interruption: Option<String>,
    /// The last warning.
    warning: Option<String>,
}

/// How far a file has been read, in bytes.
#[derive(Debug, Default)]
struct Progress {
    done: AtomicU64,
    of: AtomicU64,
}

impl Progress {
    fn set(&self, progress: flowner_capture::Progress) {
        self.done.store(progress.read, Ordering::Relaxed);
        self.of.store(progress.total, Ordering::Relaxed);
    }
}

impl Monitor {
    /// Begins a monitor; [`Builder::start`] starts it.
    pub fn builder(config: &Config) -> Builder {
        Builder::new(config)
    }

    /// The current state. This only reads: it ends no flow and sends no event. The capture thread
    /// does not wait for it, however many flows there are.
    pub fn report(&self) -> Arc<Report> {
        self.reports.now()
    }

    /// The source of the packets.
    pub const fn input(&self) -> &InputInfo {
        &self.reports.input
    }

    /// Which processes are one program, and why.
    pub fn programs(&self) -> &Programs {
        &self.shared.programs
    }

    /// For files of known size: the bytes read, and the bytes in all.
    pub fn progress(&self) -> Option<(u64, u64)> {
        let progress = &self.shared.progress;
        let of = progress.of.load(Ordering::Relaxed);
        (of > 0).then(|| (progress.done.load(Ordering::Relaxed), of))
    }

    /// Waits until the input has ended, at most for `timeout`. Returns whether it has.
    pub fn wait_ended(&self, timeout: Duration) -> bool {
        let running = |status: &mut Status| status.ending == EndState::Running;
        let waited = self
            .shared
            .ended
            .wait_timeout_while(self.shared.status(), timeout, running);
        let (status, _) = waited.unwrap_or_else(PoisonError::into_inner);
        status.ending != EndState::Running
    }

    /// As [`wait_ended`](Self::wait_ended), but waits no longer than until the
    /// [interruption](Report::interruption) differs from `known`, which this then updates.
    pub fn wait_interrupted(&self, known: &mut Option<String>, timeout: Duration) -> bool {
        let unchanged = |status: &mut Status| {
            status.ending == EndState::Running && status.interruption == *known
        };
        let waited = self
            .shared
            .ended
            .wait_timeout_while(self.shared.status(), timeout, unchanged);
        let (status, _) = waited.unwrap_or_else(PoisonError::into_inner);
        known.clone_from(&status.interruption);
        status.ending != EndState::Running
    }

    /// Sets the addresses on the screen, the most important ones first. If the monitor makes [reverse
    /// lookups](Config::resolve), it looks up these alone from then on, and cancels others that wait.
    /// Before the first call, it looks up those of all live flows.
    pub fn show_addresses(&self, addresses: impl IntoIterator<Item = IpAddr>) {
        if let Some(names) = &self.names {
            names.show(addresses);
        }
    }

    /// A handle that stops this monitor from another thread.
    pub fn stop_handle(&self) -> StopHandle {
        self.stopper.handle()
    }

    /// Stops, settles the owners that are still unknown, and returns the final report, after all
    /// sinks have taken it or were [left behind](crate::Sink::patience). Open flows stay open in
    /// it.
    pub fn stop(self) -> Arc<Report> {
        self.stopper.stop();
        self.wait()
    }

    /// As [`stop`](Self::stop), after the input has ended by itself.
    pub fn wait(mut self) -> Arc<Report> {
        self.join();
        // They wait for owners that the resolver has yet to find.
        for writing in self.writing.drain(..) {
            writing.finish();
        }
        let owners = self.service.take().map(|service| {
            let statistics = service.statistics();
            // The capture thread is gone, so this is the last handle.
            if let Some(service) = Arc::into_inner(service) {
                service.finish();
            }
            statistics
        });
        let mut effects = Vec::new();
        self.shared.ledger().end_unconfirmed(&mut effects);
        self.shared.carry_out(&mut effects, None);
        let report = self.reports.last(owners);
        self.shared.queues.close(&report);
        let closed = Instant::now();
        for sink in self.sinks.drain(..) {
            if let Err(warning) = sink.finish(closed.elapsed()) {
                tracing::warn!("{warning}");
                self.shared.tell(Event::Warning(warning));
            }
        }
        report
    }

    /// Waits for the capture thread.
    fn join(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        if thread.join().is_err() {
            let message = "the capturing thread failed; this is a defect of flowner";
            self.shared.status().ending = EndState::InputFailed(message.to_owned());
            self.shared.ended.notify_all();
        }
        self.links = None;
        self.names = None;
        if self
            .ticker
            .take()
            .is_some_and(|ticker| ticker.join().is_err())
        {
            tracing::error!("the thread that makes reports for sinks failed");
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.stopper.stop();
        self.join();
        // Nothing waits for what these still write.
        for recorder in &self.shared.recorders {
            recorder.end();
        }
    }
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The whole state; for a device, at a time of the wall clock.
    fn parts(&self, at: Option<Duration>) -> Parts {
        let (local_addresses, interruption, warning) = {
            let status = self.status();
            let local_addresses = status.local_addresses.clone();
            (
                local_addresses,
                status.interruption.clone(),
                status.warning.clone(),
            )
        };
        // The counting thread waits for this line, not for the rest.
        let view = self.ledger().view(at);
        Parts {
            local_addresses,
            interruption,
            warning,
            span: view.span,
            now: view.now,
            flows: view.flows(),
            undecodable: view.undecodable_by_kind(),
            refused_claims: view.refused_claims,
            devices: view.devices,
            table: view.statistics,
            history: view.history.history(),
            retired: view.retired,
        }
    }

    fn tell(&self, event: Event) {
        self.queues.tell(event);
    }

    /// Takes one answer of the resolver.
    fn answer(&self, event: attribution::Event) {
        let mut effects = Vec::new();
        let attribution::Event {
            key: waiter,
            ownership,
            last,
            ..
        } = event;
        self.write_down(waiter, ownership, last, &mut effects);
        self.carry_out(&mut effects, None);
    }

    /// Carries out the effects of the ledger. Writes an immediate answer to it, which may cause
    /// more effects. `resolver` is that of the capture thread; other threads have none.
    fn carry_out(&self, effects: &mut Vec<Effect>, mut resolver: Option<&mut CaptureResolver>) {
        let mut more = Vec::new();
        if let Some(resolver) = &mut resolver {
            for (waiter, owner) in resolver.poll_pending() {
                self.write_down(waiter, owner, false, &mut more);
            }
        }
        while !effects.is_empty() || !more.is_empty() {
            for effect in effects.drain(..) {
                match (effect, &mut resolver) {
                    (Effect::Tell(event), _) => self.tell(*event),
                    (Effect::Confirm(claim), resolver) => {
                        let answers = confirm(&claim, resolver.as_deref_mut());
                        self.ledger().confirmed(&claim, answers, now(), &mut more);
                        for recorder in &self.recorders {
                            recorder.answered();
                        }
                    }
                    (Effect::Ask(waiter, question), Some(resolver)) => {
                        let lookup = resolver.flow_opened(waiter, question);
                        self.looked_up(waiter, lookup, &mut more);
                    }
                    (Effect::AskAgain(waiter, question), Some(resolver)) => {
                        let lookup = resolver.resolver().lookup_again(waiter, question);
                        self.looked_up(waiter, lookup, &mut more);
                    }
                    (Effect::PacketSeen(waiter, tells), Some(resolver)) => {
                        if let Some(better) = resolver.packet(waiter, tells) {
                            self.write_down(waiter, better, false, &mut more);
                        }
                    }
                    (Effect::End(waiter), Some(resolver)) => resolver.flow_ended(waiter),
                    (
                        Effect::Ask(..)
                        | Effect::AskAgain(..)
                        | Effect::PacketSeen(..)
                        | Effect::End(_),
                        None,
                    ) => {}
                }
            }
            std::mem::swap(effects, &mut more);
        }
    }

    fn looked_up(&self, waiter: Token, lookup: Lookup, effects: &mut Vec<Effect>) {
        let (ownership, last) = match lookup {
            Lookup::Ready(ownership) => (ownership, true),
            Lookup::Provisional(ownership) => (ownership, false),
            Lookup::Pending => return,
            Lookup::QueueFull => return self.ledger().refused(waiter, effects),
        };
        self.write_down(waiter, ownership, last, effects);
    }

    fn write_down(
        &self,
        waiter: Token,
        ownership: Ownership,
        last: bool,
        effects: &mut Vec<Effect>,
    ) {
        let owner = self.owner(ownership);
        self.ledger().answer(waiter, owner, last, effects);
        for recorder in &self.recorders {
            recorder.answered();
        }
    }

    /// An owner with its principal. This may make system calls, so the caller must not hold the
    /// ledger.
    fn owner(&self, ownership: Ownership) -> Owner {
        let principal = self.programs.principal(Some(&ownership));
        Owner {
            ownership,
            principal,
        }
    }
}

/// Whether the owners in a claim are still the same, by end.
fn confirm(claim: &Claim, mut resolver: Option<&mut CaptureResolver>) -> [Confirmed; 2] {
    claim.ends.each_ref().map(|end| match (end, &mut resolver) {
        (Some((query, known)), Some(resolver)) => resolver.confirm(query, known, claim.since),
        _ => Confirmed::Unknown,
    })
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
