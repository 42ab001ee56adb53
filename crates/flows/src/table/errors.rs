//! ICMP errors, which belong to the flow that they are about.

use super::lists::Slot;
use super::{FlowTable, Update};
use crate::address::normalize;
use crate::error::FlowError;
use crate::key::{Class, FlowKey};
use crate::packet::Packet;

impl<T: Clone + Default> FlowTable<T> {
    /// Counts an ICMP error in the flow that it is about, as a packet of the end to which the
    /// quoted packet went: a router on the way speaks for it. `None` if it is no error, or quotes a
    /// packet that was never sent: then it is a message like any other.
    pub(super) fn ingest_error(&mut self, packet: &Packet) -> Option<Update> {
        let message = packet.icmp_message()?;
        let about = message.about?;
        let error = FlowError::of(packet.protocol, &message)?;
        let local = self.config.local.as_ref();
        // It goes back to the sender of the packet.
        let is_for_sender = normalize(packet.destination).ip() == normalize(about.source).ip();
        if !is_for_sender || Class::of(packet, local) != Class::Genuine {
            return None;
        }
        let (key, from_low) = FlowKey::of_quoted(&about, packet, local);
        let slot: Slot = self.by_key.find(&key, &self.lists)?;
        let flow = self.lists.get(slot)?;
        let from_initiator = flow.is_from_initiator(from_low);
        if !flow.may_have_sent(from_initiator, &about) {
            return None;
        }
        // The quoted bytes are not payload of this flow.
        let packet = Packet {
            payload_len: 0,
            ..*packet
        };
        if let Some(update) = self.copy_of(slot, &packet, !from_initiator) {
            return Some(update);
        }
        // So it is counted once.
        self.point = None;
        self.lists.get_mut(slot)?.fail(!from_initiator, error);
        Some(self.count(slot, &packet, !from_initiator))
    }
}
