//! A flow whose ends this host translates, as far as one flow knows of it.

use std::time::Duration;

use super::{Copies, Flow};
use crate::copies::Translation;
use crate::{Counters, Packet};

impl<T> Flow<T> {
    /// What ties it to the flow before translation.
    pub(crate) fn translation(&self) -> Option<&Translation> {
        self.copies.as_ref()?.translation.as_ref()
    }

    pub(crate) fn translation_mut(&mut self) -> Option<&mut Translation> {
        self.copies.as_mut()?.translation.as_mut()
    }

    pub(crate) fn set_translation(&mut self, translation: Option<Translation>) {
        if translation.is_some() || self.copies.is_some() {
            self.copies.get_or_insert_default().translation = translation;
        }
    }

    /// Whether this host translates its ends, and it counts its packets itself as long as the flow before
    /// translation has none of them ([`FlowTable::set_translation`](crate::FlowTable::set_translation)).
    pub fn is_translated(&self) -> bool {
        self.translation().is_some_and(|it| !it.is_joined)
    }

    /// Whether another flow counts its packets.
    pub(crate) fn is_joined(&self) -> bool {
        self.translation().is_some_and(|it| it.is_joined)
    }

    /// Whether this host translates the ends of its packets, and another flow has the others.
    pub(crate) fn is_original(&self) -> bool {
        self.copies.as_ref().is_some_and(|it| it.is_original)
    }

    pub(crate) fn set_original(&mut self) {
        self.copies.get_or_insert_default().is_original = true;
    }

    /// How often its packets turned out to be others than those of the flow before translation.
    pub(crate) fn failed_ties(&self) -> u8 {
        self.copies.as_ref().map_or(0, |it| it.failed)
    }

    pub(crate) fn fail_to_tie(&mut self) {
        let copies: &mut Copies = self.copies.get_or_insert_default();
        copies.failed = copies.failed.saturating_add(1);
    }

    /// What the initiator sent, or the responder.
    pub(crate) const fn sent_by(&self, initiator: bool) -> Counters {
        if initiator {
            self.by_initiator.counters
        } else {
            self.by_responder.counters
        }
    }

    /// Of that, the packets that did not go on with other ends.
    pub(crate) fn kept_of(&self, initiator: bool) -> Counters {
        let copies = self.copies.as_ref();
        copies.map_or_else(Counters::default, |it| it.kept[usize::from(initiator)])
    }

    /// Takes away packets that another flow counts.
    pub(crate) fn take_away(&mut self, counters: Counters, from_initiator: bool) {
        let side = if from_initiator {
            &mut self.by_initiator
        } else {
            &mut self.by_responder
        };
        side.counters = side.counters.saturating_sub(counters);
    }

    /// Counts packets that no other flow has counted.
    pub(crate) fn recount(&mut self, counters: Counters, from_initiator: bool, now: Duration) {
        let side = if from_initiator {
            &mut self.by_initiator
        } else {
            &mut self.by_responder
        };
        side.counters += counters;
        let bytes = u32::try_from(counters.bytes).unwrap_or(u32::MAX);
        side.rate.add(now, bytes);
    }

    /// No other flow will count these packets.
    pub(crate) fn keep(&mut self, counters: Counters, from_initiator: bool) {
        let copies: &mut Copies = self.copies.get_or_insert_default();
        copies.kept[usize::from(from_initiator)] += counters;
    }

    /// What was kept is another flow's by now.
    pub(crate) fn forget_kept(&mut self) {
        if let Some(copies) = &mut self.copies {
            copies.kept = [Counters::default(); 2];
        }
    }

    /// Follows a connection by a packet that another flow counts.
    pub(crate) fn follow(&mut self, packet: &Packet, from_initiator: bool) {
        self.last_seen = self.last_seen.max(packet.time);
        if let Some(tcp) = packet.tcp_header() {
            self.state = self
                .tcp
                .advance(self.state, from_initiator, tcp, packet.payload_len);
        }
        if let Some(translation) = self.translation_mut() {
            translation.follow(packet);
        }
    }
}
