//! What the ledger is told of devices.

use std::num::NonZeroU32;

use flowner_capture::Link;

use super::Ledger;

impl Ledger {
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
