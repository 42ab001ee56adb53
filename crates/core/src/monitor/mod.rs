//! The pipeline on its threads: the only place in this crate with a clock, a
//! thread or a device.
//!
//! Two threads write the books: the capturing one, for every packet, and the one
//! that looks up owners, for every answer. (Of a file, a third one reads on meanwhile.)
//! Nobody waits for a tick: the thread that saw the first packet of a flow glances at its
//! socket before it reads the next one, and what that does not settle is looked up in the
//! background.

mod addresses;
mod ahead;
mod asker;
mod budget;
pub(crate) mod config;
mod device;
mod drops;
mod injection;
mod input;
mod jumps;
mod packets;
mod pump;
pub(crate) mod recording;
mod stop;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use flowner_attribution::capture::Spotter;
use flowner_attribution::snapshot::TableOptions;
use flowner_attribution::{
    self as attribution, Attributor, Lookup, Notice, Ownership, PolicyConfig, Resolver, Token,
};
use flowner_capture::Statistics;

use self::addresses::OwnAddresses;
use self::asker::Asker;
use self::config::Config;
use self::drops::Drops;
use self::injection::Injection;
use self::input::Opened;
use self::jumps::Jumps;
use self::packets::{Counter, Intake};
use self::pump::Pump;
use crate::demo;
use crate::engine::ledger::{Asked, Effect, Ledger};
use crate::model::error::Error;
use crate::model::event::Event;
use crate::model::principal::Owner;
use crate::model::report::{Ending, InputInfo, Parts, Report, Whose};
use crate::model::selection::Selection;
use crate::programs::Programs;
use crate::sinks::events::{self, EventSender, Events};
use crate::sinks::record::Recorder;

/// How often, at most, it is looked whether programs were installed.
const INSTALLED: Duration = Duration::from_secs(60);

/// Captures, counts and looks up owners until it is stopped or its input ends.
#[derive(Debug)]
pub struct Monitor {
    shared: Arc<Shared>,
    service: Option<Arc<Resolver>>,
    stopper: input::Stopper,
    input: InputInfo,
    /// Of a host that is made up, and has a time of its own.
    clock: Option<demo::Clock>,
    thread: Option<JoinHandle<()>>,
}

/// What the threads share. No lock is held while the system is asked or while
/// another lock is taken.
#[derive(Debug)]
struct Shared {
    ledger: Mutex<Ledger>,
    status: Mutex<Status>,
    /// The input has ended, or is interrupted, or goes on.
    ended: Condvar,
    events: Option<EventSender>,
    progress: Progress,
    programs: Programs,
    /// Where packets are recorded, if they are.
    recorder: Option<Arc<Recorder>>,
}

#[derive(Debug)]
struct Status {
    ending: Ending,
    capture: Option<Statistics>,
    whose: Whose,
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

/// Stops a monitor from elsewhere, such as a signal handler's thread.
#[derive(Debug, Clone)]
pub struct StopHandle {
    stopper: input::Stopper,
}

impl StopHandle {
    /// Ends the input; the monitor's report stays available.
    pub fn stop(&self) {
        self.stopper.stop();
    }
}

/// A monitor whose input is open, and that has no threads yet.
pub struct OpenMonitor {
    config: Config,
    opened: Opened,
}

impl std::fmt::Debug for OpenMonitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut open = f.debug_struct("OpenMonitor");
        open.field("config", &self.config).finish_non_exhaustive()
    }
}

impl OpenMonitor {
    /// Starts.
    ///
    /// # Errors
    /// When owners are wanted and cannot be looked up on this system, or it has no more threads.
    pub fn start(self) -> Result<Monitor, Error> {
        let Self { config, opened } = self;
        Monitor::launch(&config, opened, None, None, || attributor(&config))
    }
}

impl Monitor {
    /// Opens the input and starts.
    ///
    /// # Errors
    /// When the input cannot be opened, or owners are wanted and cannot be looked
    /// up on this system.
    pub fn start(config: &Config) -> Result<Self, Error> {
        Self::open(config)?.start()
    }

    /// Opens the input, and starts no thread: a program can give up privileges before it
    /// [starts](OpenMonitor::start), and so before it reads a packet.
    ///
    /// # Errors
    /// When the input cannot be opened.
    pub fn open(config: &Config) -> Result<OpenMonitor, Error> {
        Ok(OpenMonitor {
            config: config.clone(),
            opened: Opened::new(config)?,
        })
    }

    /// As [`start`](Self::start), with the events as they happen.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub fn start_watched(config: &Config) -> Result<(Self, Events), Error> {
        let (sender, events) = events::queue(config.limits.events);
        let opened = Opened::new(config)?;
        let monitor = Self::launch(config, opened, Some(sender), None, || attributor(config))?;
        Ok((monitor, events))
    }

    /// As [`start_watched`](Self::start_watched), with owners from a given table
    /// instead of the best one of this system.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub fn start_with(config: &Config, attributor: Attributor) -> Result<(Self, Events), Error> {
        let (sender, events) = events::queue(config.limits.events);
        let opened = Opened::new(config)?;
        let monitor = Self::launch(config, opened, Some(sender), None, || Ok(attributor))?;
        Ok((monitor, events))
    }

    fn launch(
        config: &Config,
        opened: Opened,
        events: Option<EventSender>,
        recorder: Option<Arc<Recorder>>,
        attributor: impl FnOnce() -> Result<Attributor, attribution::Error>,
    ) -> Result<Self, Error> {
        let attributor = match opened.attributor {
            _ if !config.owners => None,
            Some(attributor) => Some(attributor),
            None if opened.info.is_live => Some(attributor()?),
            None => None,
        };
        let asked = match &attributor {
            None => Asked::Nobody,
            Some(attributor) if attributor.tells_networks() => Asked::All,
            Some(_) => Asked::Own,
        };
        let ledger = Ledger::new(
            &config.limits,
            opened.local.clone(),
            asked,
            events.is_some(),
        );
        let ledger = ledger.listing(Selection::from(&config.filter), config.limits.groups);
        let shared = Arc::new(Shared {
            ledger: Mutex::new(ledger),
            status: Mutex::new(Status {
                ending: Ending::Running,
                capture: None,
                whose: opened.whose.clone(),
                interruption: None,
                warning: None,
            }),
            ended: Condvar::new(),
            events,
            progress: Progress::default(),
            programs: match attributor {
                Some(_) if opened.clock.is_none() => Programs::of_this_host(),
                Some(_) | None => Programs::without_facts(),
            },
            recorder,
        });
        let service = match attributor {
            Some(attributor) => Some(Arc::new(spawn_service(&shared, attributor)?)),
            None => None,
        };
        let is_device = opened.info.is_live && opened.clock.is_none();
        let now = Instant::now();
        let own = opened.local.filter(|_| is_device);
        let stopper = opened.feed.stopper();
        let input = opened.info.clone();
        let counter = Counter {
            shared: Arc::clone(&shared),
            spotter: service.clone().map(Spotter::new),
            guesses: config.reading.guess_local
                && opened.whose == Whose::Unknown
                && shared.recorder.is_none(),
            effects: Vec::new(),
            next_due: None,
        };
        let pump = Pump {
            feed: opened.feed,
            intake: Intake::new(&config.reading),
            counter,
            config: config.clone(),
            is_device,
            own: own.map(|local| OwnAddresses::new(local, now)),
            injection: if is_device { Injection::new(now) } else { None },
            refreshed: now,
            started: now,
            jumps: Jumps::default(),
            drops: Drops::default(),
        };
        let thread = std::thread::Builder::new()
            .name("flowner-capture".to_owned())
            .spawn(move || pump.run())
            .map_err(Error::Thread)?;
        Ok(Self {
            shared,
            service,
            stopper,
            input,
            clock: opened.clock,
            thread: Some(thread),
        })
    }

    /// What is known now. This only reads: no flow ends because of it, and no event is sent. The
    /// thread that captures does not wait for it, however many flows there are.
    pub fn report(&self) -> Arc<Report> {
        let is_running = || self.shared.status().ending == Ending::Running;
        let at = (self.input.is_live && is_running())
            .then(|| self.clock.as_ref().map_or_else(now, demo::Clock::now));
        let parts = self.shared.parts(at);
        let status = self.shared.status();
        Arc::new(Report::new(
            parts,
            self.input.clone(),
            status.ending.clone(),
            status.capture,
            self.service.as_ref().map(|service| service.statistics()),
        ))
    }

    /// Where the packets come from.
    pub const fn input(&self) -> &InputInfo {
        &self.input
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
        let running = |status: &mut Status| status.ending == Ending::Running;
        let waited = self
            .shared
            .ended
            .wait_timeout_while(self.shared.status(), timeout, running);
        let (status, _) = waited.unwrap_or_else(PoisonError::into_inner);
        status.ending != Ending::Running
    }

    /// As [`wait_ended`](Self::wait_ended), but waits no longer than until the
    /// [interruption](Report::interruption) is another one than this, which is then replaced.
    pub fn wait_interrupted(&self, known: &mut Option<String>, timeout: Duration) -> bool {
        let unchanged =
            |status: &mut Status| status.ending == Ending::Running && status.interruption == *known;
        let waited = self
            .shared
            .ended
            .wait_timeout_while(self.shared.status(), timeout, unchanged);
        let (status, _) = waited.unwrap_or_else(PoisonError::into_inner);
        known.clone_from(&status.interruption);
        status.ending != Ending::Running
    }

    /// What stops this monitor from another thread.
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle {
            stopper: self.stopper.clone(),
        }
    }

    /// Stops, settles the owners that are still looked for, and gives the final
    /// report. Flows that are open stay so in it.
    pub fn stop(self) -> Arc<Report> {
        self.stopper.stop();
        self.wait()
    }

    /// As [`stop`](Self::stop), after the input has ended by itself.
    pub fn wait(mut self) -> Arc<Report> {
        self.join();
        let owners = self.service.take().map(|service| {
            let statistics = service.statistics();
            // The capturing thread is gone, so this is the last handle.
            if let Some(service) = Arc::into_inner(service) {
                service.finish();
            }
            statistics
        });
        let parts = self.shared.parts(None);
        let status = self.shared.status();
        Arc::new(Report::new(
            parts,
            self.input.clone(),
            status.ending.clone(),
            status.capture,
            owners,
        ))
    }

    /// Waits for the capturing thread.
    pub(crate) fn join(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        if thread.join().is_err() {
            let message = "the capturing thread failed; this is a defect of flowner";
            self.shared.status().ending = Ending::InputFailed(message.to_owned());
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.stopper.stop();
        self.join();
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
        // Whoever counts waits for this line, not for what follows.
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
            table: view.statistics,
            history: view.history.history(),
            retired: view.retired,
        }
    }

    fn tell(&self, event: Event) {
        if let Some(events) = &self.events {
            events.send(event);
        }
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
        self.carry_out(&mut effects, &mut Asker::Nobody);
    }

    /// Does what the books asked for. An answer that is there at once is written
    /// down, which may ask for more.
    fn carry_out(&self, effects: &mut Vec<Effect>, asker: &mut Asker<'_>) {
        let mut more = Vec::new();
        for (waiter, lookup) in asker.settle() {
            self.looked_up(waiter, lookup, &mut more);
        }
        while !effects.is_empty() || !more.is_empty() {
            for effect in effects.drain(..) {
                match effect {
                    Effect::Tell(event) => self.tell(*event),
                    Effect::Ask(waiter, question) => {
                        if let Some(lookup) = asker.opened(waiter, question) {
                            self.looked_up(waiter, lookup, &mut more);
                        }
                    }
                    Effect::AskAgain(waiter, question) => {
                        if let Some(lookup) = asker.opened_before(waiter, question) {
                            self.looked_up(waiter, lookup, &mut more);
                        }
                    }
                    Effect::PacketSeen(waiter, tells) => {
                        if let Some(better) = asker.packet_seen(waiter, tells) {
                            self.write_down(waiter, better, false, &mut more);
                        }
                    }
                    Effect::End(waiter) => asker.ended(waiter),
                    Effect::Confirm(claim) => {
                        let answers = asker.confirm(&claim);
                        self.ledger().confirmed(&claim, answers, now(), &mut more);
                        if let Some(recorder) = &self.recorder {
                            recorder.answered();
                        }
                    }
                }
            }
            std::mem::swap(effects, &mut more);
        }
    }

    fn looked_up(&self, waiter: Token, lookup: Lookup, effects: &mut Vec<Effect>) {
        let (ownership, last) = match lookup {
            Lookup::Known(ownership) => (ownership, true),
            Lookup::SoFar(ownership) => (ownership, false),
            Lookup::Waiting => return,
            Lookup::Refused => return self.ledger().refused(waiter, effects),
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
        if let Some(recorder) = &self.recorder {
            recorder.answered();
        }
    }

    /// An owner and whom it stands for, which may ask the system: not to be called while
    /// the books are held.
    fn owner(&self, ownership: Ownership) -> Owner {
        let party = self.programs.party(Some(&ownership));
        Owner { ownership, party }
    }
}

/// The best table of this system, as it is configured.
fn attributor(config: &Config) -> Result<Attributor, attribution::Error> {
    let mut options = TableOptions::default();
    options.realtime = config.realtime;
    Attributor::with_options(options)
}

fn spawn_service(shared: &Arc<Shared>, attributor: Attributor) -> Result<Resolver, Error> {
    let to_warn = Arc::clone(shared);
    let on_notice = move |notice: Notice| {
        let warning = notice.to_string();
        // It stays so, also for those who see reports alone.
        if matches!(
            notice,
            Notice::LesserTable(_) | Notice::NamespacesSkipped(_)
        ) {
            to_warn.status().warning = Some(warning.clone());
        }
        to_warn.tell(Event::Warning(warning));
    };
    let shared = Arc::clone(shared);
    let mut looked = Instant::now();
    let on_event = move |event| {
        // Here nobody waits who captures.
        if looked.elapsed() >= INSTALLED {
            looked = Instant::now();
            shared.programs.refresh();
        }
        shared.answer(event);
    };
    let config = PolicyConfig::default();
    Ok(Resolver::spawn_noticed(
        attributor, config, on_event, on_notice,
    )?)
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
