//! Packets of a flow that are captured on several devices.

use super::Flow;
use crate::Packet;
use crate::copies::{Point, Sightings, Topology};

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
        if self.sightings.is_none() && !topology.goes_on(point, passes_on) {
            return false;
        }
        let sightings = self.sightings.get_or_insert_default();
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
        let of = |sightings: &mut Box<[Sightings; 2]>| {
            sightings[usize::from(from_initiator)].takes(packet, point, topology, passes_on)
        };
        self.sightings.as_mut().is_some_and(of)
    }
}
