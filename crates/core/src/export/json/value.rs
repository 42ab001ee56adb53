//! How single values are written.

use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flowner_attribution::{Protocol as SocketProtocol, Reason};
use flowner_flows::{Counters, Protocol};
use serde::{Serialize, Serializer};

use crate::model::totals::{Coverage, Group};

/// A value that is written as text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<T>(pub(super) T);

impl<T: Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Why an owner is unknown, by its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReasonName(pub(super) Reason);

impl Serialize for ReasonName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

/// One end of a flow: with its port, where the protocol has ports.
#[derive(Debug, Clone, Copy)]
pub(super) struct Endpoint {
    address: SocketAddr,
    has_port: bool,
}

impl Endpoint {
    pub(super) const fn new(protocol: Protocol, address: SocketAddr) -> Self {
        Self {
            address,
            has_port: protocol.has_ports(),
        }
    }

    /// One end of a socket.
    pub(super) const fn of_socket(protocol: SocketProtocol, address: SocketAddr) -> Self {
        Self {
            address,
            has_port: protocol.has_ports(),
        }
    }
}

impl Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.has_port {
            self.address.fmt(f)
        } else {
            self.address.ip().fmt(f)
        }
    }
}

/// What was counted in one direction.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Sums {
    packets: u64,
    bytes: u64,
}

impl From<Counters> for Sums {
    fn from(counters: Counters) -> Self {
        Self {
            packets: counters.packets,
            bytes: counters.bytes,
        }
    }
}

/// What was counted for each reason, with the reasons as keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reasons<'a>(pub(super) &'a [(&'static str, Counters)]);

impl Serialize for Reasons<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries = self.0.iter();
        serializer.collect_map(entries.map(|(reason, counters)| (reason, Sums::from(*counters))))
    }
}

/// How much of what was captured has an owner, by how it is known.
#[derive(Debug, Clone)]
pub(super) struct Coverages(pub(super) Vec<Group<Coverage>>);

impl Serialize for Coverages {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let known = self.0.iter().filter_map(|group| {
            let sums = Sums::from(group.totals.counted());
            group.key.map(|coverage| (coverage.name(), sums))
        });
        serializer.collect_map(known)
    }
}

/// A point in time, if RFC 3339 can write it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time(Option<SystemTime>);

impl Time {
    /// The last year that RFC 3339 can write is 9999; this is the first second of
    /// the next, since the epoch.
    const END: u64 = 253_402_300_800;

    pub(super) fn since_epoch(time: Duration) -> Self {
        let time = (time.as_secs() < Self::END).then_some(time);
        Self(time.and_then(|time| UNIX_EPOCH.checked_add(time)))
    }

    /// Nothing that is observed here happened before the epoch.
    pub(super) fn at(time: SystemTime) -> Self {
        let since_epoch = time.duration_since(UNIX_EPOCH);
        since_epoch.map_or(Self(None), Self::since_epoch)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.map(humantime::format_rfc3339_micros);
        text.map(Text).serialize(serializer)
    }
}

#[cfg(test)]
mod schema {
    //! What those that write themselves look like.

    use std::borrow::Cow;
    use std::collections::BTreeMap;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    use super::{Coverages, Reason, ReasonName, Reasons, Sums, Text, Time};

    impl<T> JsonSchema for Text<T> {
        fn schema_name() -> Cow<'static, str> {
            "Text".into()
        }

        fn inline_schema() -> bool {
            true
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "type": "string" })
        }
    }

    impl JsonSchema for ReasonName {
        fn schema_name() -> Cow<'static, str> {
            "Reason".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description": "Why the owner is unknown",
                "type": "string",
                "enum": Reason::ALL.map(Reason::name),
            })
        }
    }

    impl JsonSchema for Time {
        fn schema_name() -> Cow<'static, str> {
            "Time".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description": "RFC 3339 in UTC, with microseconds; null past the year 9999",
                "type": ["string", "null"],
                "format": "date-time",
            })
        }
    }

    impl JsonSchema for Reasons<'_> {
        fn schema_name() -> Cow<'static, str> {
            "Reasons".into()
        }

        fn inline_schema() -> bool {
            true
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            BTreeMap::<String, Sums>::json_schema(generator)
        }
    }

    impl JsonSchema for Coverages {
        fn schema_name() -> Cow<'static, str> {
            "Coverages".into()
        }

        fn inline_schema() -> bool {
            true
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            BTreeMap::<String, Sums>::json_schema(generator)
        }
    }
}

/// The ends that the socket of a flow has for itself, where this host translates the packets (NAT).
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct OriginalEnds {
    local: Text<SocketAddr>,
    remote: Text<SocketAddr>,
}

impl OriginalEnds {
    pub(super) const fn new(from: flowner_attribution::TranslatedFrom) -> Self {
        Self {
            local: Text(from.local),
            remote: Text(from.remote),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(time: Time, expected: &str) {
        assert_eq!(serde_json::to_string(&time).unwrap(), expected);
    }

    #[test]
    fn times() {
        let micro = Duration::from_micros(1);
        check(
            Time::since_epoch(Duration::ZERO),
            r#""1970-01-01T00:00:00.000000Z""#,
        );
        check(
            Time::since_epoch(Duration::new(1_767_225_600, 1_999)),
            r#""2026-01-01T00:00:00.000001Z""#,
        );
        check(
            Time::since_epoch(Duration::new(Time::END - 1, 999_999_999)),
            r#""9999-12-31T23:59:59.999999Z""#,
        );
        check(Time::since_epoch(Duration::from_secs(Time::END)), "null");
        check(Time::since_epoch(Duration::MAX), "null");
        check(Time::at(UNIX_EPOCH), r#""1970-01-01T00:00:00.000000Z""#);
        check(Time::at(UNIX_EPOCH - micro), "null");
    }

    #[test]
    fn only_protocols_with_ports_show_them() {
        let show =
            |protocol, address: &str| Endpoint::new(protocol, address.parse().unwrap()).to_string();
        assert_eq!(show(Protocol::TCP, "[::1]:80"), "[::1]:80");
        assert_eq!(show(Protocol::UDP, "10.0.0.1:0"), "10.0.0.1:0");
        assert_eq!(show(Protocol::ICMP, "10.0.0.1:0"), "10.0.0.1");
        assert_eq!(show(Protocol::ICMPV6, "[::1]:0"), "::1");
    }
}
