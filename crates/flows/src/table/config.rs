//! The bounds and times of a table.

use std::time::Duration;

use super::FlowTable;
use crate::LocalAddresses;

/// How much a table holds, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableConfig {
    /// Flows at a time; at least one. At the bound the least recently seen one is
    /// evicted, a finished connection first.
    pub capacity: usize,
    /// Fragmented packets at a time whose flow is remembered.
    pub fragments: usize,
    /// The host's own addresses; `None` where they are not known, as for a file
    /// from another host.
    pub local: Option<LocalAddresses>,
    /// When silent flows are over.
    pub timeouts: Timeouts,
    /// What is hashed first in the Community IDs of flows; 0 unless other monitors of the network
    /// take another number.
    pub community_seed: u16,
}

impl Default for TableConfig {
    fn default() -> Self {
        Self {
            capacity: 100_000,
            fragments: 1_024,
            local: None,
            timeouts: Timeouts::default(),
            community_seed: 0,
        }
    }
}

impl<T: Clone + Default> FlowTable<T> {
    /// Flows that are opened from now on have this [seed](TableConfig::community_seed).
    pub fn set_community_seed(&mut self, seed: u16) {
        self.config.community_seed = seed;
    }
}

/// How long a flow may be silent before it is over, in packet time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// A TCP handshake that is not finished. Linux gives up a SYN after 127 s, most
    /// of it waiting for the last repetition (tcp(7), `tcp_syn_retries`).
    pub tcp_opening: Duration,
    /// An established connection: RFC 5382 (REQ-5) asks NATs for no less than
    /// 2 h 4 min.
    pub tcp_established: Duration,
    /// A connection that one end has finished.
    pub tcp_closing: Duration,
    /// A connection that is over, for packets that come late.
    pub tcp_over: Duration,
    /// A datagram without an answer; as Linux's `nf_conntrack_udp_timeout`.
    pub udp_one_way: Duration,
    /// Datagrams both ways: RFC 4787 (REQ-5) recommends 5 min, Linux keeps 2 min
    /// (`nf_conntrack_udp_timeout_stream`), 3 min are between.
    pub udp: Duration,
    /// ICMP, as Linux's `nf_conntrack_icmp_timeout`.
    pub icmp: Duration,
    /// Everything else.
    pub other: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            tcp_opening: Duration::from_secs(130),
            tcp_established: Duration::from_secs(7_440),
            tcp_closing: Duration::from_secs(120),
            tcp_over: Duration::from_secs(5),
            udp_one_way: Duration::from_secs(30),
            udp: Duration::from_secs(180),
            icmp: Duration::from_secs(30),
            other: Duration::from_secs(60),
        }
    }
}
