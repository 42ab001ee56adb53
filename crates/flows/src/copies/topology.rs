//! How the devices of a host hang together, as far as the way of a packet is concerned.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroU32;

use crate::{Origin, Packet};

/// What all devices together may have above them: past that, copies are counted as packets.
const MAX_ABOVE: usize = 65_536;
/// Devices below one from which a packet may leave for another veth device.
const MAX_BELOW: usize = 4_096;

/// How one device hangs together with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceLink {
    /// Its index.
    pub index: NonZeroU32,
    /// The bridge or bond that it is a port of.
    pub master: Option<NonZeroU32>,
    /// The device whose frames it takes a part of, such as that below a VLAN or macvlan.
    pub parent: Option<NonZeroU32>,
    /// The other end of a veth device.
    pub peer: Option<Peer>,
}

impl DeviceLink {
    /// A device that hangs together with no other.
    pub const fn new(index: NonZeroU32) -> Self {
        Self {
            index,
            master: None,
            parent: None,
            peer: None,
        }
    }
}

/// Where the other end of a veth device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// In the same network namespace, with this index.
    Here(NonZeroU32),
    /// In another network namespace, by the number that the system has for it.
    Elsewhere(i32),
}

/// Whether a packet leaves this host through a device, or arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Way {
    In,
    Out,
}

/// Where a packet comes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point {
    device: NonZeroU32,
    way: Way,
}

impl Point {
    /// Where a packet was captured; `None` where that is not known, or loopback.
    pub(crate) fn of(packet: &Packet) -> Option<Self> {
        let device = packet.device?;
        let way = match packet.origin {
            Origin::Sent => Way::Out,
            Origin::Received | Origin::OtherHost => Way::In,
            Origin::Loopback | Origin::Unknown => return None,
        };
        Some(Self { device, way })
    }

    /// Where packets leave by a device.
    pub(crate) const fn out_of(device: NonZeroU32) -> Self {
        Self {
            device,
            way: Way::Out,
        }
    }

    /// Whether packets arrive there.
    pub(crate) fn is_in(self) -> bool {
        self.way == Way::In
    }
}

/// What is known of one device.
#[derive(Debug, Default)]
struct Device {
    /// The bridges and bonds above it: the first one, and that above it, and so on.
    master: Option<NonZeroU32>,
    parent: Option<NonZeroU32>,
    peer: Option<Peer>,
    /// All that take frames from it.
    above: BTreeSet<NonZeroU32>,
    /// All from which it takes frames.
    below: Vec<NonZeroU32>,
}

/// How the devices of a host hang together.
#[derive(Debug, Default)]
pub struct Topology {
    devices: HashMap<NonZeroU32, Device>,
    /// The veth devices whose other ends are in each network namespace.
    doors: BTreeMap<i32, Vec<NonZeroU32>>,
    /// Those that are captured; `None` of all.
    captured: Option<BTreeSet<NonZeroU32>>,
    /// Differs from that of the table's topology before.
    version: u32,
}

impl Topology {
    /// Of these devices.
    pub fn new(links: impl IntoIterator<Item = DeviceLink>) -> Self {
        let mut all = Self::default();
        for link in links {
            if let Some(Peer::Elsewhere(namespace)) = link.peer {
                all.doors.entry(namespace).or_default().push(link.index);
            }
            let device = Device {
                master: link.master,
                parent: link.parent,
                peer: link.peer,
                ..Device::default()
            };
            all.devices.insert(link.index, device);
        }
        all.climb();
        all
    }

    /// The same, where only these devices are captured.
    #[must_use]
    pub fn captured_on(self, devices: impl IntoIterator<Item = NonZeroU32>) -> Self {
        Self {
            captured: Some(devices.into_iter().collect()),
            ..self
        }
    }

    /// The same, to come after another one.
    pub(crate) fn after(self, earlier: Option<&Self>) -> Self {
        let version = earlier.map_or(0, |earlier| earlier.version.wrapping_add(1));
        Self { version, ..self }
    }

    pub(crate) const fn version(&self) -> u32 {
        self.version
    }

    /// Finds what is above and below each device.
    fn climb(&mut self) {
        let mut takers: HashMap<NonZeroU32, Vec<NonZeroU32>> = HashMap::new();
        for (index, device) in &self.devices {
            takers.entry(*index).or_default().extend(device.master);
            if let Some(parent) = device.parent {
                takers.entry(parent).or_default().push(*index);
            }
        }
        let mut room = MAX_ABOVE;
        let mut indices: Vec<_> = self.devices.keys().copied().collect();
        indices.sort_unstable();
        for index in indices {
            let mut above = BTreeSet::new();
            let mut next = vec![index];
            while let Some(one) = next.pop() {
                for taker in takers.get(&one).into_iter().flatten() {
                    if *taker != index && room > 0 && above.insert(*taker) {
                        room -= 1;
                        next.push(*taker);
                    }
                }
            }
            for taker in &above {
                if let Some(taker) = self.devices.get_mut(taker) {
                    taker.below.push(index);
                }
            }
            if let Some(device) = self.devices.get_mut(&index) {
                device.above = above;
            }
        }
    }

    /// Whether some device hangs together with another one, or a packet may be passed on from one to
    /// another.
    pub(crate) fn has_several(&self) -> bool {
        self.devices.len() > 1
    }

    /// The device to which a link-local address on another one belongs: the bridge or bond above a
    /// port.
    pub(crate) fn scope(&self, device: NonZeroU32) -> NonZeroU32 {
        const MOST: usize = 8;
        let mut top = device;
        for _ in 0..MOST {
            match self.devices.get(&top).and_then(|device| device.master) {
                Some(master) => top = master,
                None => break,
            }
        }
        top
    }

    /// Whether a device is a port of a bridge or bond that is captured.
    pub(crate) fn is_port(&self, device: NonZeroU32) -> bool {
        let captured = self.captured.as_ref();
        let is_captured = |device| captured.is_none_or(|captured| captured.contains(&device));
        let master = self.devices.get(&device).and_then(|it| it.master);
        master.is_some_and(is_captured)
    }

    /// Whether a packet may come by anywhere else after a point. `passes_on` says that this host may
    /// pass it on: it is neither from nor for the host itself.
    pub(crate) fn goes_on(&self, from: Point, passes_on: bool) -> bool {
        let Some(device) = self.devices.get(&from.device) else {
            return false;
        };
        match from.way {
            Way::In => passes_on || !device.above.is_empty(),
            Way::Out => {
                device.peer.is_some()
                    || device.parent.is_some()
                    || self
                        .devices
                        .get(&from.device)
                        .is_some_and(|it| !it.below.is_empty())
            }
        }
    }

    /// Whether a packet that was at one point may come by another one later, with nothing captured in
    /// between. `passes_on` as in [`goes_on`](Self::goes_on).
    pub(crate) fn reaches(&self, from: Point, to: Point, passes_on: bool) -> bool {
        match (from.way, to.way) {
            (Way::In, Way::In) => self.is_above(from.device, to.device),
            (Way::In, Way::Out) => passes_on,
            (Way::Out, Way::Out) => self.is_above(to.device, from.device),
            (Way::Out, Way::In) => self.comes_back(from, to, passes_on),
        }
    }

    /// Whether a packet that this host sent at one point may arrive at another one: through a pair of
    /// veth devices, or, where it is not the host's own, through another network namespace. (No host
    /// takes what others send with its own address.)
    pub(crate) fn comes_back(&self, from: Point, to: Point, passes_on: bool) -> bool {
        let arrives = |door| door == to.device || self.is_above(door, to.device);
        (from.way, to.way) == (Way::Out, Way::In)
            && self.doors_from(from.device, passes_on).any(arrives)
    }

    /// Whether a packet that this host sent at a point may come back.
    pub(crate) fn may_come_back(&self, from: Point, passes_on: bool) -> bool {
        from.way == Way::Out && self.doors_from(from.device, passes_on).next().is_some()
    }

    /// Whether `upper` takes frames from `lower`.
    fn is_above(&self, lower: NonZeroU32, upper: NonZeroU32) -> bool {
        self.devices
            .get(&lower)
            .is_some_and(|device| device.above.contains(&upper))
    }

    /// The veth devices on which a packet may arrive that was sent on a device: others than that by which
    /// it left, on which whoever is at its other end may forge what this host has sent.
    fn doors_from(&self, from: NonZeroU32, passes_on: bool) -> impl Iterator<Item = NonZeroU32> {
        let below = self.devices.get(&from).map(|device| &device.below[..]);
        let through = std::iter::once(from).chain(below.unwrap_or_default().iter().copied());
        let peers = through
            .take(MAX_BELOW)
            .filter_map(|it| Some((it, self.devices.get(&it)?.peer?)));
        peers.flat_map(move |(left_by, peer)| {
            let (here, elsewhere) = match peer {
                Peer::Here(peer) => (Some(peer), None),
                Peer::Elsewhere(namespace) => {
                    let doors = self.doors.get(&namespace);
                    (None, doors.filter(|_| passes_on))
                }
            };
            here.into_iter()
                .chain(elsewhere.into_iter().flatten().copied())
                .filter(move |door| *door != left_by)
        })
    }
}
