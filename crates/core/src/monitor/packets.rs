//! Packets on their way from the input to the books: as many at a time as the lock is worth.

use std::sync::Arc;
use std::time::Duration;

use flowner_attribution::LookupRequest;
use flowner_attribution::capture::CaptureResolver;
use flowner_capture::{Progress, RawPacket, decode};
use flowner_flows::Packet;

use super::asker::Asker;
use super::{Shared, now};
use crate::engine::convert;
use crate::engine::ledger::Effect;
use crate::engine::local_addresses::infer_local_addresses;
use crate::engine::recorded_owners::RecordedOwners;
use crate::model::config::{Reading, TimeBound};
use crate::model::event::Event;
use crate::model::packet_ref::{PacketEnd, PacketRef};
use crate::model::principal::Owner;
use crate::model::report::LocalAddressSource;

/// The first packets of a file, by which it is guessed whose it is.
const SAMPLE: usize = 10_000;

/// The name by which frames are counted of devices of a file whose frames cannot be decoded.
const UNKNOWN_LINK_TYPE: &str = "link-type";

/// Packets that are to be counted, in their order.
#[derive(Debug, Default)]
pub(super) struct Batch {
    seen: Vec<Seen>,
    /// Owners that are recorded with them: the place of the packet, its end, the owner.
    told: Vec<(usize, PacketEnd, Owner)>,
    /// Comments that claim an owner who cannot be.
    refused: u64,
}

impl Batch {
    pub(super) const fn len(&self) -> usize {
        self.seen.len()
    }

    /// Those that were decoded.
    pub(super) fn packets(&self) -> impl Iterator<Item = &Packet> {
        self.seen.iter().filter_map(|seen| match seen {
            Seen::Decoded(packet) => Some(packet),
            Seen::Undecodable { .. } => None,
        })
    }
}

/// A packet, as far as it is counted.
#[derive(Debug, Clone, Copy)]
enum Seen {
    Decoded(Packet),
    Undecodable {
        kind: &'static str,
        time: Duration,
        wire_len: u32,
    },
}

impl Seen {
    fn new(packet: &RawPacket<'_>) -> Self {
        let headers = match packet.link_type {
            Some(link_type) => decode(link_type, packet.data, packet.wire_len)
                .map_err(flowner_capture::DecodeError::kind),
            None => Err(UNKNOWN_LINK_TYPE),
        };
        match headers {
            Ok(headers) => Self::Decoded(convert::packet(&headers, packet)),
            Err(kind) => Self::Undecodable {
                kind,
                time: packet.time,
                wire_len: packet.wire_len,
            },
        }
    }
}

/// What is taken of an input.
#[derive(Debug)]
pub(super) struct PacketInput {
    range: Range,
    recall: RecordedOwners,
}

impl PacketInput {
    pub(super) fn new(reading: &Reading) -> Self {
        Self {
            range: Range::new(reading),
            recall: RecordedOwners::default(),
        }
    }

    /// Appends a packet, and the owners that are recorded with it, unless it is left out for
    /// its time; whether it is not.
    pub(super) fn take(&mut self, packet: &RawPacket<'_>, batch: &mut Batch) -> bool {
        if !self.range.contains(packet.time) {
            return false;
        }
        let place = batch.seen.len();
        batch.seen.push(Seen::new(packet));
        let told = self.recall.owners(packet.comments, packet.time);
        batch
            .told
            .extend(told.map(|(end, owner)| (place, end, owner)));
        batch.refused += self.recall.take_refused();
        true
    }
}

/// The packets that are counted, by their time.
#[derive(Debug)]
struct Range {
    from: Option<TimeBound>,
    to: Option<TimeBound>,
    first: Option<Duration>,
}

impl Range {
    const fn new(reading: &Reading) -> Self {
        Self {
            from: reading.from,
            to: reading.to,
            first: None,
        }
    }

    fn contains(&mut self, time: Duration) -> bool {
        let first = *self.first.get_or_insert(time);
        let time_of = |moment: TimeBound| moment.since_epoch(first);
        self.from.map(time_of).is_none_or(|from| from <= time)
            && self.to.map(time_of).is_none_or(|to| time <= to)
    }
}

/// What counts packets: the books, and those to whom they give work.
pub(super) struct Counter {
    pub(super) shared: Arc<Shared>,
    /// Asks for the owners of new flows before their sockets are gone.
    pub(super) resolver: Option<CaptureResolver>,
    /// Whether it is yet to be guessed whose the packets are.
    pub(super) guesses: bool,
    pub(super) effects: Vec<Effect>,
    /// Packet time at which flows are to be confirmed that were silent since.
    pub(super) next_due: Option<Duration>,
}

impl Counter {
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
        self.guess(&batch.seen);
        let closed = self.resolver.as_mut().map(CaptureResolver::closed);
        let mut ledger = self.shared.ledger();
        if let Some(closed) = closed {
            ledger.sockets_closed(&closed);
        }
        ledger.refuse_claims(std::mem::take(&mut batch.refused));
        let mut told = batch.told.drain(..).peekable();
        let mut newest = None;
        for (number, packet) in batch.seen.iter().enumerate() {
            newest = match packet {
                Seen::Decoded(packet) => Some(ledger.packet(packet, &mut self.effects)),
                Seen::Undecodable {
                    kind,
                    time,
                    wire_len,
                } => {
                    ledger.undecodable(kind, *time, *wire_len);
                    None
                }
            };
            while let Some((_, end, owner)) = told.next_if(|(of, ..)| *of == number) {
                if let Some(belonging) = newest {
                    ledger.recorded(belonging, end, owner);
                }
            }
        }
        batch.seen.clear();
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
    pub(super) fn doubt(&mut self, mut is_in_doubt: impl FnMut(&LookupRequest) -> bool) {
        for effect in &self.effects {
            if let Effect::Ask(waiter, question) = effect
                && is_in_doubt(question)
            {
                self.shared.ledger().doubt(*waiter);
            }
        }
    }

    /// Guesses whose packets these are, the first of a file, if that is yet to be guessed.
    fn guess(&mut self, seen: &[Seen]) {
        if !std::mem::take(&mut self.guesses) {
            return;
        }
        let packets = seen.iter().filter_map(|packet| match packet {
            Seen::Decoded(packet) => Some(*packet),
            Seen::Undecodable { .. } => None,
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

    /// Does what the books asked for.
    pub(super) fn carry_out(&mut self) {
        let mut asker = Asker::of_resolver(self.resolver.as_mut());
        self.shared.carry_out(&mut self.effects, &mut asker);
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
    }

    /// How long a packet may be waited for, as far as that matters here.
    pub(super) fn patience(&self) -> Option<Duration> {
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
