//! A packet that was counted: its flow, its ends, and what is known of their owners.

use flowner_flows::FlowId;

use super::community_id::Tuple;
use super::principal::Owner;

/// Which packet it is, and of which flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PacketRef {
    pub(crate) flow: FlowId,
    /// Whether the initiator of the flow sent the packet.
    pub(crate) from_initiator: bool,
    /// The number of the packet, in the order in which they were counted.
    pub(crate) number: u64,
}

/// Which end of a packet an owner has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum PacketEnd {
    Source,
    Destination,
}

impl PacketEnd {
    pub(crate) const ALL: [Self; 2] = [Self::Source, Self::Destination];

    /// As comments name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
        }
    }
}

/// Which end of a packet an owner has, as far as a file tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ClaimedEnd {
    /// This one.
    Of(PacketEnd),
    /// The one on the host that captured.
    OnHost,
}

/// What is known of a flow.
#[derive(Debug, Clone)]
pub(crate) struct ResolvedOwner {
    /// Of the end that sent the packet, and of the other one.
    pub(crate) owners: [Option<Owner>; 2],
    /// Whether all that can be known is.
    pub(crate) is_settled: bool,
    /// Whether it passes the filter.
    pub(crate) is_wanted: bool,
    /// What its Community ID is made of.
    pub(crate) community: Tuple,
}
