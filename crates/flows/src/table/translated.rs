//! Flows whose ends this host translates (NAT): each packet belongs to two flows, and counts in one.

use std::net::SocketAddr;
use std::time::Duration;

use super::lists::Slot;
use super::{Change, EndReason, Ended, FlowTable, Update};
use crate::address::normalize;
use crate::copies::{Amount, Original, Point, Translation};
use crate::key::{Class, FlowKey};
use crate::{Counters, Direction, FlowId, Packet};

/// After this time without a packet of the original flow, a new flow is not its other side.
const STALE: Duration = Duration::from_secs(5);

/// So often, packets of a flow may turn out to be others than those of the original flow.
const MAX_FAILED: u8 = 4;

/// What of a flow another one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moved {
    /// Of what the local end sent.
    pub sent: Counters,
    /// Of what the remote end sent.
    pub received: Counters,
}

/// Packets that count in a flow after all, because the flow that was to count them has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kept {
    /// The flow.
    pub id: FlowId,
    /// Whether its local end sent them.
    pub is_local: bool,
    /// The packets.
    pub counters: Counters,
    /// Packet time at which that was known.
    pub at: Duration,
}

/// What two flows have in common.
#[derive(Debug, Clone, Copy)]
struct Shared {
    at: Slot,
    /// What the socket has sent and received, of the translated flow.
    sent: Counters,
    received: Counters,
    /// Of what was received, the packets that the original flow has not counted yet.
    held: Counters,
}

/// What a flow held for another one, and is to count itself after all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Untied {
    slot: Slot,
    by_initiator: bool,
    held: Counters,
    /// They did not go on. Else they still may, and then the other flow counts them.
    is_late: bool,
}

impl<T: Clone + Default> FlowTable<T> {
    /// Says that this host translates the ends of a flow: the socket at its local end, or at its remote one,
    /// has the first of these ends, and exchanges packets with the second. `None`: it does not
    /// translate them (any more).
    ///
    /// This alone counts nothing otherwise: [`join`](Self::join) does. It has no effect where each capture
    /// of a packet counts ([`set_topology`](Self::set_topology)), nor for a socket of this host itself,
    /// whose packets no device shows before translation.
    pub fn set_translation(
        &mut self,
        id: FlowId,
        is_local: bool,
        original: Option<(SocketAddr, SocketAddr)>,
    ) {
        let Some(slot) = self.slot(id) else { return };
        let made = original.and_then(|ends| self.translation(slot, is_local, ends));
        let old = self.lists.get(slot).and_then(|flow| flow.translation());
        let is_same = match (old, &made) {
            (Some(old), Some(new)) => old.is_same(new),
            (None, None) => true,
            _ => false,
        };
        if is_same {
            return;
        }
        self.untie_and_keep(slot);
        let Some(made) = made else { return };
        if let Some(flow) = self.lists.get_mut(slot) {
            let key = flow.key();
            flow.set_translation(Some(made));
            self.translated.insert(made.original.key, key);
        }
    }

    fn translation(
        &self,
        slot: Slot,
        is_local: bool,
        (socket, peer): (SocketAddr, SocketAddr),
    ) -> Option<Translation> {
        self.topology.as_ref()?;
        let flow = self.lists.get(slot)?;
        let (mut socket, mut peer) = (normalize(socket), normalize(peer));
        let (end, other) = if is_local {
            (flow.local(), flow.remote())
        } else {
            (flow.remote(), flow.local())
        };
        if !flow.protocol().has_ports() {
            // The id of echo requests stands in place of the port of who sends them.
            let id = socket.port().max(peer.port());
            socket.set_port(if end.port() == 0 { 0 } else { id });
            peer.set_port(if other.port() == 0 { 0 } else { id });
        }
        let is_usable = flow.key().class() == Class::Genuine
            && flow.failed_ties() < MAX_FAILED
            && !self.is_own(socket.ip(), None);
        if !is_usable {
            return None;
        }
        let key = FlowKey::new(flow.protocol(), socket, peer);
        if key == flow.key() || self.is_tied_to_another(&key, flow.key_ref()) {
            return None;
        }
        let socket_is_initiator = end == flow.initiator();
        let socket_is_low = key.ends().0 == socket;
        let original = Original {
            key,
            initiator_is_low: socket_is_low == socket_is_initiator,
        };
        let now = flow.last_seen();
        Some(Translation::new(original, socket_is_initiator, now))
    }

    /// Whether a flow counts the packets of another one, not of this.
    fn is_tied_to_another(&self, original: &FlowKey, key: &FlowKey) -> bool {
        let other = self.translated.get(original).filter(|other| *other != key);
        let slot = other.and_then(|other| self.by_key.find(other, &self.lists));
        let flow = slot.and_then(|slot| self.lists.get(slot));
        flow.is_some_and(|flow| {
            flow.is_joined() && self.now() < flow.last_seen().saturating_add(STALE)
        })
    }

    /// The flow whose ends this host has translated from those of another one.
    pub fn translated_flow(&self, original: FlowId) -> Option<FlowId> {
        if self.translated.is_empty() {
            return None;
        }
        let key = self.flow(original)?.key();
        let slot = self.by_key.find(self.translated.get(&key)?, &self.lists)?;
        Some(self.lists.get(slot)?.id())
    }

    /// Lets the original flow count the packets of a flow with [translated](Self::set_translation) ends,
    /// if it is there. What both have counted moves to what was
    /// [seen again](super::TableStatistics::seen_again): that much is returned.
    ///
    /// The flow leaves the table if it had counted something, with what it keeps, and goes on under another
    /// id once it has a packet that the original flow did not have.
    pub fn join(&mut self, id: FlowId, ended: &mut Vec<Ended<T>>) -> Option<Moved> {
        let slot = self.slot(id)?;
        let flow = self.lists.get(slot)?;
        let mut translation = *flow.translation().filter(|it| !it.is_joined)?;
        let shared = self.shared(slot, &translation)?;
        translation.is_joined = true;
        let socket = translation.socket_is_initiator;
        let Shared {
            at, sent, received, ..
        } = shared;
        let amount = amount(shared.held);
        if amount != Amount::default() {
            translation.hold(amount, shared.held, flow.last_seen());
        }
        let initiator_is_low = translation.original.initiator_is_low;
        let socket_began = self
            .lists
            .get(at)?
            .is_from_initiator(socket == initiator_is_low);
        let (was_empty, device) = (flow.is_empty(), flow.device());
        let is_local = flow.is_from_local(socket);
        let flow = self.lists.get_mut(slot)?;
        flow.set_translation(Some(translation));
        if !was_empty {
            let rest = FlowId(self.next_id);
            self.next_id += 1;
            let (mark, now) = (flow.mark(), flow.last_seen());
            let mut part = flow.cut(rest, &mark, now);
            flow.forget_kept();
            part.take_away(sent, socket);
            part.take_away(received, !socket);
            self.by_id.remove(&id);
            self.by_id.insert(rest, slot);
            self.newest = None;
            let all = sent + received;
            self.statistics.seen_again += all;
            self.statistics.packets = self.statistics.packets.saturating_sub(all.packets);
            self.ended(part, EndReason::Translated, ended);
        }
        let original = self.lists.get_mut(at)?;
        original.set_original();
        if let (Some(device), Some(topology)) = (device, &self.topology) {
            original.took_copies(sent, socket_began, Point::out_of(device), topology);
        }
        let (sent, received) = if is_local {
            (sent, received)
        } else {
            (received, sent)
        };
        Some(Moved { sent, received })
    }

    /// What two flows have in common, if one is the other before translation.
    fn shared(&self, slot: Slot, translation: &Translation) -> Option<Shared> {
        let flow = self.lists.get(slot)?;
        let of = translation.original;
        let at = self.by_key.find(&of.key, &self.lists)?;
        let original = self.lists.get(at)?;
        // Each may be the other before translation, by one of the ends. That with an address of this host
        // in place of another's is the translated one.
        let is_forwarded = |direction| direction == Direction::Forwarded;
        let is_before = !is_forwarded(flow.direction()) || is_forwarded(original.direction());
        let is_usable = at != slot
            && is_before
            && !original.is_empty()
            && !original.is_joined()
            && !original.direction().is_foreign()
            && !self.is_tied_to_another(&of.key, flow.key_ref())
            && flow.first_seen() <= original.last_seen().saturating_add(STALE);
        if !is_usable {
            return None;
        }
        let of_both = |by_socket: bool| {
            let initiator = by_socket == translation.socket_is_initiator;
            let counted = flow.sent_by(initiator);
            let counted = counted.saturating_sub(flow.kept_of(initiator));
            let same = original.is_from_initiator(initiator == of.initiator_is_low);
            (counted, common(counted, original.sent_by(same)))
        };
        // What its socket sends was counted before, and what it receives comes by again.
        let (_, sent) = of_both(true);
        let (received, went_on) = of_both(false);
        let has_common = sent.packets > 0 || went_on.packets > 0;
        (flow.is_empty() || has_common).then(|| Shared {
            at,
            sent,
            received,
            held: received.saturating_sub(went_on),
        })
    }

    /// Packets that count in a flow after all, since this was called last: a flow before or after
    /// [translation](Self::join) was to count them, and this host did not pass them on.
    pub fn take_kept(&mut self) -> impl Iterator<Item = Kept> + use<T> {
        std::mem::take(&mut self.kept).into_iter()
    }

    /// Whether another flow counts a packet of this one, or has counted it before.
    pub(super) fn copy_of_original(
        &mut self,
        slot: Slot,
        packet: &Packet,
        from_initiator: bool,
        point: Point,
    ) -> Option<Update> {
        let flow = self.lists.get(slot)?;
        if let Some(translation) = flow.translation().filter(|it| it.is_joined) {
            let translation = *translation;
            return self.passed_on(slot, translation, packet, from_initiator, point);
        }
        if flow.is_original() {
            self.went_on(slot, packet, from_initiator);
        }
        None
    }

    fn passed_on(
        &mut self,
        slot: Slot,
        translation: Translation,
        packet: &Packet,
        from_initiator: bool,
        point: Point,
    ) -> Option<Update> {
        let is_by_socket = from_initiator == translation.socket_is_initiator;
        let Original {
            key,
            initiator_is_low,
        } = translation.original;
        let original = self.by_key.find(&key, &self.lists);
        let (true, Some(at)) = (!translation.is_broken(packet), original) else {
            self.untie(slot);
            return None;
        };
        if !is_by_socket && !point.is_in() {
            // It was held when it arrived, so this is not the connection that it seems to be.
            self.fail_to_tie(slot);
            return None;
        }
        let original = self.lists.get_mut(at)?;
        let same = original.is_from_initiator(from_initiator == initiator_is_low);
        if is_by_socket {
            let topology = self.topology.as_ref()?;
            if !original.takes_copy(packet, same, (point, true), topology) {
                self.fail_to_tie(slot);
                return None;
            }
        }
        let (id, previous) = (original.id(), original.last_seen());
        let flow = self.lists.get_mut(slot)?;
        flow.follow(packet, from_initiator);
        if !is_by_socket && let Some(translation) = flow.translation_mut() {
            let counters = Counters::one(packet.wire_len, packet.payload_len);
            translation.hold(Amount::of(packet), counters, packet.time);
        }
        self.touch(slot);
        self.statistics.packets -= 1;
        self.statistics.seen_again += Counters::one(packet.wire_len, packet.payload_len);
        Some(Update {
            id,
            change: Change::SeenAgain,
            from_initiator: same,
            is_skip: false,
            previous,
        })
    }

    /// The original flow counts a packet that goes on: it is not held any more.
    fn went_on(&mut self, at: Slot, packet: &Packet, from_initiator: bool) {
        let Some(original) = self.lists.get(at) else {
            return;
        };
        let from_low = original.is_from_initiator(true) == from_initiator;
        let Some(key) = self.translated.get(original.key_ref()) else {
            return;
        };
        let Some(slot) = self.by_key.find(key, &self.lists) else {
            return;
        };
        let flow = self.lists.get_mut(slot);
        let translation = flow.and_then(|flow| flow.translation_mut());
        if let Some(translation) = translation.filter(|it| it.is_joined) {
            let by_initiator = from_low == translation.original.initiator_is_low;
            if by_initiator != translation.socket_is_initiator {
                translation.went_on(packet);
            }
        }
    }

    /// A packet of a flow is not one of the original flow.
    fn fail_to_tie(&mut self, slot: Slot) {
        self.untie(slot);
        if let Some(flow) = self.lists.get_mut(slot) {
            flow.fail_to_tie();
        }
    }

    /// Lets a flow count its packets itself again, those as well that did not go on.
    pub(super) fn untie(&mut self, slot: Slot) {
        let Some(flow) = self.lists.get_mut(slot) else {
            return;
        };
        let Some(translation) = flow.translation().copied() else {
            return;
        };
        flow.set_translation(None);
        let key = flow.key();
        let held = translation.held();
        if held != Counters::default() {
            self.untied = Some(Untied {
                slot,
                by_initiator: !translation.socket_is_initiator,
                held,
                is_late: translation.is_late(self.clock.now()),
            });
        }
        let original = translation.original.key;
        if self.translated.get(&original) == Some(&key) {
            self.translated.remove(&original);
        }
    }

    /// As [`untie`](Self::untie), where no packet of the flow is being counted.
    pub(super) fn untie_and_keep(&mut self, slot: Slot) {
        self.untie(slot);
        self.keep();
    }

    /// Counts what a flow had held for another one.
    pub(super) fn keep(&mut self) {
        let Some(untied) = self.untied.take() else {
            return;
        };
        let (counters, from_initiator) = (untied.held, untied.by_initiator);
        self.statistics.packets += counters.packets;
        self.statistics.seen_again = self.statistics.seen_again.saturating_sub(counters);
        let now = self.clock.now();
        if let Some(flow) = self.lists.get_mut(untied.slot) {
            flow.recount(counters, from_initiator, now);
            if untied.is_late {
                flow.keep(counters, from_initiator);
            }
            self.kept.push(Kept {
                id: flow.id(),
                is_local: flow.is_from_local(from_initiator),
                counters,
                at: now,
            });
        }
    }
}

/// What of some packets are copies of others, which may have been taken together on their way.
fn common(packets: Counters, others: Counters) -> Counters {
    let is_within = packets.payload_bytes <= others.payload_bytes
        && (packets.payload_bytes > 0 || packets.packets <= others.packets);
    if is_within {
        packets
    } else {
        Counters {
            packets: packets.packets.min(others.packets),
            bytes: packets.bytes.min(others.bytes),
            payload_bytes: packets.payload_bytes.min(others.payload_bytes),
        }
    }
}

/// The payload of some packets; the number of those without any.
fn amount(counters: Counters) -> Amount {
    Amount {
        payload: counters.payload_bytes,
        empty: match counters.payload_bytes {
            0 => counters.packets,
            _ => 0,
        },
    }
}
