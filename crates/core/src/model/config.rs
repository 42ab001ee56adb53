//! Settings: plain data, the same for command line, file and app. All of them together are
//! [`Config`](crate::Config).

use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::model::demo::Demo;

/// How files are read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadOptions {
    /// Whether to infer the addresses of the capturing host if none are given: from the file, if it
    /// has them, or else from the first packets. [`Report::local_addresses`] has the result.
    ///
    /// [`Report::local_addresses`]: crate::Report::local_addresses
    pub infer_local_addresses: bool,
    /// Leave out packets before this.
    pub from: Option<TimeBound>,
    /// Leave out packets after this.
    pub to: Option<TimeBound>,
}

/// A point in packet time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeBound {
    /// A time since the Unix epoch.
    At(Duration),
    /// A time since the first packet of the file.
    AfterFirst(Duration),
}

impl TimeBound {
    /// The packet time, given that of the first packet.
    pub(crate) fn since_epoch(self, first: Duration) -> Duration {
        match self {
            Self::At(time) => time,
            Self::AfterFirst(time) => first.saturating_add(time),
        }
    }
}

impl FromStr for TimeBound {
    type Err = String;

    /// Parses RFC 3339, such as `2026-01-01T00:00:00Z`, with optional last parts and `Z`; or a time
    /// after the first packet, such as `+10s` or `+1m 30s`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not a valid time; expected one like 2026-01-01T00:00:00Z, or +10s after \
                     the first packet"
            )
        };
        if let Some(after) = text.strip_prefix('+') {
            let after = humantime::parse_duration(after).map_err(|_| wrong())?;
            return Ok(Self::AfterFirst(after));
        }
        let time = humantime::parse_rfc3339_weak(text).map_err(|_| wrong())?;
        let since_epoch = time.duration_since(UNIX_EPOCH);
        since_epoch.map(Self::At).map_err(|_| wrong())
    }
}

/// The source of packets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// All devices at once, including those that appear later. On Linux, a packet that crosses several of
    /// them, such as one of a container, counts once; elsewhere on each. The default on Linux.
    AllDevices,
    /// The device with the default route, or else the busiest one. The default elsewhere.
    DefaultDevice,
    /// The device with this name.
    Device(String),
    /// The devices with these names, at once.
    Devices(Vec<String>),
    /// A pcap or pcapng file.
    File(PathBuf),
    /// A pcap or pcapng file from standard input.
    StandardInput,
    /// A made-up host with made-up traffic, which needs no privilege. Without the feature `demo`,
    /// this variant cannot be constructed.
    Demo(Demo),
}

impl Default for Input {
    /// [`AllDevices`](Self::AllDevices) where one capture shows all devices, as on Linux;
    /// [`DefaultDevice`](Self::DefaultDevice) elsewhere.
    fn default() -> Self {
        if flowner_capture::all_begin_alike() {
            Self::AllDevices
        } else {
            Self::DefaultDevice
        }
    }
}

impl Input {
    /// The devices with these names; the [default](Self::default) if there are none; all devices for
    /// `any`.
    pub fn of_devices(names: &[String]) -> Self {
        match names {
            [] => Self::default(),
            [name] if name == "any" => Self::AllDevices,
            [name] => Self::Device(name.clone()),
            names => Self::Devices(names.to_vec()),
        }
    }

    /// Whether packets arrive as they happen, so that lookups of owners make sense.
    pub const fn is_live(&self) -> bool {
        match self {
            Self::AllDevices | Self::DefaultDevice | Self::Device(_) | Self::Devices(_) => true,
            Self::File(_) | Self::StandardInput => false,
            Self::Demo(demo) => demo.is_live(),
        }
    }
}

/// Settings of live capture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Live {
    /// The number of bytes that are copied of each frame. Headers need 256; but a client of TLS or
    /// QUIC may name the server anywhere in the first 2 kB.
    pub snap_length: u32,
    /// Whether to capture frames for other hosts, too.
    pub promiscuous: bool,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            // The longest headers that the decoder knows, and a `ClientHello` with post-quantum
            // keys.
            snap_length: 2_048,
            promiscuous: false,
        }
    }
}

/// Which databases tell the country and the network of an address (MMDB files of MaxMind, DB-IP or
/// IPinfo). None is ever downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum GeoFiles {
    /// Those that packages and the vendors' tools have installed where they usually do.
    #[default]
    Usual,
    /// These. What an earlier one does not know, a later one may.
    Files(Vec<PathBuf>),
    /// None.
    Off,
}

/// The bounds of what is kept in memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The number of flows that are followed at a time. At the bound, the one with the oldest last
    /// packet leaves.
    pub flows: usize,
    /// The number of ended flows that stay listed; older ones stay in the totals.
    pub ended_flows: usize,
    /// The number of lines in one breakdown of flows that are not listed any more; one line has the
    /// sum of the rest.
    pub groups: usize,
    /// The number of events that wait for a reader; past that, they are dropped and counted.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let check =
            |text: &str, expected: TimeBound| assert_eq!(text.parse(), Ok(expected), "{text}");
        let new_year = Duration::from_secs(1_767_225_600);
        check("2026-01-01T00:00:00Z", TimeBound::At(new_year));
        check("2026-01-01 00:00:00", TimeBound::At(new_year));
        check(
            "2026-01-01T00:00:00.5Z",
            TimeBound::At(new_year + Duration::from_millis(500)),
        );
        check("+10s", TimeBound::AfterFirst(Duration::from_secs(10)));
        check("+1m 30s", TimeBound::AfterFirst(Duration::from_secs(90)));
        for wrong in ["", "+", "10s", "yesterday", "1969-01-01T00:00:00Z", "-1s"] {
            assert!(wrong.parse::<TimeBound>().is_err(), "{wrong}");
        }
    }
}
