//! The pipeline on its threads: the only place in this crate with a clock, a
//! thread or a device.
//!
//! Two threads write the ledger: the capturing one, for every packet, and the one
//! that looks up owners, for every answer. (Of a file, a third one reads on meanwhile.)
//! Nobody waits for a tick: the thread that saw the first packet of a flow looks up its
//! socket before it reads the next one, and what that does not settle is looked up in the
//! background.

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
    /// Hears of devices, where packets are from those of this host. Dropped, it ends.
    links: Option<LinksThread>,
    /// Keeps what is known of names and places true. Dropped, it ends.
    names: Option<NamesThread>,
    /// Gives sinks their reports, if there are sinks.
    ticker: Option<JoinHandle<()>>,
    sinks: Vec<Attached>,
    /// Sinks that record.
    writing: Vec<Writing>,
}

/// What the threads share. No lock is held while the system is asked or while
/// another lock is taken.
#[derive(Debug)]
struct Shared {
    ledger: Mutex<Ledger>,
    status: Mutex<Status>,
    /// The input has ended, or is interrupted, or goes on.
    ended: Condvar,
    queues: Queues,
    progress: Progress,
    /// Devices have come, gone or changed since the capturing thread looked.
    links_changed: AtomicBool,
    programs: Programs,
    /// Where packets are recorded.
    recorders: Vec<Arc<Recorder>>,
}

#[derive(Debug)]
struct Status {
    ending: EndState,
    capture: Option<Statistics>,
    whose: LocalAddressSource,
    /// Why nothing is captured at this time, while the input goes on.
    interruption: Option<String>,
    /// What was not as it should be, last.
    warning: Option<String>,
}

/// How far a file was read, in bytes.
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

    /// What is known now. This only reads: no flow ends because of it, and no event is sent. The
    /// thread that captures does not wait for it, however many flows there are.
    pub fn report(&self) -> Arc<Report> {
        self.reports.now()
    }

    /// Where the packets come from.
    pub const fn input(&self) -> &InputInfo {
        &self.reports.input
    }

    /// Which processes are one program, and why.
    pub fn programs(&self) -> &Programs {
        &self.shared.programs
    }

    /// For files whose size is known: bytes that were read, and bytes in all.
    pub fn progress(&self) -> Option<(u64, u64)> {
        let progress = &self.shared.progress;
        let of = progress.of.load(Ordering::Relaxed);
        (of > 0).then(|| (progress.done.load(Ordering::Relaxed), of))
    }

    /// Waits until the input has ended, at most for `timeout`; whether it has.
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
    /// [interruption](Report::interruption) is another one than this, which is then replaced.
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

    /// What stops this monitor from another thread.
    pub fn stop_handle(&self) -> StopHandle {
        self.stopper.handle()
    }

    /// Stops, settles the owners that are still looked for, and gives the final
    /// report, after all sinks have taken it or were [left behind](crate::Sink::patience). Flows that are open stay so in it.
    pub fn stop(self) -> Arc<Report> {
        self.stopper.stop();
        self.wait()
    }

    /// As [`stop`](Self::stop), after the input has ended by itself.
    pub fn wait(mut self) -> Arc<Report> {
        self.join();
        // They wait for owners that the resolver is still to find.
        for writing in self.writing.drain(..) {
            writing.finish();
        }
        let owners = self.service.take().map(|service| {
            let statistics = service.statistics();
            // The capturing thread is gone, so this is the last handle.
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

    /// Waits for the capturing thread.
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
        // Nobody waits for what these still write.
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

    /// All that is known; of a device that is captured from, at a time of the wall clock.
    fn parts(&self, at: Option<Duration>) -> Parts {
        let (whose, interruption, warning) = {
            let status = self.status();
            let told = (status.interruption.clone(), status.warning.clone());
            (status.whose.clone(), told.0, told.1)
        };
        // The thread that counts waits for this line, not for what follows.
        let view = self.ledger().view(at);
        Parts {
            whose,
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

    /// Takes one answer of the service.
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

    /// Does what the ledger asked for. An answer that is there at once is written down, which
    /// may ask for more. The resolver is that of the capturing thread; other threads have none.
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

    /// An owner and whom it stands for, which may ask the system: not to be called while
    /// the ledger is held.
    fn owner(&self, ownership: Ownership) -> Owner {
        let principal = self.programs.principal(Some(&ownership));
        Owner {
            ownership,
            principal,
        }
    }
}

/// Whether the owners that a claim names are the same still, by end.
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
