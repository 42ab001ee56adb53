//! Packets that are captured on several devices, and counted once.

use std::net::IpAddr;
use std::num::NonZeroU32;

use super::lists::Slot;
use super::{Change, FlowTable, Update};
use crate::address::normalize;
use crate::copies::{Point, Topology};
use crate::key::{Class, FlowKey};
use crate::{Counters, Origin, Packet};

impl<T: Clone + Default> FlowTable<T> {
    /// From now on, a packet is counted once that is captured on several devices of its way through this
    /// host: the devices hang together like this. `None` counts each capture of a packet.
    ///
    /// A packet is counted where it is captured first. One for this host that arrives on a port of a
    /// bridge or bond is counted on the device above it, which this host's stack gets it from. What was
    /// not counted is in [`TableStatistics::seen_again`](super::TableStatistics::seen_again).
    ///
    /// The devices above ports have to be captured, and the packets to be in the order in which they
    /// were captured.
    pub fn set_topology(&mut self, topology: Option<Topology>) {
        let topology = topology.filter(Topology::has_several);
        self.topology = topology.map(|topology| topology.after(self.topology.as_ref()));
    }

    /// Whether a frame for another host has an address of this one for its destination because it is on
    /// its way through a bridge, to this host: then it is counted on the device above. It is part of what
    /// was [seen again](super::TableStatistics::seen_again), and in no flow.
    pub fn is_on_its_way(&mut self, packet: &Packet) -> bool {
        let Some(topology) = &self.topology else {
            return false;
        };
        if packet.origin != Origin::OtherHost {
            return false;
        }
        let Some(device) = packet.device.filter(|device| topology.is_port(*device)) else {
            return false;
        };
        let scope = Some(topology.scope(device));
        let is_on_its_way = !self.is_own(packet.source.ip(), scope)
            && self.is_own(normalize(packet.destination).ip(), scope);
        if is_on_its_way {
            self.statistics.seen_again += Counters::one(packet.wire_len, packet.payload_len);
        }
        is_on_its_way
    }

    pub(super) fn is_own(&self, address: IpAddr, device: Option<NonZeroU32>) -> bool {
        let local = self.config.local.as_ref();
        local.is_some_and(|local| local.contains_on(address, device))
    }

    /// Notes where a packet was captured. Link-local addresses on a port belong to the device above:
    /// returns the packet on that device, where it is another one.
    pub(super) fn place(&mut self, packet: &Packet) -> Option<Packet> {
        let topology = self.topology.as_ref()?;
        self.point = Point::of(packet);
        let is_scoped = |address: IpAddr| match address {
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
            IpAddr::V4(_) => false,
        };
        if !is_scoped(packet.source.ip()) && !is_scoped(packet.destination.ip()) {
            return None;
        }
        let device = packet.device?;
        let scope = topology.scope(device);
        (scope != device).then_some(Packet {
            device: Some(scope),
            ..*packet
        })
    }

    /// Whether a packet of a flow was counted before, on another device.
    pub(super) fn copy_of(
        &mut self,
        slot: Slot,
        packet: &Packet,
        from_initiator: bool,
    ) -> Option<Update> {
        let point = self.point?;
        let topology = self.topology.as_ref()?;
        let passes_on = self.passes_on(packet);
        let flow = self.lists.get_mut(slot)?;
        if flow.is_copy(packet, from_initiator, (point, passes_on), topology) {
            return Some(self.seen_again(slot, packet, from_initiator));
        }
        self.copy_of_original(slot, packet, from_initiator, point)
    }

    /// Whether a packet that is not what it claims to be, as a device shows it, was counted before on
    /// another one: what this host sends through a pair of veth devices arrives with its own address.
    pub(super) fn copy_of_genuine(&mut self, packet: &Packet, key: &FlowKey) -> Option<Update> {
        let point = self.point?;
        if key.class() == Class::Genuine {
            return None;
        }
        let (genuine, from_low) = key.genuine(packet);
        let slot = self.by_key.find(&genuine, &self.lists)?;
        let passes_on = self.passes_on(packet);
        let topology = self.topology.as_ref()?;
        let flow = self.lists.get_mut(slot)?;
        let from_initiator = flow.is_from_initiator(from_low);
        if !flow.takes_copy(packet, from_initiator, (point, passes_on), topology) {
            return None;
        }
        Some(self.seen_again(slot, packet, from_initiator))
    }

    /// Whether this host may pass a packet on from one device to another.
    fn passes_on(&self, packet: &Packet) -> bool {
        let is_own = |ip| self.is_own(ip, packet.device);
        self.config.local.is_some()
            && !is_own(normalize(packet.source).ip())
            && !is_own(normalize(packet.destination).ip())
    }

    fn seen_again(&mut self, slot: Slot, packet: &Packet, from_initiator: bool) -> Update {
        #[expect(
            clippy::expect_used,
            reason = "the slot was found for this very packet"
        )]
        let mut flow = self.lists.get(slot).expect("the slot holds a flow");
        let mut from_initiator = from_initiator;
        if let Some(translation) = flow.translation().filter(|it| it.is_joined)
            && let Some(at) = self.by_key.find(&translation.original.key, &self.lists)
            && let Some(original) = self.lists.get(at)
        {
            let from_low = from_initiator == translation.original.initiator_is_low;
            (flow, from_initiator) = (original, original.is_from_initiator(from_low));
        }
        self.statistics.packets -= 1;
        self.statistics.seen_again += Counters::one(packet.wire_len, packet.payload_len);
        Update {
            id: flow.id(),
            change: Change::SeenAgain,
            from_initiator,
            is_skip: false,
            previous: flow.last_seen(),
        }
    }
}
