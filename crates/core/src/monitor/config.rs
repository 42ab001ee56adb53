//! The settings of a monitor: plain data, the same for command line, file and app.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::config::{GeoFiles, Input, Limits, Live, ReadOptions};
use crate::model::prefix::Network;
use crate::query::filter::Filter;

/// The resolved configuration of a [`Monitor`](crate::Monitor).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting")]
pub struct Config {
    /// The source of packets.
    pub input: Input,
    /// A capture filter in libpcap's language (pcap-filter(7)).
    pub capture_filter: Option<String>,
    /// Settings of live capture.
    pub live: Live,
    /// Whether to look up owners; only live capture can.
    pub owners: bool,
    /// Whether to read names from packets (DNS, TLS, QUIC, HTTP). On by default. This sends no
    /// requests over the network.
    pub names: bool,
    /// Whether the monitor asks the system's resolver for the names of addresses without one (reverse
    /// lookups). Off by default: it makes traffic, and shows a server the addresses of flows. Only for
    /// devices; [`AddressNames`](crate::AddressNames) does it for files.
    pub resolve: bool,
    /// The databases for the country and the network of remote ends.
    pub geo: GeoFiles,
    /// Whether the threads that name processes which exit at once may take real-time priority,
    /// where that is permitted (Linux: `SCHED_FIFO`). Off by default; the apps switch it on.
    pub realtime: bool,
    /// Addresses that count as this host's own, in addition to those of its devices. For a file
    /// they are the only ones, if given.
    pub local_addresses: Vec<IpAddr>,
    /// As [`local_addresses`](Self::local_addresses), for all addresses of a network.
    pub local_networks: Vec<Network>,
    /// The seed of the [Community IDs](crate::FlowRecord::community_id) of flows.
    pub community_seed: u16,
    /// How files are read.
    pub read: ReadOptions,
    /// Which flows stay listed after they have ended; by default all. The others only count in the
    /// totals, so that [`Limits::ended_flows`] has room for the selected ones. A report that is
    /// selected by the same filter has the totals of all of them, whether they are listed or not.
    #[serde(with = "filter_text")]
    pub filter: Filter,
    /// The bounds of the data in memory.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            input: Input::default(),
            capture_filter: None,
            live: Live::default(),
            owners: true,
            names: true,
            resolve: false,
            geo: GeoFiles::default(),
            realtime: false,
            local_addresses: Vec::new(),
            local_networks: Vec::new(),
            community_seed: 0,
            read: ReadOptions::default(),
            filter: Filter::default(),
            limits: Limits::default(),
        }
    }
}

/// Serialises a filter as its text.
mod filter_text {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::query::filter::Filter;

    pub(super) fn serialize<S: Serializer>(filter: &Filter, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(filter)
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Filter, D::Error> {
        let text = String::deserialize(from)?;
        Filter::parse(&text).map_err(serde::de::Error::custom)
    }
}
