//! The keys of the language: one table, from which expressions are read, and help, shell
//! completion, documentation and tests are made.

use flowner_attribution::{Match, Protocol as SocketKind, Reason, SocketState};
use flowner_flows::{Direction, State};

use super::term::{Measure, Term};
use super::value::Text;
use crate::model::community_id::ParseCommunityIdError;
use crate::query::nearest::nearest;
use crate::query::services;
use crate::query::sockets::UNCONNECTED;

/// A key of the filter language; [`Filter::keys`](super::Filter::keys) lists all.
#[derive(Debug)]
#[non_exhaustive]
pub struct Key {
    /// What stands before the `:`, or before `<`, `=`, `>`.
    pub name: &'static str,
    /// Whole terms; the first one is what error messages show.
    pub examples: &'static [&'static str],
    /// Where the term holds, for people.
    pub selects: &'static str,
    /// Other names that are read, but never written.
    pub(super) aliases: &'static [&'static str],
    pub(super) takes: Takes,
}

impl Key {
    /// Whether the value is a number that is compared, as in `bytes>1M`.
    pub const fn is_compared(&self) -> bool {
        matches!(self.takes, Takes::Amount(_))
    }

    /// The example that error messages show.
    pub(super) fn example(&self) -> &'static str {
        self.examples.first().copied().unwrap_or(self.name)
    }
}

/// What stands behind a key, and which term it makes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Takes {
    /// A value behind `:`.
    Value(fn(&str) -> Result<Term, String>),
    /// A relation and an amount.
    Amount(Measure),
}

/// Every key, in the order in which they are listed.
pub(super) static KEYS: [Key; 29] = [
    Key {
        name: "program",
        examples: &["program:firefox"],
        selects: "an owner's program, process name or path contains it",
        aliases: &[],
        takes: Takes::Value(|value| Ok(Term::Program(Text::new(value)))),
    },
    Key {
        name: "pid",
        examples: &["pid:4242"],
        selects: "a process with this pid is an owner",
        aliases: &[],
        takes: Takes::Value(|value| pid(value).map(Term::Pid)),
    },
    Key {
        name: "user",
        examples: &["user:ada", "user:1000"],
        selects: "an owner runs as this user, by name or number",
        aliases: &[],
        takes: Takes::Value(|value| Ok(Term::User(Text::new(value)))),
    },
    Key {
        name: "unit",
        examples: &["unit:sshd"],
        selects: "an owner's service, container or sandbox contains it",
        aliases: &[],
        takes: Takes::Value(|value| Ok(Term::Unit(Text::new(value)))),
    },
    Key {
        name: "container",
        examples: &["container:web", "container:nginx"],
        selects: "the name, id or image of an owner's container contains it",
        aliases: &[],
        takes: Takes::Value(|value| Ok(Term::Container(Text::new(value)))),
    },
    Key {
        name: "pod",
        examples: &["pod:default/web-0", "pod:web"],
        selects: "the namespace and name of an owner's pod contain it",
        aliases: &[],
        takes: Takes::Value(|value| Ok(Term::Pod(Text::new(value)))),
    },
    Key {
        name: "name",
        examples: &["name:example.com"],
        selects: "the other end has this name, or one below it",
        aliases: &["domain"],
        takes: Takes::Value(|value| Ok(Term::Name(Text::new(value)))),
    },
    Key {
        name: "dns",
        examples: &["dns:example.com"],
        selects: "a flow of DNS asks for this name, or one below it",
        aliases: &[],
        takes: Takes::Value(|value| Ok(Term::Dns(Text::new(value)))),
    },
    Key {
        name: "country",
        examples: &["country:DE", "country:private"],
        selects: "the other end is in this country, by code or name, or in this range of addresses",
        aliases: &[],
        takes: Takes::Value(|value| Ok(Term::Country(Text::new(value)))),
    },
    Key {
        name: "asn",
        examples: &["asn:64496"],
        selects: "the other end is in this autonomous system",
        aliases: &[],
        takes: Takes::Value(|value| asn(value).map(Term::Asn)),
    },
    Key {
        name: "network",
        examples: &["network:example"],
        selects: "the name of the other end's network contains it",
        aliases: &[],
        // Who types a prefix means that.
        takes: Takes::Value(|value| {
            let prefix = value.parse().map(Term::Host);
            Ok(prefix.unwrap_or_else(|_| Term::Network(Text::new(value))))
        }),
    },
    Key {
        name: "host",
        examples: &["host:10.0.0.0/8", "host:10.0.0.1"],
        selects: "one of the two ends has this address, perhaps before NAT",
        aliases: &[],
        takes: Takes::Value(|value| value.parse().map(Term::Host)),
    },
    Key {
        name: "local",
        examples: &["local::443", "local:10.0.0.1"],
        selects: "this host's end has this address and port",
        aliases: &[],
        takes: Takes::Value(|value| value.parse().map(Term::Local)),
    },
    Key {
        name: "remote",
        examples: &["remote:10.0.0.1:443", "remote::443"],
        selects: "the other end has this address and port",
        aliases: &[],
        takes: Takes::Value(|value| value.parse().map(Term::Remote)),
    },
    Key {
        name: "port",
        examples: &["port:8000-9000", "port:443"],
        selects: "one of the two ends has this port, perhaps before NAT",
        aliases: &[],
        takes: Takes::Value(|value| value.parse().map(Term::Port)),
    },
    Key {
        name: "proto",
        examples: &["proto:tcp", "proto:icmp", "proto:raw"],
        selects: "the protocol above IP, or the kind of socket, such as raw or packet",
        aliases: &["protocol"],
        takes: Takes::Value(protocol),
    },
    Key {
        name: "service",
        examples: &["service:https"],
        selects: "the name of the service's port",
        aliases: &[],
        takes: Takes::Value(|value| service(value).map(Term::Service)),
    },
    Key {
        name: "state",
        examples: &["state:established"],
        selects: "the state of the flow or socket",
        aliases: &[],
        takes: Takes::Value(|value| state(value).map(Term::State)),
    },
    Key {
        name: "dir",
        examples: &["dir:outgoing", "dir:out"],
        selects: "the direction of the flow",
        aliases: &["direction"],
        takes: Takes::Value(|value| direction(value).map(Term::Direction)),
    },
    Key {
        name: "device",
        examples: &["device:eth0"],
        selects: "the device on which the flow was counted, or to which the socket is bound",
        aliases: &[],
        takes: Takes::Value(|value| Ok(Term::Device(Text::new(value)))),
    },
    Key {
        name: "verdict",
        examples: &["verdict:unknown"],
        selects: "the kind of an owner's verdict",
        aliases: &[],
        takes: Takes::Value(|value| {
            choose("verdict", value, VERDICTS, |name| name).map(Term::Verdict)
        }),
    },
    Key {
        name: "reason",
        examples: &["reason:process-exited"],
        selects: "why no owner is known",
        aliases: &[],
        takes: Takes::Value(|value| reason(value).map(Term::Reason)),
    },
    Key {
        name: "match",
        examples: &["match:five-tuple"],
        selects: "how the owner was found",
        aliases: &[],
        takes: Takes::Value(|value| {
            let closest_first = Match::ALL.into_iter().rev();
            choose("kind of match", value, closest_first, Match::name).map(Term::Match)
        }),
    },
    Key {
        name: "community",
        examples: &["community:1:LQU9qZlK+B5F3KDmev6m5PMibrg="],
        selects: "the Community ID of the flow",
        aliases: &[],
        takes: Takes::Value(|value| {
            let id = value.parse().map(Term::Community);
            id.map_err(|error: ParseCommunityIdError| error.to_string())
        }),
    },
    Key {
        name: "bytes",
        examples: &["bytes>10k"],
        selects: "bytes on the wire, both directions",
        aliases: &[],
        takes: Takes::Amount(Measure::Bytes),
    },
    Key {
        name: "packets",
        examples: &["packets>=5"],
        selects: "packets, both directions",
        aliases: &[],
        takes: Takes::Amount(Measure::Packets),
    },
    Key {
        name: "rate",
        examples: &["rate>1M"],
        selects: "bytes on the wire a second, both directions",
        aliases: &[],
        takes: Takes::Amount(Measure::Rate),
    },
    Key {
        name: "retransmits",
        examples: &["retransmits>0"],
        selects: "TCP segments that were sent again, both directions",
        aliases: &[],
        takes: Takes::Amount(Measure::SentAgain),
    },
    Key {
        name: "rtt",
        examples: &["rtt>100"],
        selects: "the round-trip time of TCP, in milliseconds",
        aliases: &[],
        takes: Takes::Amount(Measure::RoundTrip),
    },
];

/// The names that [`Verdict::name`](flowner_attribution::Verdict::name) gives.
pub(super) const VERDICTS: [&str; 4] = ["process", "shared", "partial", "unknown"];

/// The key with this name, in any case, or what is wrong with it.
pub(super) fn find(name: &str) -> Result<&'static Key, String> {
    let is_it = |known: &str| known.eq_ignore_ascii_case(name);
    KEYS.iter()
        .find(|key| is_it(key.name) || key.aliases.iter().any(|alias| is_it(alias)))
        .ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> String {
    let names = KEYS.iter().map(|key| key.name);
    match nearest(&name.to_ascii_lowercase(), names.clone()) {
        Some(nearest) => format!("unknown key `{name}`; did you mean `{nearest}`?"),
        None => format!(
            "unknown key `{name}`; known are {}. Text with such signs is searched for in quotes",
            list(names)
        ),
    }
}

fn list(names: impl Iterator<Item = &'static str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// The one of `all` with that name in any case.
fn choose<T: Copy>(
    what: &str,
    name: &str,
    all: impl IntoIterator<Item = T, IntoIter: Clone>,
    name_of: impl Fn(T) -> &'static str,
) -> Result<T, String> {
    let all = all.into_iter();
    all.clone()
        .find(|one| name_of(*one).eq_ignore_ascii_case(name))
        .ok_or_else(|| {
            let names = list(all.map(name_of));
            format!("`{name}` is not a valid {what}; expected one of {names}")
        })
}

fn pid(value: &str) -> Result<u32, String> {
    value
        .parse()
        .map_err(|_| format!("`{value}` is not a valid process id; expected a number"))
}

/// With the letters before it, or without.
fn asn(value: &str) -> Result<u32, String> {
    let letters = value.get(..2);
    let number = match letters {
        Some(letters) if letters.eq_ignore_ascii_case("as") => &value[2..],
        _ => value,
    };
    number.parse().map_err(|_| {
        format!("`{value}` is not a valid autonomous system; expected a number, such as 64496 or AS64496")
    })
}

fn protocol(value: &str) -> Result<Term, String> {
    let name = value.to_ascii_lowercase();
    // What sockets have in place of a protocol: it is none above IP.
    if let Ok(kind @ (SocketKind::Raw | SocketKind::Packet)) = name.parse() {
        return Ok(Term::SocketKind(kind));
    }
    name.parse().map(Term::Protocol).map_err(|_| {
        format!("`{value}` is not a valid protocol; expected a name such as tcp, udp or icmp, raw or packet for such sockets, or a number up to 255")
    })
}

fn service(value: &str) -> Result<&'static str, String> {
    services::canonical_name(value).ok_or_else(|| {
        let nearest = nearest(&value.to_ascii_lowercase(), services::names());
        let hint = nearest.map_or_else(
            || "ports are chosen as in port:8443".to_owned(),
            |nearest| format!("did you mean `{nearest}`?"),
        );
        format!("`{value}` is not a valid service name; {hint}")
    })
}

/// States of flows and of sockets; the same name means the same.
fn state(value: &str) -> Result<&'static str, String> {
    let of_flows = State::ALL.into_iter().map(State::name);
    let of_sockets = SocketState::ALL.into_iter().map(SocketState::name);
    let names = of_flows.chain(of_sockets).chain([UNCONNECTED]);
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names.dedup();
    choose("state", value, names, |name| name)
}

/// By the name, or by one of an earlier version.
fn reason(value: &str) -> Result<Reason, String> {
    let earlier = value.to_ascii_lowercase().parse();
    earlier.or_else(|_| choose("reason", value, Reason::ALL, Reason::name))
}

fn direction(value: &str) -> Result<Direction, String> {
    match value.to_ascii_lowercase().as_str() {
        "in" => Ok(Direction::Incoming),
        "out" => Ok(Direction::Outgoing),
        name => choose("direction", name, Direction::ALL, Direction::name),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::Path;

    use flowner_attribution::Verdict;

    use super::*;
    use crate::query::filter::Filter;

    /// What every key owes: its examples are its own, and are read as they are written.
    #[test]
    fn the_examples_of_every_key_are_read_again() {
        for key in &KEYS {
            assert!(!key.examples.is_empty() && !key.selects.is_empty());
            for example in key.examples {
                let rest = example.strip_prefix(key.name).unwrap();
                assert_eq!(rest.starts_with(':'), !key.is_compared(), "{example}");
                let filter = Filter::parse(example).unwrap_or_else(|it| panic!("{}", it.render()));
                let text = filter.to_string();
                assert!(text.starts_with(key.name), "{example}: {text}");
                assert_eq!(Filter::parse(&text), Ok(filter));
                for alias in key.aliases {
                    let by_alias = Filter::parse(&format!("{alias}{rest}"));
                    assert_eq!(by_alias, Filter::parse(example), "{alias}");
                }
            }
        }
    }

    #[test]
    fn keys_and_aliases_have_different_names() {
        let aliases = KEYS.iter().flat_map(|key| key.aliases).copied();
        let mut names: Vec<_> = KEYS.iter().map(|key| key.name).chain(aliases).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn every_verdict_can_be_chosen() {
        // A new kind of verdict is an error here, until VERDICTS has its name.
        let is_listed = |verdict: &Verdict| match verdict {
            Verdict::Process(_)
            | Verdict::Shared(_)
            | Verdict::Partial { .. }
            | Verdict::Unknown(_) => VERDICTS.contains(&verdict.name()),
        };
        assert!(is_listed(&Verdict::Shared(Vec::new())));
        assert!(is_listed(&Verdict::Unknown(Reason::Gone)));
        let (user, unit) = (None, None);
        assert!(is_listed(&Verdict::Partial { user, unit }));
    }

    /// The table in the documentation of the language is made from the keys.
    /// `SNAPSHOTS=overwrite cargo test -p flowner-core` writes the file anew.
    #[test]
    fn the_documentation_lists_every_key() {
        let mut table = "| term | holds where |\n|---|---|\n".to_owned();
        let anywhere = "program, process, user, name, address or port contain the text";
        writeln!(table, "| `firefox` | {anywhere} |").unwrap();
        for key in &KEYS {
            let examples = key.examples.join("`, `");
            writeln!(table, "| `{examples}` | {} |", key.selects).unwrap();
        }
        let path = "src/query/filter/keys.md";
        if std::env::var_os("SNAPSHOTS").is_some_and(|value| value == "overwrite") {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
            std::fs::write(folder.join(path), &table).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap();
        assert_eq!(
            written, table,
            "the keys have changed; write {path} anew with SNAPSHOTS=overwrite"
        );
    }
}
