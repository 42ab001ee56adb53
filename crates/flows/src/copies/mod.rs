//! One packet, captured on several devices on its way: it is counted once.
//!
//! A packet of a container, for example, comes in on its veth device, then on the bridge, and goes out
//! on the device that leads outside. [`Topology`] says where a packet may come by later, and
//! [`Sightings`] which packets a flow has seen already. Where this host translates addresses (NAT), the
//! packets on its other side have other ends, and are another flow: [`Translation`] ties it to the first.

mod sightings;
mod topology;
mod translation;

pub(crate) use sightings::{Amount, Sightings};
pub(crate) use topology::Point;
pub use topology::{DeviceLink, Peer, Topology};
pub(crate) use translation::{Original, Translation};
