//! Linux: the kernel knows of each packet whether it was sent or arrived (`sll_pkttype` of
//! packet(7)), and libpcap gives that only in the header of a cooked capture.
//!
//! * The device `any` has that header, in the second version with the index of the device.
//! * Other devices are captured from twice: once what is sent, and once what arrives. The
//!   filter of each says so in the kernel (`inbound` and `outbound` of pcap-filter(7), the
//!   packet type), so that no packet takes room in both buffers.
//! * Of a loopback device libpcap gives what arrives, and that is what was sent.
//!
//! What arrives on Ethernet for another host is told as the kernel does (`eth_type_trans`): by
//! the hardware address that it is for.

mod link;
mod promiscuous;
mod socket_filter;

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use pcap::{Active, Capture, Direction, Linktype};

use super::{Opened, Told, link_type_of, set_filter};
use crate::error::Error;
use crate::link_type::LinkType;
use crate::live_options::{self, LiveOptions};
use crate::packet_origin::PacketOrigin;
use crate::system;
use link::{LOOPBACK, Watched};

/// The device that stands for all.
const ANY: &str = "any";
/// `LINKTYPE_LINUX_SLL2`.
const COOKED_2: Linktype = Linktype(276);
/// Bytes of the headers of both versions, and by how much the second one is longer.
const COOKED_LEN: usize = 16;
const COOKED_2_LEN: usize = 20;
const LONGER: u32 = 4;

/// Who says where packets come from.
#[derive(Debug)]
pub(crate) struct Teller {
    by: By,
}

#[derive(Debug)]
enum By {
    /// The header of a cooked capture; of one device, its index.
    Cooked(Option<u32>),
    /// The same in its second version, of which the first is made: files that record it are
    /// then as others make them.
    Cooked2,
    Loopback(u32),
    /// The capture that a packet is of: the first has what arrived, the second what was sent.
    Capture(Watched),
    Nobody,
}

pub(crate) fn open(options: &LiveOptions) -> Result<Opened, Error> {
    if options.device == ANY {
        return open_any(options);
    }
    let mut capture = live_options::activate(options)?;
    let link_type = link_type_of(&capture, &options.device)?;
    if let Some(filter) = &options.filter {
        set_filter(&mut capture, filter)?;
    }
    let watched = Watched::open(&options.device);
    let watched = watched.inspect_err(|error| {
        let device = &options.device;
        tracing::debug!(device, %error, "nobody says where packets of this device come from");
    });
    let (captures, by) = match watched {
        Err(_) => (vec![capture], By::Nobody),
        // A radio hears what this host sends, too, and nobody says that of it.
        Ok(_) if is_radio(link_type) => (vec![capture], By::Nobody),
        Ok(watched) if is_cooked(link_type) => {
            (vec![capture], By::Cooked(Some(watched.link().index)))
        }
        Ok(watched) if watched.link().kind == LOOPBACK => {
            narrow(&mut capture, options, Direction::In);
            (vec![capture], By::Loopback(watched.link().index))
        }
        Ok(watched) => match split(capture, options) {
            Ok(captures) => (captures, By::Capture(watched)),
            Err(capture) => (vec![capture], By::Nobody),
        },
    };
    Ok(Opened {
        captures,
        link_type,
        teller: Teller { by },
    })
}

fn open_any(options: &LiveOptions) -> Result<Opened, Error> {
    let longer = LiveOptions {
        snap_length: options.snap_length.saturating_add(LONGER),
        // That of each device is switched on by `take_all_frames`.
        promiscuous: false,
        ..options.clone()
    };
    let mut capture = live_options::activate(&longer)?;
    // libpcap has it since 1.10.
    let by = match capture.set_datalink(COOKED_2) {
        Ok(()) => By::Cooked2,
        Err(_) => By::Cooked(None),
    };
    let link_type = link_type_of(&capture, &options.device)?;
    if let Some(filter) = &options.filter {
        set_filter(&mut capture, filter)?;
    }
    Ok(Opened {
        captures: vec![capture],
        link_type: match by {
            By::Cooked2 => LinkType::LinuxCooked,
            _ => link_type,
        },
        teller: Teller { by },
    })
}

/// Devices that cannot do it are captured from without.
pub(crate) fn take_all_frames(capture: &Capture<Active>, devices: Option<&[String]>) {
    let all;
    let names = if let Some(names) = devices {
        names
    } else {
        let devices = crate::devices().unwrap_or_default();
        let real = devices.into_iter().filter(|it| !it.is_pseudo());
        all = real.map(|it| it.name).collect::<Vec<_>>();
        &all
    };
    for name in names {
        let Some(index) = system::index(name) else {
            continue;
        };
        if let Err(error) = promiscuous::switch_on(&capture.as_fd(), index) {
            tracing::debug!(name, %error, "capturing without promiscuous mode");
        }
    }
}

const fn is_cooked(link_type: LinkType) -> bool {
    matches!(link_type, LinkType::LinuxCooked | LinkType::LinuxCooked2)
}

const fn is_radio(link_type: LinkType) -> bool {
    use LinkType::{Avs, Ieee80211, Ppi, Prism, Radiotap};
    matches!(link_type, Ieee80211 | Radiotap | Prism | Avs | Ppi)
}

/// A capture of what arrives and one of what is sent; the one capture as it was, where that is
/// not to be had.
fn split(
    mut arrives: Capture<Active>,
    options: &LiveOptions,
) -> Result<Vec<Capture<Active>>, Capture<Active>> {
    // What is sent needs no promiscuous mode.
    let options = LiveOptions {
        promiscuous: false,
        ..options.clone()
    };
    let device = &options.device;
    let mut is_sent = match live_options::activate(&options) {
        Ok(capture) => capture,
        Err(error) => {
            tracing::warn!(device, %error, "it is not known which packets were sent here");
            return Err(arrives);
        }
    };
    if let Some(filter) = &options.filter
        && let Err(error) = set_filter(&mut is_sent, filter)
    {
        tracing::warn!(device, %error, "it is not known which packets were sent here");
        return Err(arrives);
    }
    if !narrow(&mut is_sent, &options, Direction::Out) {
        return Err(arrives);
    }
    narrow(&mut arrives, &options, Direction::In);
    Ok(vec![arrives, is_sent])
}

/// Leaves only packets of one direction in a capture; whether libpcap can. The kernel sorts out
/// the others if it can, so that they take no room in the buffer.
fn narrow(capture: &mut Capture<Active>, options: &LiveOptions, direction: Direction) -> bool {
    let device = &options.device;
    if let Err(error) = capture.direction(direction) {
        tracing::debug!(device, %error, "this device has no directions");
        return false;
    }
    let keyword = match direction {
        Direction::Out => "outbound",
        Direction::In | Direction::InOut => "inbound",
    };
    let filter = options.filter.as_deref().filter(|it| !it.trim().is_empty());
    let both = filter.map_or_else(
        || keyword.to_owned(),
        |filter| format!("{keyword} and ({filter})"),
    );
    if let Err(error) = socket_filter::attach(capture, &both) {
        tracing::debug!(device, %error, "libpcap sorts out the packets of each direction");
    }
    true
}

impl Teller {
    pub(crate) fn tell(&mut self, capture: usize, time: Duration, data: &mut Vec<u8>) -> Told {
        match &mut self.by {
            By::Cooked(device) => Told {
                origin: cooked(data),
                device: *device,
                taken: 0,
            },
            By::Cooked2 => cooked_2(data),
            By::Loopback(device) => Told {
                origin: PacketOrigin::Loopback,
                device: Some(*device),
                taken: 0,
            },
            By::Capture(watched) => Told {
                origin: match capture {
                    0 if watched.is_for_another(data, time) => PacketOrigin::OtherHost,
                    0 => PacketOrigin::Received,
                    _ => PacketOrigin::Sent,
                },
                device: Some(watched.link().index),
                taken: 0,
            },
            By::Nobody => Told::default(),
        }
    }

    /// What is readable when the device may have changed.
    pub(crate) fn notices(&self) -> Option<BorrowedFd<'_>> {
        match &self.by {
            By::Capture(watched) => Some(watched.notices()),
            _ => None,
        }
    }

    pub(crate) fn catch_up(&mut self) {
        if let By::Capture(watched) = &mut self.by {
            watched.catch_up();
        }
    }
}

/// Packet type 2 bytes, device type 2:
/// <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html>
fn cooked(data: &[u8]) -> PacketOrigin {
    PacketOrigin::of_header(LinkType::LinuxCooked, data)
}

/// Makes the first version of a header out of the second.
fn cooked_2(data: &mut Vec<u8>) -> Told {
    let origin = PacketOrigin::of_header(LinkType::LinuxCooked2, data);
    let Some(header) = data.first_chunk::<COOKED_2_LEN>() else {
        return Told::default();
    };
    let [
        p0,
        p1,
        _,
        _,
        i0,
        i1,
        i2,
        i3,
        k0,
        k1,
        packet,
        len,
        address @ ..,
    ] = *header;
    let mut shorter = [0; COOKED_LEN];
    shorter[1] = packet;
    shorter[2..4].copy_from_slice(&[k0, k1]);
    shorter[5] = len;
    shorter[6..14].copy_from_slice(&address);
    shorter[14..].copy_from_slice(&[p0, p1]);
    data.drain(..COOKED_2_LEN - COOKED_LEN);
    data[..COOKED_LEN].copy_from_slice(&shorter);
    Told {
        origin,
        device: Some(u32::from_be_bytes([i0, i1, i2, i3])),
        taken: LONGER,
    }
}

/// [`cooked_2`], in terms that others have.
#[cfg(feature = "fuzzing")]
pub(crate) fn cooked_for_fuzzing(data: &mut Vec<u8>) -> (PacketOrigin, Option<u32>, u32) {
    let Told {
        origin,
        device,
        taken,
    } = cooked_2(data);
    (origin, device, taken)
}

/// What the kernel tells of a device.
///
/// # Panics
/// If a device is found that the bytes do not tell.
#[cfg(feature = "fuzzing")]
pub fn fuzzing(bytes: &[u8]) {
    link::fuzzing(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_version_becomes_the_first() {
        // tcpdump.org: protocol, reserved, index, device type, packet type, address length,
        // address.
        let mut frame = vec![8, 0, 0, 0, 0, 0, 1, 2, 0, 1, 4, 6];
        frame.extend([1, 2, 3, 4, 5, 6, 0, 0, 0x45]);
        let told = cooked_2(&mut frame);
        assert_eq!(told.origin, PacketOrigin::Sent);
        assert_eq!((told.device, told.taken), (Some(258), 4));
        let expected = [0, 4, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 8, 0, 0x45];
        assert_eq!(frame, expected);
        let mut cut = vec![8, 0, 0];
        assert_eq!(cooked_2(&mut cut), Told::default());
    }
}
