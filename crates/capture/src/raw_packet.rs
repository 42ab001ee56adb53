//! The results of reading a device or a file: packets, or why there is none.

use std::time::Duration;

use crate::decode::{DecodeError, decode};
use crate::file_packet::clamp;
use crate::headers::Headers;
use crate::link_type::{LinkType, OtherLinkType};
use crate::packet_origin::PacketOrigin;
use crate::pcapng::Comments;

/// A captured frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawPacket<'a> {
    /// The time of its capture by the clock of the capturing machine, since the Unix epoch. Times
    /// before the epoch are 0, times after the year 9999 its last second.
    pub time: Duration,
    /// Its length on the wire. Includes Linux cooked and BSD loopback headers, though they were
    /// never on a wire: see [`device_len`](Self::device_len).
    pub wire_len: u32,
    /// The link type of its frame: a file may have packets of several devices. An error if the
    /// decoder does not know it.
    pub link_type: Result<LinkType, OtherLinkType>,
    /// Its captured bytes, from the first one.
    pub data: &'a [u8],
    /// The comments on it. Files in the format pcapng only.
    pub comments: Comments<'a>,
    /// Its origin according to the capturing system.
    pub origin: PacketOrigin,
    /// The index of this host's device on which it was captured. Only Linux reports it, for
    /// captures from a device. Never set for a file, whose indices are those of the host that wrote
    /// it.
    pub device: Option<u32>,
}

impl RawPacket<'_> {
    /// Its headers.
    ///
    /// # Errors
    /// As [`decode()`]; [`DecodeError::LinkType`] if the decoder does not know its link type.
    pub fn headers(&self) -> Result<Headers, DecodeError> {
        decode(self.link_type?, self.data, self.wire_len)
    }

    /// Length of the frame on the device that showed it: as [`wire_len`](Self::wire_len), with the link header
    /// of that device in place of the one that Linux makes up where it captures all devices
    /// (`LINKTYPE_LINUX_SLL`). Of devices whose frames have another header, that one counts.
    pub fn device_len(&self) -> u32 {
        let header = match (self.link_type, self.device) {
            (Ok(LinkType::LinuxCooked), Some(_)) => link_header_len(self.data),
            _ => None,
        };
        header.map_or(self.wire_len, |header| {
            self.wire_len.saturating_sub(COOKED_LEN) + header
        })
    }

    /// Whether the frame is for all hosts of its link, as far as the link header says so: the hardware
    /// address of Ethernet, and the packet type of Linux cooked headers (`PACKET_BROADCAST`).
    ///
    /// An IP packet in such a frame has the broadcast address of a network as its destination
    /// (RFC 1122, 3.3.6), even if nothing else shows which networks the link has.
    pub fn is_broadcast(&self) -> bool {
        self.link_type
            .is_ok_and(|link_type| is_broadcast(link_type, self.data))
    }
}

/// Of the header that Linux makes up.
const COOKED_LEN: u32 = 16;

/// How long the link headers are of the device on which a frame was captured, by its `ARPHRD_…` in
/// `linux/if_arp.h`: Ethernet and loopback have a header, tun devices and IP tunnels have none.
fn link_header_len(cooked: &[u8]) -> Option<u32> {
    let kind = cooked.get(2..4)?;
    match u16::from_be_bytes([kind[0], kind[1]]) {
        1 | 772 => Some(14),
        // `RAWIP`, `TUNNEL`, `TUNNEL6`, `SIT`, `NONE`.
        519 | 768 | 769 | 776 | 0xfffe => Some(0),
        _ => None,
    }
}

fn is_broadcast(link_type: LinkType, frame: &[u8]) -> bool {
    const ALL: [u8; 6] = [0xff; 6];
    /// `PACKET_BROADCAST` in `linux/if_packet.h`.
    const PACKET_BROADCAST: u8 = 1;
    match link_type {
        LinkType::Ethernet => frame.starts_with(&ALL),
        LinkType::LinuxCooked => frame.starts_with(&[0, PACKET_BROADCAST]),
        LinkType::LinuxCooked2 => frame.get(10) == Some(&PACKET_BROADCAST),
        _ => false,
    }
}

/// The next result of a [`Source`](crate::Source).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next<'a> {
    /// A packet.
    Packet(RawPacket<'a>),
    /// No packet for a quarter of a second or so. Devices only.
    Idle,
    /// [`Stopper::stop`](crate::Stopper::stop) was called. Nothing follows.
    Stopped,
    /// The file has ended. Files only.
    End,
}

/// How far a file has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that were read.
    pub read: u64,
    /// Bytes that the file had when it was opened.
    pub total: u64,
}

/// A time stamp, whatever the device claims. The types of its parts differ between operating
/// systems.
pub(crate) fn time(
    seconds: impl TryInto<u64>,
    ticks: impl TryInto<u32>,
    ticks_per_second: u32,
) -> Duration {
    let Ok(seconds) = seconds.try_into() else {
        return Duration::ZERO;
    };
    let ticks = ticks.try_into().unwrap_or(0).min(ticks_per_second - 1);
    let nanoseconds = ticks * (1_000_000_000 / ticks_per_second);
    clamp(i128::from(seconds), nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absurd_times_are_clamped() {
        let check = |seconds: i64, ticks: i64, per_second: u32, expected: (u64, u32)| {
            let expected = Duration::new(expected.0, expected.1);
            assert_eq!(time(seconds, ticks, per_second), expected);
        };
        check(1, 2, 1_000_000, (1, 2_000));
        check(1, 2, 1_000_000_000, (1, 2));
        check(-1, 2, 1_000_000, (0, 0));
        check(1, -1, 1_000_000, (1, 0));
        check(1, 1_000_000, 1_000_000, (1, 999_999_000));
        check(1, i64::MAX, 1_000_000_000, (1, 0));
        check(i64::MAX, 0, 1_000_000, (253_402_300_799, 0));
    }

    #[test]
    fn the_made_up_header_is_not_counted() {
        let check = |kind: u16, device, expected| {
            let mut data = [0; 60];
            data[2..4].copy_from_slice(&kind.to_be_bytes());
            let packet = RawPacket {
                time: Duration::ZERO,
                wire_len: 116,
                link_type: Ok(LinkType::LinuxCooked),
                data: &data,
                comments: Comments::default(),
                origin: PacketOrigin::Sent,
                device,
            };
            assert_eq!(packet.device_len(), expected, "{kind}");
        };
        check(1, Some(2), 114);
        check(772, Some(1), 114);
        check(0xfffe, Some(3), 100);
        check(512, Some(3), 116);
        // The length in a file is what it says.
        check(1, None, 116);
    }

    #[test]
    fn link_headers_say_that_a_frame_is_for_all() {
        let check = |link_type, frame: &[u8], expected| {
            assert_eq!(is_broadcast(link_type, frame), expected, "{frame:?}");
        };
        check(LinkType::Ethernet, &[0xff; 14], true);
        check(LinkType::Ethernet, &[0xff; 5], false);
        check(
            LinkType::Ethernet,
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0],
            false,
        );
        check(LinkType::LinuxCooked, &[0, 1, 0, 1], true);
        check(LinkType::LinuxCooked, &[0, 4, 0, 1], false);
        check(
            LinkType::LinuxCooked2,
            &[8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 1, 6],
            true,
        );
        check(
            LinkType::LinuxCooked2,
            &[8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6],
            false,
        );
        check(LinkType::RawIp, &[0xff; 14], false);
    }
}
