//! The options of a packet's block beside the packet.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::options::{COMMENT, Options};
use super::process::{self, PacketProcess, Processes};

/// The comments and processes in a packet's block. A pcap file has none.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Comments<'a> {
    /// All options of the packet's block.
    options: &'a [u8],
    is_big_endian: bool,
    /// The processes of the section up to this packet.
    processes: Option<&'a Processes>,
    /// The names since the packet before.
    names: &'a [(IpAddr, String)],
}

impl<'a> Comments<'a> {
    pub(super) const fn new(
        options: &'a [u8],
        is_big_endian: bool,
        processes: &'a Processes,
        names: &'a [(IpAddr, String)],
    ) -> Self {
        Self {
            options,
            is_big_endian,
            processes: Some(processes),
            names,
        }
    }

    const fn options(self) -> Options<'a> {
        Options {
            bytes: self.options,
            is_big_endian: self.is_big_endian,
        }
    }

    /// Each comment, in the order of the file. Skips those that are not UTF-8.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let texts = self
            .options()
            .filter_map(|(code, value)| (code == COMMENT).then_some(value));
        texts.filter_map(|text| std::str::from_utf8(text).ok())
    }

    /// The processes of the packet, by `epb_processid_threadid` or by Apple's options: those of the
    /// end on the capturing host. `time` is that of the packet, because the system may reuse a pid.
    pub fn processes(&self, time: Duration) -> impl Iterator<Item = PacketProcess<'a>> + use<'a> {
        let pointers = process::pointers(self.options());
        let known = self.processes.into_iter();
        known.flat_map(move |known| known.of_packet(pointers.clone(), time))
    }
}

impl<'a> Comments<'a> {
    /// The names that the file gives addresses, in Name Resolution Blocks since the packet before: claims
    /// of whoever wrote it, in the order of the file. There may be several of one address.
    pub const fn names(&self) -> &'a [(IpAddr, String)] {
        self.names
    }
}

impl fmt::Debug for Comments<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
