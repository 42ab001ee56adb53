//! Opens a device so that the system reports the origin of each packet.
//!
//! Each platform's file exports the same names:
//!
//! * `open(options: &LiveOptions) -> Result<Opened, Error>`: the captures that together have the
//!   packets of the device, with filters set, before the first read;
//! * `take_all_frames(capture: &Capture<Active>, devices: Option<&[String]>)`: makes these devices,
//!   or all, accept frames for other hosts, if `capture` is that of the device that stands for all;
//! * `Teller::tell(&mut self, capture: usize, time: Duration, data: &mut Vec<u8>) -> Described`:
//!   what the system says of a packet of that capture, and how many bytes of its frame it
//!   took away;
//! * `Teller::catch_up(&mut self)`: to be called when [`Ready::notices`] is set.
//!
//! [`Ready::notices`]: crate::wait::Ready

#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod platform;

use pcap::{Active, Capture};

#[cfg(all(feature = "fuzzing", target_os = "linux"))]
pub(crate) use platform::cooked_for_fuzzing;
#[cfg(all(feature = "fuzzing", target_os = "linux"))]
pub use platform::fuzzing;
pub(crate) use platform::{Teller, open, take_all_frames};

use crate::error::Error;
use crate::link_type::LinkType;
use crate::message::message;
use crate::packet_origin::PacketOrigin;

/// An open device.
pub(crate) struct Opened {
    /// One capture, or one for each direction.
    pub(crate) captures: Vec<Capture<Active>>,
    /// The link type of frames after the teller has processed them.
    pub(crate) link_type: LinkType,
    pub(crate) teller: Teller,
}

/// The system's facts about a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Described {
    pub(crate) origin: PacketOrigin,
    /// The index of the device.
    pub(crate) device: Option<u32>,
    /// The number of bytes by which the header became shorter.
    pub(crate) taken: u32,
}

fn link_type_of(capture: &Capture<Active>, device: &str) -> Result<LinkType, Error> {
    let number = capture.get_datalink();
    LinkType::from_number(number.0).ok_or_else(|| Error::LinkType {
        input: device.to_owned(),
        number: number.0,
        name: number.get_name().unwrap_or_else(|_| "unknown".to_owned()),
    })
}

pub(crate) fn set_filter(capture: &mut Capture<Active>, expression: &str) -> Result<(), Error> {
    let optimize = true;
    capture
        .filter(expression, optimize)
        .map_err(|error| Error::Filter {
            expression: expression.to_owned(),
            message: message(error),
        })
}
