//! The capturing thread: how it counts, and what the ledger asks for then.

use std::sync::Arc;
use std::time::{Duration, Instant};

use flowner_attribution::capture::CaptureResolver;
use flowner_capture::Progress;
use flowner_flows::Packet;

use super::addresses::OwnAddresses;
use super::config::Config;
use super::drops::Drops;
use super::injection::Injection;
use super::jumps::Jumps;
use super::links::SeenDevices;
use super::packet_input::{Batch, Frame};
use super::{Shared, now};
use crate::engine::ledger::Effect;
use crate::engine::local_addresses::infer_local_addresses;
use crate::model::event::Event;
use crate::model::packet_ref::{ClaimedEnd, PacketEnd, PacketRef};
use crate::model::principal::Owner;
use crate::model::report::LocalAddressSource;

/// The first packets of a file, by which it is guessed whose it is.
const SAMPLE: usize = 10_000;

/// The capturing thread.
pub(super) struct CaptureThread {
    pub(super) shared: Arc<Shared>,
    /// Asks for the owners of new flows before their sockets are gone.
    pub(super) resolver: Option<CaptureResolver>,
    /// Whether it is yet to be guessed whose the packets are.
    pub(super) guesses: bool,
    /// What the ledger asked for and was not done yet.
    pub(super) effects: Vec<Effect>,
    /// Packet time at which flows are to be confirmed that were silent since.
    pub(super) next_due: Option<Duration>,
    pub(super) config: Config,
    pub(super) is_device: bool,
    /// Of a device of this host.
    pub(super) own: Option<OwnAddresses>,
    pub(super) injection: Option<Injection>,
    /// Of devices of this host, where it tells of them.
    pub(super) devices: Option<SeenDevices>,
    pub(super) refreshed: Instant,
    pub(super) started: Instant,
    pub(super) jumps: Jumps,
    pub(super) drops: Drops,
}

impl CaptureThread {
    /// How many packets are to be counted at a time: more than these, as long as it is not known
    /// whose they are.
    pub(super) const fn at_least(&self, packets: usize) -> usize {
        if self.guesses && packets < SAMPLE {
            SAMPLE
        } else {
            packets
        }
    }

    /// Counts packets, and the owners that were recorded with them, and empties the batch; where
    /// the last one belongs.
    pub(super) fn count(&mut self, batch: &mut Batch) -> Option<PacketRef> {
        self.guess(&batch.frames);
        if let Some(devices) = &mut self.devices {
            devices.find(batch, &self.shared);
        }
        let closed = self.resolver.as_mut().map(CaptureResolver::closed);
        let mut ledger = self.shared.ledger();
        if let Some(closed) = closed {
            ledger.sockets_closed(&closed);
        }
        ledger.refuse_claims(std::mem::take(&mut batch.refused));
        let mut evidence = batch.evidence.drain(..).peekable();
        let mut owners = batch.owners.drain(..).peekable();
        let mut newest = None;
        for (number, packet) in batch.frames.iter().enumerate() {
            newest = match packet {
                Frame::Decoded(packet) => Some(ledger.packet(packet, &mut self.effects)),
                Frame::Undecodable {
                    kind,
                    time,
                    wire_len,
                } => {
                    ledger.undecodable(kind, *time, *wire_len);
                    None
                }
            };
            while let Some((_, said)) = evidence.next_if(|(of, _)| *of == number) {
                if let (Frame::Decoded(packet), Some(of)) = (packet, newest) {
                    ledger.evidence(of, said, packet);
                }
            }
            let mut recorded = [None, None];
            while let Some((_, end, owner)) = owners.next_if(|(of, ..)| *of == number) {
                let end = match end {
                    ClaimedEnd::Of(end) => Some(end),
                    ClaimedEnd::OnHost => newest.and_then(|of| ledger.end_on_host(of)),
                };
                let Some(end) = end else { continue };
                let place: &mut Option<Owner> =
                    &mut recorded[usize::from(end != PacketEnd::Source)];
                // Of claims that contradict each other, the first holds.
                let is_better = |old: &Owner| owner.ownership.is_better_than(&old.ownership);
                if place.as_ref().is_none_or(is_better) {
                    *place = Some(owner);
                }
            }
            if let (Frame::Decoded(packet), Some(of)) = (packet, newest) {
                ledger.recorded(of, packet, recorded, &mut self.effects);
            }
        }
        batch.frames.clear();
        if self.next_due.is_some() {
            let now = ledger.now();
            ledger.confirm_due(now, &mut self.effects);
        }
        self.next_due = ledger.next_due();
        newest
    }

    /// Has flows confirmed that were silent for a moment.
    pub(super) fn confirm_due(&mut self, now: Duration) {
        let closed = self.resolver.as_mut().map(CaptureResolver::closed);
        let mut ledger = self.shared.ledger();
        if let Some(closed) = closed {
            ledger.sockets_closed(&closed);
        }
        ledger.confirm_due(now, &mut self.effects);
        self.next_due = ledger.next_due();
    }

    /// Marks the flows whose owners are about to be asked for, and of which it is in doubt that a
    /// socket sent them.
    pub(super) fn doubt(&mut self, packet: &Packet) {
        let Some(injection) = &mut self.injection else {
            return;
        };
        for effect in &self.effects {
            if let Effect::Ask(waiter, question) = effect
                && injection.may_have_sent(packet, question)
            {
                self.shared.ledger().doubt(*waiter);
            }
        }
    }

    /// Guesses whose packets these are, the first of a file, if that is yet to be guessed.
    fn guess(&mut self, frames: &[Frame]) {
        if !std::mem::take(&mut self.guesses) {
            return;
        }
        let packets = frames.iter().filter_map(|packet| match packet {
            Frame::Decoded(packet) => Some(*packet),
            Frame::Undecodable { .. } => None,
        });
        let addresses = infer_local_addresses(packets);
        if !addresses.is_empty() {
            let local = addresses.iter().copied().collect();
            self.shared.ledger().set_local_addresses(local);
            self.shared.status().whose = LocalAddressSource::Guessed(addresses);
        }
    }

    /// Lets time pass without a packet.
    pub(super) fn advance(&mut self, now: Duration) {
        self.shared.ledger().advance(now, &mut self.effects);
    }

    /// Does what the ledger asked for.
    pub(super) fn carry_out(&mut self) {
        self.shared
            .carry_out(&mut self.effects, self.resolver.as_mut());
    }

    /// Asks for all that was put off.
    pub(super) fn settle(&mut self) {
        let settled = self
            .resolver
            .as_mut()
            .map(CaptureResolver::poll_all_pending);
        for (waiter, owner) in settled.into_iter().flatten() {
            self.shared
                .write_down(waiter, owner, false, &mut self.effects);
        }
        self.carry_out();
        let closed = self.resolver.as_mut().map(CaptureResolver::closed_at_last);
        if let Some(closed) = closed {
            self.shared.ledger().sockets_closed(&closed);
        }
    }

    /// How long a packet may be waited for, as far as that matters here.
    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        /// So that one wake-up serves many flows.
        const LEAST: Duration = Duration::from_millis(5);
        let due = self
            .next_due
            .map(|due| LEAST.max(due.saturating_sub(now())));
        let put_off = self
            .resolver
            .as_ref()
            .and_then(CaptureResolver::poll_timeout);
        [due, put_off].into_iter().flatten().min()
    }

    /// Tells what is not as it should be, though the input goes on or is complete.
    pub(super) fn warn(&self, warning: Option<String>) {
        if let Some(warning) = warning {
            let shared = &self.shared;
            shared.status().warning = Some(warning.clone());
            shared.tell(Event::Warning(warning));
        }
    }

    /// Tells how far the input was read.
    pub(super) fn progress(&self, progress: Option<Progress>) {
        if let Some(progress) = progress {
            self.shared.progress.set(progress);
        }
    }
}
