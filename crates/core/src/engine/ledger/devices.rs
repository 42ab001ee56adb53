//! What the ledger learns of devices and the networks that they lead to.

use std::net::IpAddr;
use std::num::NonZeroU32;

use flowner_capture::Link;

use super::Ledger;

impl Ledger {
    /// Flows opened from now on to one of these addresses are for all hosts of a network.
    pub(crate) fn add_broadcasts(&mut self, addresses: impl Iterator<Item = IpAddr>) {
        for address in addresses {
            self.table.add_broadcast(address);
        }
    }

    /// Packets that say no device are of this one.
    pub(crate) fn set_only_device(&mut self, name: &str) {
        self.devices.set_only(name);
    }

    /// The devices that this host has now.
    pub(crate) fn set_devices(&mut self, all: &[Link]) {
        let names = all.iter().map(|link| (link.index, &*link.name));
        self.devices.set_names(names);
    }

    /// Whether it was told of a device.
    pub(crate) fn knows_device(&self, index: NonZeroU32) -> bool {
        self.devices.knows(index)
    }
}
