//! What a monitor is told: plain data, the same for command line, file and app.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The resolved configuration of a [`Monitor`](crate::Monitor).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where packets come from.
    pub input: Input,
    /// A capture filter in libpcap's language (pcap-filter(7)).
    pub capture_filter: Option<String>,
    /// Settings of live capture.
    pub live: Live,
    /// Whether owners are looked up; only live capture can.
    pub owners: bool,
    /// Addresses that count as this host's own, in addition to those of its
    /// devices. For files they are the only ones: a file does not say whose it is.
    pub local_addresses: Vec<IpAddr>,
    /// The bounds of what is kept in memory.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            input: Input::default(),
            capture_filter: None,
            live: Live::default(),
            owners: true,
            local_addresses: Vec::new(),
            limits: Limits::default(),
        }
    }
}

/// Where packets come from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// The device that carries the default route, else the busiest.
    #[default]
    DefaultDevice,
    /// The device of this name.
    Device(String),
    /// A pcap or pcapng file.
    File(PathBuf),
    /// A pcap or pcapng file from standard input.
    StandardInput,
    /// A made-up host with made-up traffic, which needs no privilege.
    Demo(Demo),
}

/// How the demo is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demo {
    /// Ten minutes that are over, then as it happens, without end.
    #[default]
    Live,
    /// Ten minutes of one day, at once; always the same.
    Recorded,
}

impl Input {
    /// Whether packets arrive as they happen, so that owners can be looked up.
    pub const fn is_live(&self) -> bool {
        matches!(
            self,
            Self::DefaultDevice | Self::Device(_) | Self::Demo(Demo::Live)
        )
    }
}

/// Settings of live capture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Live {
    /// Bytes of each frame that are copied; headers are enough.
    pub snap_length: u32,
    /// Whether frames for other hosts are taken too.
    pub promiscuous: bool,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            // The longest headers that are decoded: Ethernet with two VLAN tags,
            // IPv6 with extension headers, TCP with options.
            snap_length: 256,
            promiscuous: false,
        }
    }
}

/// The bounds of what is kept in memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Flows that are followed at a time; the least recently seen gives way.
    pub flows: usize,
    /// Ended flows that stay listed; older ones stay in the totals.
    pub ended_flows: usize,
    /// Lines of one breakdown of flows that are not listed any more; the rest is
    /// added up in one line.
    pub groups: usize,
    /// Events that wait for a reader; past that they are dropped and counted.
    pub events: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            flows: 100_000,
            ended_flows: 10_000,
            groups: 10_000,
            events: 16_384,
        }
    }
}
