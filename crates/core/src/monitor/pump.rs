//! The capturing thread: what it does with whatever comes.

use std::time::{Duration, Instant};

use flowner_capture::Next;

use super::addresses::OwnAddresses;
use super::ahead;
use super::config::Config;
use super::device::{Waited, may_come_back};
use super::drops::Drops;
use super::injection::Injection;
use super::input::Feed;
use super::jumps::Jumps;
use super::now;
use super::packets::{Batch, Counter, PacketInput};
use crate::model::event::Event;
use crate::model::report::EndState;
use crate::sinks::record;

/// How often, at most, the kernel's counters are read again while packets arrive,
/// and this host's addresses when flows appear that are not its own.
const REFRESH: Duration = Duration::from_secs(1);

/// The capturing thread.
pub(super) struct CaptureThread {
    pub(super) feed: Feed,
    pub(super) intake: PacketInput,
    pub(super) counter: Counter,
    pub(super) config: Config,
    pub(super) is_device: bool,
    /// Of a device of this host.
    pub(super) own: Option<OwnAddresses>,
    pub(super) injection: Option<Injection>,
    pub(super) refreshed: Instant,
    pub(super) started: Instant,
    pub(super) jumps: Jumps,
    pub(super) drops: Drops,
}

impl CaptureThread {
    pub(super) fn run(mut self) {
        if let Some(resolver) = &mut self.counter.resolver {
            resolver.init_thread();
        }
        // A pipe has no size: what it gives is to be seen at once, as from a device.
        let is_file = self.feed.progress().is_some() && self.counter.shared.recorder.is_none();
        let ending = if is_file {
            ahead::read(&mut self.feed, &mut self.intake, &mut self.counter)
        } else {
            self.capture()
        };
        self.refresh_counters();
        let shared = &self.counter.shared;
        shared.status().interruption = None;
        shared.status().ending = ending.clone();
        shared.ended.notify_all();
        shared.tell(Event::InputEnded(ending));
    }

    /// Counts packets one by one, as they come.
    pub(super) fn capture(&mut self) -> EndState {
        let mut batch = Batch::default();
        let ending = loop {
            match self.step(&mut batch) {
                Ok(None) => {}
                Ok(Some(ending)) => break ending,
                Err(error) => {
                    self.counter.count(&mut batch);
                    if let Some(ending) = self.wait_for_device(&error) {
                        break ending;
                    }
                }
            }
        };
        self.counter.count(&mut batch);
        self.counter.carry_out();
        self.counter.settle();
        ending
    }

    /// Waits until a device that failed so can be captured from again; how the input ended, if
    /// it does not come to that.
    fn wait_for_device(&mut self, error: &flowner_capture::Error) -> Option<EndState> {
        let is_passing = may_come_back(error);
        let Feed::Device(_) = &self.feed else {
            return Some(EndState::InputFailed(error.to_string()));
        };
        if !is_passing {
            return Some(EndState::InputFailed(error.to_string()));
        }
        self.interrupted(Some(format!("{error}; capturing goes on when it is back")));
        let ending = loop {
            let Feed::Device(device) = &mut self.feed else {
                break None;
            };
            match device.wait() {
                Waited::Back => break None,
                Waited::NotYet => {
                    self.watch_clock();
                    self.counter.advance(now());
                    self.counter.carry_out();
                }
                Waited::Stopped => break Some(EndState::Stopped),
                Waited::Failed(message) => break Some(EndState::InputFailed(message)),
            }
        };
        if ending.is_none() {
            // It may have other addresses now.
            self.refresh_addresses();
            self.interrupted(None);
        }
        ending
    }

    /// Reads the host's addresses again, which a device that comes back may have changed.
    fn refresh_addresses(&mut self) {
        if let Some(own) = &mut self.own
            && let Some(local) = own.read(&self.config)
        {
            self.counter.shared.ledger().set_local_addresses(local);
        }
    }

    /// Tells when a device is down that gives packets again by itself when it is up.
    fn watch_device(&mut self) {
        let Feed::Device(device) = &mut self.feed else {
            return;
        };
        let change = device.went_down_or_up();
        if let Some(is_down) = change {
            let name = device.name();
            let why = is_down
                .then(|| format!("the device {name} is down; capturing goes on when it is up"));
            if why.is_none() {
                self.refresh_addresses();
            }
            self.interrupted(why);
        }
    }

    /// Tells that nothing is captured, and why; or that it is again.
    fn interrupted(&self, why: Option<String>) {
        let shared = &self.counter.shared;
        let text = why
            .clone()
            .unwrap_or_else(|| "the device is back; capturing goes on".to_owned());
        shared.status().interruption = why;
        shared.ended.notify_all();
        shared.tell(Event::Warning(text));
    }

    /// Tells when the clock was set, or the machine slept.
    fn watch_clock(&mut self) {
        if self.is_device
            && let Some(jump) = self.jumps.observe(now(), self.started.elapsed())
        {
            self.counter.warn(Some(jump));
        }
    }

    /// Takes one packet, or whatever else comes.
    fn step(&mut self, batch: &mut Batch) -> Result<Option<EndState>, flowner_capture::Error> {
        let patience = self.counter.patience();
        match self.feed.next_within(patience.unwrap_or(Duration::MAX))? {
            Next::Packet(packet) => {
                let is_taken = self.intake.take(&packet, batch);
                if !is_taken || batch.len() < self.counter.at_least(1) {
                    return Ok(None);
                }
                if let Some(own) = &mut self.own {
                    check_addresses(own, batch, &self.counter, &self.config);
                }
                let opens = self
                    .injection
                    .is_some()
                    .then(|| batch.packets().next().copied());
                let newest = self.counter.count(batch);
                if let (Some(injection), Some(Some(opens))) = (&mut self.injection, opens) {
                    self.counter
                        .doubt(|question| injection.may_have_sent(&opens, question));
                }
                if let Some(recorder) = &self.counter.shared.recorder {
                    recorder.push(&packet, newest, record::now());
                }
                if self.is_device && self.refreshed.elapsed() >= REFRESH {
                    self.watch_clock();
                    self.refresh_counters();
                }
            }
            // No more than that, as long as the rest was done a moment ago.
            Next::Idle if patience.is_some() && self.refreshed.elapsed() < REFRESH => {
                self.counter.confirm_due(now());
            }
            Next::Idle => {
                self.watch_clock();
                self.counter.confirm_due(now());
                self.counter.advance(now());
                self.refresh_counters();
            }
            Next::Stopped => return Ok(Some(EndState::Stopped)),
            Next::End => return Ok(Some(EndState::Complete)),
        }
        self.counter.carry_out();
        Ok(None)
    }

    fn refresh_counters(&mut self) {
        self.refreshed = Instant::now();
        if !self.is_device {
            return;
        }
        self.watch_device();
        let shared = &self.counter.shared;
        match self.feed.statistics() {
            Ok(statistics) => {
                shared.status().capture = Some(statistics);
                if let Some(warning) = self.drops.warning(statistics, self.refreshed) {
                    shared.tell(Event::Warning(warning));
                }
            }
            Err(error) => tracing::debug!(%error, "the kernel's counters could not be read"),
        }
        if let Some(own) = &mut self.own {
            self.counter.warn(own.take_warning());
        }
        let saw_foreign = shared.ledger().take_foreign();
        if let Some(own) = &mut self.own
            && own.are_due(self.refreshed, saw_foreign)
            && let Some(local) = own.read(&self.config)
        {
            shared.ledger().set_local_addresses(local);
        }
    }
}

/// Reads the host's addresses again before packets are counted that contradict them, if they have
/// changed.
fn check_addresses(own: &mut OwnAddresses, batch: &Batch, counter: &Counter, config: &Config) {
    let shared = &counter.shared;
    for packet in batch.packets() {
        // Of a flow that is there nothing changes any more.
        if own.are_contradicted_by(packet)
            && !shared.ledger().has_flow(packet)
            && own.may_be_read(Instant::now())
            && let Some(local) = own.read(config)
        {
            shared.ledger().set_local_addresses(local);
        }
    }
}
