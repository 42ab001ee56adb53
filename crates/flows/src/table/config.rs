//! The bounds and times of a table.

use std::net::IpAddr;
use std::time::Duration;

use super::FlowTable;
use crate::LocalAddresses;

/// The capacity of a table, and the addresses of its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableConfig {
    /// The number of flows at a time; at least one. At the bound, the table evicts the flow with
    /// the oldest last packet, but finished connections first.
    pub capacity: usize,
    /// The number of fragmented packets whose flow the table remembers.
    pub fragments: usize,
    /// The host's own addresses; `None` if they are unknown, as for a file from another host.
    pub local: Option<LocalAddresses>,
    /// When silent flows end.
    pub timeouts: Timeouts,
    /// The first input of the hash in Community IDs; 0 unless other monitors of the network use
    /// another number.
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
    /// Adds the directed broadcast address of a network to the local addresses, if these are known.
    /// Flows that are open keep their direction.
    pub fn add_broadcast(&mut self, address: IpAddr) {
        if let Some(local) = &mut self.config.local {
            local.add_broadcast(address);
        }
    }

    /// Sets the [seed](TableConfig::community_seed) of flows that open from now on.
    pub fn set_community_seed(&mut self, seed: u16) {
        self.config.community_seed = seed;
    }
}

/// How long a flow may be silent before it ends, in packet time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// An unfinished TCP handshake. Linux gives up a SYN after 127 s, most of it waiting for the
    /// last repetition (tcp(7), `tcp_syn_retries`).
    pub tcp_opening: Duration,
    /// An established connection: RFC 5382 (REQ-5) asks NATs for no less than
    /// 2 h 4 min.
    pub tcp_established: Duration,
    /// A connection that one end has finished.
    pub tcp_closing: Duration,
    /// A connection that has ended, for late packets.
    pub tcp_over: Duration,
    /// A datagram without an answer; equal to Linux's `nf_conntrack_udp_timeout`.
    pub udp_one_way: Duration,
    /// Datagrams both ways: RFC 4787 (REQ-5) recommends 5 min, and Linux keeps 2 min
    /// (`nf_conntrack_udp_timeout_stream`). 3 min is in between.
    pub udp: Duration,
    /// ICMP; equal to Linux's `nf_conntrack_icmp_timeout`.
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
