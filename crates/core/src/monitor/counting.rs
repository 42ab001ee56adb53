//! The counting of the capture thread, and the effects of the ledger.

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
use crate::engine::ledger::doubt::Doubt;
use crate::engine::local_addresses::infer_local_addresses;
use crate::model::event::Event;
use crate::model::packet_ref::{ClaimedEnd, PacketEnd, PacketRef};
use crate::model::principal::Owner;
use crate::model::report::LocalAddressSource;

/// The number of first packets of a file from which this infers the host's addresses.
const SAMPLE: usize = 10_000;

/// The capture thread.
pub(super) struct CaptureThread {
    pub(super) shared: Arc<Shared>,
    /// Looks up the owners of new flows before their sockets are gone.
    pub(super) resolver: Option<CaptureResolver>,
    /// Whether the host's addresses are still to be inferred.
    pub(super) guesses: bool,
    /// Effects of the ledger that are not carried out yet.
    pub(super) effects: Vec<Effect>,
    /// Packet time at which silent flows are due for a confirmation.
    pub(super) next_due: Option<Duration>,
    pub(super) config: Config,
    pub(super) is_device: bool,
    /// For a device of this host.
    pub(super) own: Option<OwnAddresses>,
    pub(super) injection: Option<Injection>,
    /// For devices of this host, if packets carry their index.
    pub(super) devices: Option<SeenDevices>,
    pub(super) refreshed: Instant,
    pub(super) started: Instant,
    pub(super) jumps: Jumps,
    pub(super) drops: Drops,
}

impl CaptureThread {
    /// How many packets to count at a time: more until the host's addresses are inferred.
    pub(super) const fn at_least(&self, packets: usize) -> usize {
        if self.guesses && packets < SAMPLE {
            SAMPLE
        } else {
            packets
        }
    }

    /// Counts the packets and recorded owners of a batch, and empties it. Returns the flow of the
    /// last packet.
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
        ledger.add_broadcasts(batch.broadcasts.drain(..));
        ledger.refuse_claims(std::mem::take(&mut batch.refused));
        let mut names = batch.names.drain(..).peekable();
        let mut evidence = batch.evidence.drain(..);
        let mut evidence_of = batch.evidence_of.drain(..);
        let mut said_by = evidence_of.next();
        let mut owners = batch.owners.drain(..).peekable();
        let mut newest = None;
        for (number, packet) in batch.frames.iter().enumerate() {
            while let Some((_, address, name)) = names.next_if(|(of, ..)| *of == number) {
                ledger.name_recorded(address, name);
            }
            newest = match packet {
                Frame::Decoded(packet) => ledger.packet(packet, &mut self.effects),
                Frame::Undecodable {
                    kind,
                    time,
                    wire_len,
                } => {
                    ledger.undecodable(kind, *time, *wire_len);
                    None
                }
            };
            let mut recorded = [None, None];
            while let Some((_, end, owner)) = owners.next_if(|(of, ..)| *of == number) {
                let end = match end {
                    ClaimedEnd::Of(end) => Some(end),
                    ClaimedEnd::OnHost => newest.and_then(|of| ledger.end_on_host(of)),
                };
                let Some(end) = end else { continue };
                let place: &mut Option<Owner> =
                    &mut recorded[usize::from(end != PacketEnd::Source)];
                // Of contradicting claims, the first one counts.
                let is_better = |old: &Owner| owner.ownership.is_better_than(&old.ownership);
                if place.as_ref().is_none_or(is_better) {
                    *place = Some(owner);
                }
            }
            if let (Frame::Decoded(packet), Some(of)) = (packet, newest) {
                ledger.recorded(of, packet, recorded, &mut self.effects);
            }
            // With its owner the packet may have begun another flow.
            while said_by == Some(number)
                && let Some(said) = evidence.next()
            {
                said_by = evidence_of.next();
                if let (Frame::Decoded(packet), Some(of)) = (packet, newest) {
                    ledger.evidence(of, said, packet);
                }
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

    /// Confirms the owners of flows that were silent for a moment.
    pub(super) fn confirm_due(&mut self, now: Duration) {
        let closed = self.resolver.as_mut().map(CaptureResolver::closed);
        let mut ledger = self.shared.ledger();
        if let Some(closed) = closed {
            ledger.sockets_closed(&closed);
        }
        ledger.confirm_due(now, &mut self.effects);
        self.next_due = ledger.next_due();
    }

    /// Marks flows whose lookup is about to begin, if their first packet may not come from a
    /// socket.
    pub(super) fn doubt(&mut self, packet: &Packet) {
        let Some(injection) = &mut self.injection else {
            return;
        };
        for effect in &self.effects {
            if let Effect::Ask(waiter, question) = effect {
                let doubt = injection.doubt(packet, question);
                if doubt != Doubt::None {
                    self.shared.ledger().doubt(*waiter, doubt);
                }
            }
        }
    }

    /// Infers the host's addresses from the first packets of a file, if that is still to do.
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
            self.shared.status().local_addresses = LocalAddressSource::Inferred(addresses);
        }
    }

    /// Lets time pass without a packet.
    pub(super) fn advance(&mut self, now: Duration) {
        self.shared.ledger().advance(now, &mut self.effects);
    }

    /// Carries out the effects of the ledger.
    pub(super) fn carry_out(&mut self) {
        self.shared
            .carry_out(&mut self.effects, self.resolver.as_mut());
    }

    /// Makes all pending fast lookups.
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

    /// How long this may wait for a packet.
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

    /// Reports a problem, although the input continues or is complete.
    pub(super) fn warn(&self, warning: Option<String>) {
        if let Some(warning) = warning {
            let shared = &self.shared;
            shared.status().warning = Some(warning.clone());
            shared.tell(Event::Warning(warning));
        }
    }

    /// Reports how far the input has been read.
    pub(super) fn progress(&self, progress: Option<Progress>) {
        if let Some(progress) = progress {
            self.shared.progress.set(progress);
        }
    }
}
