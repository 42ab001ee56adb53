//! Packets of a flow that are captured on several devices.

use super::Flow;
use crate::copies::{Point, Sightings, Topology, Translation};
use crate::{Counters, Packet};

/// What a flow knows of its packets that are captured on several devices.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Copies {
    /// What the responder and the initiator sent.
    sightings: [Sightings; 2],
    /// Of a flow with translated ends.
    pub(super) translation: Option<Translation>,
    /// Of what the responder and the initiator sent, the packets that did not go on with other ends.
    pub(super) kept: [Counters; 2],
    /// Whether this host translates the ends of its packets.
    pub(super) is_original: bool,
    /// How often packets turned out to be others than those of the flow before translation.
    pub(super) failed: u8,
}

impl<T> Flow<T> {
    /// Whether a packet, by the initiator or not, was counted before at another point. If not, it is
    /// expected at others from now on. The flag says that this host may pass it on.
    pub(crate) fn is_copy(
        &mut self,
        packet: &Packet,
        from_initiator: bool,
        (point, passes_on): (Point, bool),
        topology: &Topology,
    ) -> bool {
        let passes_on = passes_on || self.is_original();
        if self.copies.is_none() && !topology.goes_on(point, passes_on) {
            return false;
        }
        let sightings = &mut self.copies.get_or_insert_default().sightings;
        sightings[usize::from(from_initiator)].is_copy(packet, point, topology, passes_on)
    }

    /// As [`is_copy`](Self::is_copy), and expects nothing of a packet that is none.
    pub(crate) fn takes_copy(
        &mut self,
        packet: &Packet,
        from_initiator: bool,
        (point, passes_on): (Point, bool),
        topology: &Topology,
    ) -> bool {
        let passes_on = passes_on || self.is_original();
        let of = |copies: &mut Box<Copies>| {
            let sightings = &mut copies.sightings[usize::from(from_initiator)];
            sightings.takes(packet, point, topology, passes_on)
        };
        self.copies.as_mut().is_some_and(of)
    }

    /// Records that copies of so much came by at a point already.
    pub(crate) fn took_copies(
        &mut self,
        counters: Counters,
        from_initiator: bool,
        point: Point,
        topology: &Topology,
    ) {
        let amount = crate::copies::Amount {
            payload: counters.payload_bytes,
            empty: match counters.payload_bytes {
                0 => counters.packets,
                _ => 0,
            },
        };
        let copies = self.copies.get_or_insert_default();
        copies.sightings[usize::from(from_initiator)].took(amount, point, topology);
    }
}
