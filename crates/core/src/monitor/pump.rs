//! The capturing thread: what it does with whatever comes.

use std::time::{Duration, Instant};

use flowner_capture::Next;

use super::addresses::OwnAddresses;
use super::ahead;
use super::input::Feed;
use super::now;
use super::packets::{Batch, Counter, Intake};
use crate::config::Config;
use crate::events::Event;
use crate::recording;
use crate::report::Ending;

/// How often, at most, the kernel's counters are read again while packets arrive,
/// and this host's addresses when flows appear that are not its own.
const REFRESH: Duration = Duration::from_secs(1);

/// The capturing thread.
pub(super) struct Pump {
    pub(super) feed: Feed,
    pub(super) intake: Intake,
    pub(super) counter: Counter,
    pub(super) config: Config,
    pub(super) is_device: bool,
    /// Of a device of this host.
    pub(super) own: Option<OwnAddresses>,
    pub(super) refreshed: Instant,
}

impl Pump {
    pub(super) fn run(mut self) {
        if let Some(spotter) = &mut self.counter.spotter {
            spotter.prepare();
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
        shared.status().ending = ending.clone();
        shared.ended.notify_all();
        shared.tell(Event::InputEnded(ending));
    }

    /// Counts packets one by one, as they come.
    pub(super) fn capture(&mut self) -> Ending {
        let mut batch = Batch::default();
        let ending = loop {
            match self.step(&mut batch) {
                Ok(None) => {}
                Ok(Some(ending)) => break ending,
                Err(error) => break Ending::Failed(error.to_string()),
            }
        };
        self.counter.count(&mut batch);
        self.counter.carry_out();
        self.counter.settle();
        ending
    }

    /// Takes one packet, or whatever else comes.
    fn step(&mut self, batch: &mut Batch) -> Result<Option<Ending>, flowner_capture::Error> {
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
                let newest = self.counter.count(batch);
                if let Some(recorder) = &self.counter.shared.recorder {
                    recorder.push(&packet, newest, recording::now());
                }
                if self.is_device && self.refreshed.elapsed() >= REFRESH {
                    self.refresh_counters();
                }
            }
            Next::Idle if patience.is_some() => self.counter.confirm_due(now()),
            Next::Idle => {
                self.counter.advance(now());
                self.refresh_counters();
            }
            Next::Stopped => return Ok(Some(Ending::Stopped)),
            Next::End => return Ok(Some(Ending::Complete)),
        }
        self.counter.carry_out();
        Ok(None)
    }

    fn refresh_counters(&mut self) {
        self.refreshed = Instant::now();
        if !self.is_device {
            return;
        }
        let shared = &self.counter.shared;
        match self.feed.statistics() {
            Ok(statistics) => shared.status().capture = Some(statistics),
            Err(error) => tracing::debug!(%error, "the kernel's counters could not be read"),
        }
        let saw_foreign = shared.ledger().take_foreign();
        if saw_foreign
            && let Some(own) = &mut self.own
            && own.are_due(self.refreshed)
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
