//! The devices of this host: their names and counters.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;
use std::sync::Arc;

use flowner_flows::{Counters, Packet};

use crate::model::report::DeviceTotals;

/// The number of devices whose names are kept, and whose packets are counted separately. Containers
/// come and go with their devices.
const MAX: usize = 4_096;

/// The known devices by index.
#[derive(Debug, Default)]
pub(crate) struct Devices {
    names: HashMap<NonZeroU32, Arc<str>>,
    /// The only device, whose packets do not carry a device index.
    only: Option<Arc<str>>,
    counted: BTreeMap<Option<NonZeroU32>, Counters>,
}

impl Devices {
    /// Sets the device of packets without a device index.
    pub(crate) fn set_only(&mut self, name: &str) {
        self.only = Some(name.into());
    }

    /// Sets the current devices. A device that is gone keeps its name for its counters, unless
    /// there are too many.
    pub(crate) fn set_names<'a>(&mut self, all: impl IntoIterator<Item = (u32, &'a str)>) {
        let earlier = std::mem::take(&mut self.names);
        for (index, name) in all.into_iter().take(MAX) {
            let Some(index) = NonZeroU32::new(index) else {
                continue;
            };
            let known = earlier.get(&index).filter(|known| ***known == *name);
            self.names
                .insert(index, known.map_or_else(|| name.into(), Arc::clone));
        }
        for (index, name) in earlier {
            if self.names.len() < MAX {
                self.names.entry(index).or_insert(name);
            }
        }
    }

    /// Whether the name of a device is known.
    pub(crate) fn knows(&self, index: NonZeroU32) -> bool {
        self.names.contains_key(&index)
    }

    /// The name of the device with this index, or of packets without an index.
    pub(crate) fn name(&self, index: Option<NonZeroU32>) -> Option<&Arc<str>> {
        match index {
            Some(index) => self.names.get(&index),
            None => self.only.as_ref(),
        }
    }

    /// Counts a packet on its device.
    pub(crate) fn count(&mut self, packet: &Packet) {
        let one = Counters {
            packets: 1,
            bytes: packet.wire_len.into(),
            payload_bytes: packet.payload_len.into(),
        };
        if let Some(counted) = self.counted.get_mut(&packet.device) {
            *counted += one;
        } else if self.counted.len() < MAX {
            self.counted.insert(packet.device, one);
        }
    }

    /// The counters of each named device, most bytes first.
    pub(crate) fn totals(&self) -> Vec<DeviceTotals> {
        let mut by_name: BTreeMap<&Arc<str>, Counters> = BTreeMap::new();
        for (index, counted) in &self.counted {
            if let Some(name) = self.name(*index) {
                *by_name.entry(name).or_default() += *counted;
            }
        }
        let totals = by_name.into_iter();
        let mut totals: Vec<_> = totals
            .map(|(name, counted)| DeviceTotals {
                name: Arc::clone(name),
                counted,
            })
            .collect();
        totals.sort_by_key(|device| std::cmp::Reverse(device.counted.bytes));
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_when_devices_go() {
        let index = |index| NonZeroU32::new(index);
        let mut devices = Devices::default();
        devices.set_only("en0");
        devices.set_names([(1, "lo"), (7, "veth7")]);
        devices.set_names([(1, "lo"), (2, "eth0")]);
        let name = |at| devices.name(index(at)).map(ToString::to_string);
        assert_eq!(name(1).as_deref(), Some("lo"));
        assert_eq!(name(2).as_deref(), Some("eth0"));
        assert_eq!(name(7).as_deref(), Some("veth7"));
        assert_eq!((name(3), name(0).as_deref()), (None, Some("en0")));
        // A device with another name is a different one, or was renamed.
        devices.set_names([(2, "wan")]);
        assert_eq!(devices.name(index(2)).map(|name| &**name), Some("wan"));
        // However many come and go.
        for round in 0..3_u32 {
            let all: Vec<_> = (1..=3_000).map(|it| (round * 3_000 + it, "veth")).collect();
            devices.set_names(all);
        }
        assert!(devices.names.len() <= MAX && devices.knows(index(9_000).unwrap()));
    }
}
