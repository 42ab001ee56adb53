//! A packet on its way into a file, and how many there are.

use std::net::IpAddr;
use std::time::Duration;

use flowner_capture::PacketOrigin;
use flowner_capture::pcapng::ProcessFacts;

use crate::model::names::Name;

/// A packet to write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet<'a> {
    pub(super) time: Duration,
    pub(super) wire_len: u32,
    pub(super) origin: PacketOrigin,
    pub(super) data: &'a [u8],
    pub(super) comments: &'a [String],
    /// The process of the packet, if it is a single one.
    pub(super) process: Option<&'a ProcessFacts>,
    /// Whether the comments name a process.
    pub(super) names: bool,
    /// The remote address with its name.
    pub(super) host: Option<&'a (IpAddr, Name)>,
}

/// The number of packets, and of those that name a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Packets {
    pub(super) all: u64,
    pub(super) named: u64,
}

impl Packets {
    pub(super) fn add(&mut self, names: bool) {
        self.all += 1;
        self.named += u64::from(names);
    }
}
