//! The devices in the ledger, and the networks that they lead to.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::num::NonZeroU32;

use flowner_capture::Link;
use flowner_flows::{DeviceLink, Peer, Topology};

use super::Ledger;

/// The captured devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CapturedDevices {
    All,
    /// The devices with these names.
    Named(BTreeSet<String>),
}

impl CapturedDevices {
    /// The topology of these devices. The work grows with their number, so the caller holds no lock
    /// during it.
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
    /// Sets the broadcast addresses, for flows that open from now on.
    pub(crate) fn add_broadcasts(&mut self, addresses: impl Iterator<Item = IpAddr>) {
        for address in addresses {
            self.table.add_broadcast(address);
        }
    }

    /// The same ledger, which counts a packet once if several of these devices capture it.
    pub(crate) fn counting_once(self, captured: Option<CapturedDevices>) -> Self {
        Self {
            counted_once: captured,
            ..self
        }
    }

    /// Sets the device of packets that name none.
    pub(crate) fn set_only_device(&mut self, name: &str) {
        self.devices.set_only(name);
    }

    /// The captured devices, if several may capture the same packet.
    pub(crate) fn captured_devices(&self) -> Option<CapturedDevices> {
        self.counted_once.clone()
    }

    /// Sets the current devices of this host, and the topology of the captured ones.
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

    /// Whether the ledger knows a device.
    pub(crate) fn knows_device(&self, index: NonZeroU32) -> bool {
        self.devices.knows(index)
    }
}

/// How a device is linked to others of this network namespace. (`IFLA_LINK` of a tunnel is the device
/// for its outer packets, which differ from the packets inside of the tunnel.)
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
