//! One packet, captured on several devices on its way: it is counted once.
//!
//! A packet of a container, for example, comes in on its veth device, then on the bridge, and goes out
//! on the device that leads outside. [`Topology`] says where a packet may come by later, and
//! [`Sightings`] which packets a flow has seen already.

mod sightings;
mod topology;

pub(crate) use sightings::Sightings;
pub(crate) use topology::Point;
pub use topology::{DeviceLink, Peer, Topology};
