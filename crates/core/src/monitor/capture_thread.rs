//! The loop of the capture thread.

use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use flowner_capture::Next;

use super::addresses::OwnAddresses;
use super::ahead;
use super::config::Config;
use super::counting::CaptureThread;
use super::device::{Waited, may_come_back};
use super::input::PacketSource;
use super::packet_input::{Batch, PacketInput};
use super::{Shared, now};
use crate::model::event::Event;
use crate::model::report::EndState;
use crate::sinks::record;

/// How often, at most, the thread reads the kernel's counters while packets arrive, and this host's
/// addresses when flows without an own end appear.
const REFRESH: Duration = Duration::from_secs(1);

impl CaptureThread {
    /// Captures until the input ends. Drops `until_ready` when every observer of senders runs.
    pub(super) fn run(mut self, mut input: PacketInput, until_ready: Sender<()>) {
        if let Some(resolver) = &mut self.resolver {
            resolver.init_thread();
        }
        drop(until_ready);
        // A pipe has no size: its packets should appear at once, as from a device.
        let is_file = input.source.progress().is_some() && self.shared.recorders.is_empty();
        let ending = if is_file {
            ahead::read(&mut input, &mut self)
        } else {
            self.capture(&mut input)
        };
        self.refresh_counters(&mut input);
        let shared = &self.shared;
        shared.status().interruption = None;
        shared.status().ending = ending.clone();
        shared.ended.notify_all();
        shared.tell(Event::InputEnded(ending));
    }

    /// Counts packets one by one, as they come.
    pub(super) fn capture(&mut self, input: &mut PacketInput) -> EndState {
        let mut batch = Batch::default();
        let ending = loop {
            match self.step(input, &mut batch) {
                Ok(None) => {}
                Ok(Some(ending)) => break ending,
                Err(error) => {
                    self.count(&mut batch);
                    if let Some(ending) = self.wait_for_device(input, &error) {
                        break ending;
                    }
                }
            }
        };
        self.count(&mut batch);
        self.carry_out();
        self.settle();
        ending
    }

    /// Waits until a failed device can be captured again. Returns how the input ended if that does
    /// not happen.
    fn wait_for_device(
        &mut self,
        input: &mut PacketInput,
        error: &flowner_capture::Error,
    ) -> Option<EndState> {
        let is_passing = may_come_back(error);
        let PacketSource::Device(_) = &input.source else {
            return Some(EndState::InputFailed(error.to_string()));
        };
        if !is_passing {
            return Some(EndState::InputFailed(error.to_string()));
        }
        self.interrupted(Some(format!("{error}; capturing goes on when it is back")));
        let ending = loop {
            let PacketSource::Device(device) = &mut input.source else {
                break None;
            };
            match device.wait() {
                Waited::Back => break None,
                Waited::NotYet => {
                    self.watch_clock();
                    self.advance(now());
                    self.carry_out();
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

    /// Reads the host's addresses again, which may have changed with a returning device.
    fn refresh_addresses(&mut self) {
        if let Some(own) = &mut self.own
            && let Some(local) = own.read(&self.config)
        {
            self.shared.ledger().set_local_addresses(local);
        }
    }

    /// Reports a device that is down and continues by itself when it is up.
    fn watch_device(&mut self, input: &mut PacketInput) {
        let PacketSource::Device(device) = &mut input.source else {
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

    /// Captures from wanted devices that have come back, in a capture of several.
    fn follow_devices(&mut self, input: &mut PacketInput) {
        if !self.shared.links_changed.swap(false, Ordering::AcqRel) {
            return;
        }
        let PacketSource::Device(device) = &mut input.source else {
            return;
        };
        if let Err(error) = device.follow() {
            self.warn(Some(error.to_string()));
        }
    }

    /// Reports that the capture is interrupted, and why; or that it continues.
    fn interrupted(&self, why: Option<String>) {
        let shared = &self.shared;
        let text = why
            .clone()
            .unwrap_or_else(|| "the device is back; capturing goes on".to_owned());
        shared.status().interruption = why;
        shared.ended.notify_all();
        shared.tell(Event::Warning(text));
    }

    /// Warns when the clock was set, or the machine slept.
    fn watch_clock(&mut self) {
        if self.is_device
            && let Some(jump) = self.jumps.observe(now(), self.started.elapsed())
        {
            self.warn(Some(jump));
        }
    }

    /// Processes one packet, or another result of the source.
    fn step(
        &mut self,
        input: &mut PacketInput,
        batch: &mut Batch,
    ) -> Result<Option<EndState>, flowner_capture::Error> {
        let patience = self.poll_timeout();
        let (next, is_taken) = input.next_within(patience.unwrap_or(Duration::MAX), batch)?;
        match next {
            Next::Packet(packet) => {
                if !is_taken || batch.len() < self.at_least(1) {
                    return Ok(None);
                }
                if let Some(own) = &mut self.own {
                    check_addresses(own, batch, &self.shared, &self.config);
                }
                let opens = self
                    .injection
                    .is_some()
                    .then(|| batch.packets().next().copied());
                let newest = self.count(batch);
                if let Some(Some(opens)) = opens {
                    self.doubt(&opens);
                }
                for recorder in &self.shared.recorders {
                    recorder.push(&packet, newest, record::now());
                }
                if self.is_device && self.refreshed.elapsed() >= REFRESH {
                    self.watch_clock();
                    self.refresh_counters(input);
                }
            }
            // Nothing else is due if the rest was done a moment ago.
            Next::Idle if patience.is_some() && self.refreshed.elapsed() < REFRESH => {
                self.confirm_due(now());
            }
            Next::Idle => {
                self.watch_clock();
                self.confirm_due(now());
                self.advance(now());
                self.refresh_counters(input);
            }
            Next::Stopped => return Ok(Some(EndState::Stopped)),
            Next::End => return Ok(Some(EndState::Complete)),
        }
        self.carry_out();
        Ok(None)
    }

    fn refresh_counters(&mut self, input: &mut PacketInput) {
        self.refreshed = Instant::now();
        if !self.is_device {
            return;
        }
        self.watch_device(input);
        self.follow_devices(input);
        let shared = &self.shared;
        match input.source.statistics() {
            Ok(statistics) => {
                shared.status().capture = Some(statistics);
                if let Some(warning) = self.drops.warning(statistics, self.refreshed) {
                    shared.tell(Event::Warning(warning));
                }
            }
            Err(error) => tracing::debug!(%error, "the kernel's counters could not be read"),
        }
        let warning = self.own.as_mut().and_then(OwnAddresses::take_warning);
        self.warn(warning);
        let saw_foreign = shared.ledger().take_foreign();
        if let Some(own) = &mut self.own
            && own.are_due(self.refreshed, saw_foreign)
            && let Some(local) = own.read(&self.config)
        {
            shared.ledger().set_local_addresses(local);
        }
    }
}

/// If packets contradict the host's addresses, reads these again before counting, if they have
/// changed.
fn check_addresses(own: &mut OwnAddresses, batch: &Batch, shared: &Shared, config: &Config) {
    for packet in batch.packets() {
        // An existing flow does not change any more.
        if own.are_contradicted_by(packet)
            && !shared.ledger().has_flow(packet)
            && own.may_be_read(Instant::now())
            && let Some(local) = own.read(config)
        {
            shared.ledger().set_local_addresses(local);
        }
    }
}
