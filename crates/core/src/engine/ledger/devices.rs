//! What the ledger learns of devices and the networks that they lead to.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::num::NonZeroU32;

use flowner_capture::Link;
use flowner_flows::{DeviceLink, Peer, Topology};

use super::Ledger;

/// Which devices are captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CapturedDevices {
    All,
    /// Those with these names.
    Named(BTreeSet<String>),
}

impl CapturedDevices {
    /// How these devices hang together. The work grows with their number, so no lock is held for it.
    pub(crate) fn topology(&self, all: &[Link]) -> Topology {
        let is_vrf = |link: &&Link| link.kind.as_deref() == Some("vrf");
        let vrfs: BTreeSet<u32> = all.iter().filter(is_vrf).map(|link| link.index).collect();
        let topology = Topology::new(all.iter().filter_map(|link| device_link(link, &vrfs)));
        match self {
            Self::All => topology,
            Self::Named(names) => {
                let captured = all.iter().filter(|link| names.contains(&link.name));
                topology.captured_on(captured.filter_map(|link| NonZeroU32::new(link.index)))
            }
        }
    }
}

impl Ledger {
    /// Flows opened from now on to one of these addresses are for all hosts of a network.
    pub(crate) fn add_broadcasts(&mut self, addresses: impl Iterator<Item = IpAddr>) {
        for address in addresses {
            self.table.add_broadcast(address);
        }
    }

    /// The same, where a packet that is captured on several of these devices counts once.
    pub(crate) fn counting_once(self, captured: Option<CapturedDevices>) -> Self {
        Self {
            counted_once: captured,
            ..self
        }
    }

    /// Packets that say no device are of this one.
    pub(crate) fn set_only_device(&mut self, name: &str) {
        self.devices.set_only(name);
    }

    /// The captured devices, if a packet may be captured on several.
    pub(crate) fn captured_devices(&self) -> Option<CapturedDevices> {
        self.counted_once.clone()
    }

    /// Sets the devices that this host has now, and how the captured ones hang together.
    pub(crate) fn set_devices(&mut self, all: &[Link], topology: Option<Topology>) {
        let names = all.iter().map(|link| (link.index, &*link.name));
        self.devices.set_names(names);
        self.table.set_topology(topology);
    }

    /// Whether a flow opened, since this was asked last, that has no end on this
    /// host, or that claims one: a sign that its addresses changed.
    pub(crate) fn take_foreign(&mut self) -> bool {
        std::mem::take(&mut self.saw_foreign)
    }

    /// Whether it was told of a device.
    pub(crate) fn knows_device(&self, index: NonZeroU32) -> bool {
        self.devices.knows(index)
    }
}

/// How a device hangs together with others of this network namespace. (`IFLA_LINK` of a tunnel is the
/// device that its packets take, which carry those of the tunnel and are others.)
fn device_link(link: &Link, vrfs: &BTreeSet<u32>) -> Option<DeviceLink> {
    let mut found = DeviceLink::new(NonZeroU32::new(link.index)?);
    let other = link.link.and_then(NonZeroU32::new);
    match link.kind.as_deref() {
        Some("veth") => {
            found.peer = match link.namespace {
                Some(namespace) => Some(Peer::Elsewhere(namespace)),
                None => other.map(Peer::Here),
            };
        }
        Some("vlan" | "macvlan" | "macvtap" | "ipvlan" | "ipvtap") if link.namespace.is_none() => {
            found.parent = other;
        }
        _ => {}
    }
    // A device of a VRF keeps its addresses, and its packets are captured on it alone.
    let master = link.master.filter(|master| !vrfs.contains(master));
    found.master = master.and_then(NonZeroU32::new);
    Some(found)
}
