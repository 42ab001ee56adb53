//! Linux: the kernel knows for each packet whether it was sent or arrived (`sll_pkttype` of
//! packet(7)), but libpcap only returns this in the header of a cooked capture.
//!
//! * The device `any` has that header, in the second version with the index of the device.
//! * This captures other devices twice: once for sent packets, and once for arriving ones. The
//!   filter of each capture selects the direction in the kernel (`inbound` and `outbound` of
//!   pcap-filter(7), the packet type), so that no packet takes room in both buffers.
//! * On a loopback device, libpcap gives the arriving packets, which are the sent ones.
//!
//! For Ethernet, this finds arriving frames for another host by the kernel's rule
//! (`eth_type_trans`): by their destination address.

mod link;
mod promiscuous;
mod socket_filter;

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use pcap::{Active, Capture, Direction, Linktype};

use super::{Described, Opened, link_type_of, set_filter};
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
/// The lengths of both versions' headers, and their difference.
const COOKED_LEN: usize = 16;
const COOKED_2_LEN: usize = 20;
const LONGER: u32 = 4;

/// The source of the origins.
#[derive(Debug)]
pub(crate) struct Teller {
    by: By,
}

#[derive(Debug)]
enum By {
    /// The header of a cooked capture; for a single device, with its index.
    Cooked(Option<u32>),
    /// The same in its second version, which is converted to the first: files of it then look like
    /// those of other programs.
    Cooked2,
    Loopback(u32),
    /// The capture of a packet: the first has arrived packets, the second sent ones.
    Capture(Watched),
    Unknown,
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
        tracing::debug!(device, %error, "the origin of this device's packets is unknown");
    });
    let (captures, by) = match watched {
        Err(_) => (vec![capture], By::Unknown),
        // A radio also receives this host's own packets, without marking them.
        Ok(_) if is_radio(link_type) => (vec![capture], By::Unknown),
        Ok(watched) if is_cooked(link_type) => {
            (vec![capture], By::Cooked(Some(watched.link().index)))
        }
        Ok(watched) if watched.link().kind == LOOPBACK => {
            narrow(&mut capture, options, Direction::In);
            (vec![capture], By::Loopback(watched.link().index))
        }
        Ok(watched) => match split(capture, options) {
            Ok(captures) => (captures, By::Capture(watched)),
            Err(capture) => (vec![capture], By::Unknown),
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
        // `take_all_frames` switches it on for each device.
        promiscuous: false,
        ..options.clone()
    };
    let mut capture = live_options::activate(&longer)?;
    // libpcap supports it since 1.10.
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

/// Devices without this mode are captured without it.
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

/// A capture of arriving packets and one of sent packets; or the one capture as it was, if that is
/// not possible.
fn split(
    mut arrives: Capture<Active>,
    options: &LiveOptions,
) -> Result<Vec<Capture<Active>>, Capture<Active>> {
    // Sent packets need no promiscuous mode.
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

/// Restricts a capture to one direction. Returns whether libpcap can. The kernel drops the other
/// packets if it can, so that they take no room in the buffer.
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
    pub(crate) fn tell(&mut self, capture: usize, time: Duration, data: &mut Vec<u8>) -> Described {
        match &mut self.by {
            By::Cooked(device) => Described {
                origin: cooked(data),
                device: *device,
                taken: 0,
            },
            By::Cooked2 => cooked_2(data),
            By::Loopback(device) => Described {
                origin: PacketOrigin::Loopback,
                device: Some(*device),
                taken: 0,
            },
            By::Capture(watched) => Described {
                origin: match capture {
                    0 if watched.is_for_another(data, time) => PacketOrigin::OtherHost,
                    0 => PacketOrigin::Received,
                    _ => PacketOrigin::Sent,
                },
                device: Some(watched.link().index),
                taken: 0,
            },
            By::Unknown => Described::default(),
        }
    }

    /// Readable when the device may have changed.
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

/// Converts the second version of a header to the first.
fn cooked_2(data: &mut Vec<u8>) -> Described {
    let origin = PacketOrigin::of_header(LinkType::LinuxCooked2, data);
    let Some(header) = data.first_chunk::<COOKED_2_LEN>() else {
        return Described::default();
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
    Described {
        origin,
        device: Some(u32::from_be_bytes([i0, i1, i2, i3])),
        taken: LONGER,
    }
}

/// [`cooked_2`], with types that the fuzzer has.
#[cfg(feature = "fuzzing")]
pub(crate) fn cooked_for_fuzzing(data: &mut Vec<u8>) -> (PacketOrigin, Option<u32>, u32) {
    let Described {
        origin,
        device,
        taken,
    } = cooked_2(data);
    (origin, device, taken)
}

/// Parses the kernel's message about a device.
///
/// # Panics
///
/// If the parser finds a device that the bytes do not contain.
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
        let described = cooked_2(&mut frame);
        assert_eq!(described.origin, PacketOrigin::Sent);
        assert_eq!((described.device, described.taken), (Some(258), 4));
        let expected = [0, 4, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 8, 0, 0x45];
        assert_eq!(frame, expected);
        let mut cut = vec![8, 0, 0];
        assert_eq!(cooked_2(&mut cut), Described::default());
    }
}
