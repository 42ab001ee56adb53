//! A counted packet: its flow, its ends, and the knowledge about their owners.

use std::net::IpAddr;

use flowner_flows::FlowId;

use super::community_id::Tuple;
use super::names::Name;
use super::principal::Owner;

/// A packet, and its flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PacketRef {
    pub(crate) flow: FlowId,
    /// Whether the initiator of the flow sent the packet.
    pub(crate) from_initiator: bool,
    /// The number of the packet, in counting order.
    pub(crate) number: u64,
}

/// The end of a packet that an owner has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum PacketEnd {
    Source,
    Destination,
}

impl PacketEnd {
    pub(crate) const ALL: [Self; 2] = [Self::Source, Self::Destination];

    /// The name in comments.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
        }
    }
}

/// The end of a packet that an owner has, according to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ClaimedEnd {
    /// This one.
    Of(PacketEnd),
    /// The end on the capturing host.
    OnHost,
}

/// The knowledge about a flow.
#[derive(Debug, Clone)]
pub(crate) struct ResolvedOwner {
    /// The owners of the packet's sender and receiver.
    pub(crate) owners: [Option<Owner>; 2],
    /// Whether no more will become known.
    pub(crate) is_settled: bool,
    /// Whether it passes the filter.
    pub(crate) is_wanted: bool,
    /// The parts from which its Community ID is made.
    pub(crate) community: Tuple,
    /// The name of the remote address.
    pub(crate) name: Option<(IpAddr, Name)>,
}
