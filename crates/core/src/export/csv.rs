//! Flows and what they add up to as comma-separated values (RFC 4180): a line with the names
//! of the columns, then one for each flow or group. Columns are never renamed or reordered;
//! new ones come last.
//!
//! Times are RFC 3339 in UTC with microseconds, and bytes those of frames on the wire. Unknown
//! values are empty. If several processes share a socket, one field contains their values with `; `
//! between them. A name that a spreadsheet would take for a formula has a `'` before it, even after
//! blanks, and even if its sign is a full-width one.
//!
//! Names keep every character, including controls: in a file they are data. A terminal would obey
//! them. For a terminal, [`Writer::for_terminal`] writes characters that [`text::mask`] would make
//! visible in the same form, and a backslash as `\\`, so that the name can be recovered: `\x1b` is
//! the escape character, `\\x1b` four plain ones.

mod fields;

use std::borrow::Cow;
use std::io::{self, Write};
use std::net::IpAddr;

use flowner_attribution::{Ownership, Source};
use flowner_flows::Protocol;

use fields::{names, owner, place, time, unit_fields};

use crate::model::flow::{FlowRecord, TcpFacts};
use crate::model::names::Name;
use crate::model::place::Country;
use crate::model::principal::Principal;
use crate::model::text::{self, is_hidden};
use crate::model::totals::{
    ContainerGroup, CountryGroup, DomainGroup, Group, NameGroup, NetworkGroup, PodGroup,
    ProcessPrincipal, Service, Totals, UnitGroup,
};
use crate::query::services::service_name;

/// The columns of a flow.
const FLOW: [&str; 52] = [
    "protocol",
    "local_address",
    "local_port",
    "remote_address",
    "remote_port",
    "direction",
    "state",
    "sent_packets",
    "sent_bytes",
    "received_packets",
    "received_bytes",
    "first_seen",
    "last_seen",
    "program",
    "verdict",
    "match",
    "reason",
    "pid",
    "process",
    "user",
    "path",
    "unit",
    "remote_program",
    "remote_verdict",
    "remote_match",
    "remote_reason",
    "remote_pid",
    "remote_process",
    "remote_user",
    "remote_path",
    "remote_unit",
    "source",
    "remote_source",
    "community_id",
    "translated_from_local",
    "translated_from_remote",
    "error",
    "icmp_id",
    "remote_name",
    "remote_name_source",
    "remote_names",
    "dns_questions",
    "device",
    "sent_again_segments",
    "received_again_segments",
    "rtt_us",
    "connect_failed",
    "country",
    "city",
    "asn",
    "network_name",
    "range",
];

/// The columns of a group after its key. `sent` and `received` count each byte once.
/// `received_total` is all that the group received; its part `received_here` also counts as sent by
/// others of this host.
const TOTALS: [&str; 11] = [
    "flows",
    "sent_packets",
    "sent_bytes",
    "received_packets",
    "received_bytes",
    "received_here_packets",
    "received_here_bytes",
    "first_seen",
    "last_seen",
    "received_total_packets",
    "received_total_bytes",
];

/// The columns of a unit.
const UNIT: [&str; 5] = ["kind", "unit", "container", "image", "pod"];

/// The source of a group's owners, in the column after its totals: `recorded` if a file claims the
/// owners, and otherwise empty.
const SOURCE: &str = "source";

/// Writes rows.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    is_terminal: bool,
}

impl<W: Write> Writer<W> {
    /// For a file or a program: every character as it is.
    pub const fn new(out: W) -> Self {
        Self {
            out,
            is_terminal: false,
        }
    }

    /// For a terminal, which would obey some characters: this escapes them, and backslashes.
    pub const fn for_terminal(out: W) -> Self {
        Self {
            out,
            is_terminal: true,
        }
    }

    /// Writes flows, after the names of the columns.
    ///
    /// # Errors
    /// The errors of the output.
    pub fn flows<'a>(&mut self, flows: impl IntoIterator<Item = &'a FlowRecord>) -> io::Result<()> {
        self.line(FLOW)?;
        for flow in flows {
            let port = |port: u16| flow.protocol.has_ports().then(|| port.to_string());
            let mut fields = vec![
                flow.protocol.to_string(),
                flow.local.ip().to_string(),
                port(flow.local.port()).unwrap_or_default(),
                flow.remote.ip().to_string(),
                port(flow.remote.port()).unwrap_or_default(),
                flow.direction.to_string(),
                flow.state.to_string(),
                flow.sent.packets.to_string(),
                flow.sent.bytes.to_string(),
                flow.received.packets.to_string(),
                flow.received.bytes.to_string(),
                time(flow.first_seen),
                time(flow.last_seen),
            ];
            let owners = [flow.owner.as_ref(), flow.remote_owner.as_ref()];
            fields.extend(owner(owners[0], &flow.principal));
            fields.extend(owner(owners[1], &flow.remote_principal));
            let source = |owner: &Ownership| owner.evidence.source.name().to_owned();
            fields.extend(owners.map(|owner| owner.map(source).unwrap_or_default()));
            let community_id = flow.community_id().map(|id| id.to_string());
            fields.push(community_id.unwrap_or_default());
            let from = flow.translated_from();
            let from = from.map(|from| [from.local, from.remote].map(|end| end.to_string()));
            fields.extend(from.unwrap_or_default());
            fields.push(flow.error.map_or(String::new(), |error| error.to_string()));
            fields.push(flow.icmp_id.map(|id| id.to_string()).unwrap_or_default());
            fields.extend(names(flow));
            fields.push(flow.device.as_deref().unwrap_or("").to_owned());
            fields.extend(flow.tcp.map_or_else(Default::default, tcp));
            fields.extend(place(flow));
            self.line(fields)?;
        }
        Ok(())
    }

    /// Writes programs: `program`, its totals, and `source`. `claimed`: whether a file claims the
    /// owners; see [`Report::owners_are_claimed`](crate::Report::owners_are_claimed).
    ///
    /// # Errors
    /// Those of the output.
    pub fn programs(&mut self, all: &[Group<Principal>], claimed: bool) -> io::Result<()> {
        let source = |principal: &Principal| claimed && *principal != Principal::Unattributed;
        self.owners(
            ["program"],
            all,
            |principal| [principal.to_string()],
            source,
        )
    }

    /// Writes processes: `process`, `pid`, `user`, the totals, and `source`, as for
    /// [`programs`](Self::programs).
    ///
    /// # Errors
    /// Those of the output.
    pub fn processes(&mut self, all: &[Group<ProcessPrincipal>], claimed: bool) -> io::Result<()> {
        let unattributed = ProcessPrincipal::Other(Principal::Unattributed);
        let key = |principal: &ProcessPrincipal| match principal {
            ProcessPrincipal::Process { id, name, user } => [
                name.clone(),
                id.pid.to_string(),
                user.clone().unwrap_or_default(),
            ],
            ProcessPrincipal::Other(principal) => {
                [principal.to_string(), String::new(), String::new()]
            }
        };
        let source = |principal: &ProcessPrincipal| claimed && *principal != unattributed;
        self.owners(["process", "pid", "user"], all, key, source)
    }

    /// Writes units: `kind`, `unit` (for a container the whole id), `container` (its name),
    /// `image`, `pod`, the totals, and `source`, as for [`programs`](Self::programs).
    ///
    /// # Errors
    /// Those of the output.
    pub fn units(&mut self, all: &[Group<UnitGroup>], claimed: bool) -> io::Result<()> {
        let is_claimed = |group: &UnitGroup| claimed && group.0.is_some();
        self.owners(UNIT, all, |group| unit_fields(group.0.as_ref()), is_claimed)
    }

    /// Writes containers, with the same columns.
    ///
    /// # Errors
    /// Those of the output.
    pub fn containers(&mut self, all: &[Group<ContainerGroup>], claimed: bool) -> io::Result<()> {
        let is_claimed = |group: &ContainerGroup| claimed && group.0.is_some();
        self.owners(UNIT, all, |group| unit_fields(group.0.as_ref()), is_claimed)
    }

    /// Writes pods: `namespace`, `pod`, the totals, and `source`.
    ///
    /// # Errors
    /// Those of the output.
    pub fn pods(&mut self, all: &[Group<PodGroup>], claimed: bool) -> io::Result<()> {
        let is_claimed = |group: &PodGroup| claimed && group.0.is_some();
        let key = |group: &PodGroup| match &group.0 {
            Some(pod) => [pod.namespace.clone(), pod.name.clone()],
            None => [const { String::new() }; 2],
        };
        self.owners(["namespace", "pod"], all, key, is_claimed)
    }

    /// Writes the other ends: `host` and its totals.
    ///
    /// # Errors
    /// Those of the output.
    pub fn hosts(&mut self, all: &[Group<IpAddr>]) -> io::Result<()> {
        self.groups(["host"], all, |host| [host.to_string()])
    }

    /// Writes services: `service` (its name), `protocol`, `port`, and the totals.
    ///
    /// # Errors
    /// Those of the output.
    pub fn services(&mut self, all: &[Group<Service>]) -> io::Result<()> {
        self.groups(["service", "protocol", "port"], all, |service| {
            let Service { protocol, port } = *service;
            let port = protocol.has_ports().then_some(port);
            let name = port.and_then(|port| service_name(protocol, port));
            [
                name.unwrap_or_default().to_owned(),
                protocol.to_string(),
                port.map(|port| port.to_string()).unwrap_or_default(),
            ]
        })
    }

    /// Writes protocols: `protocol` and its totals.
    ///
    /// # Errors
    /// Those of the output.
    pub fn protocols(&mut self, all: &[Group<Protocol>]) -> io::Result<()> {
        self.groups(["protocol"], all, |protocol| [protocol.to_string()])
    }

    /// Writes names of other ends: `name` and its totals.
    ///
    /// # Errors
    /// Those of the output.
    pub fn names(&mut self, all: &[Group<NameGroup>]) -> io::Result<()> {
        self.groups(["name"], all, |group| [name_of(group.0.as_ref())])
    }

    /// Writes the registered domains of names: `domain` and its totals.
    ///
    /// # Errors
    /// Those of the output.
    pub fn domains(&mut self, all: &[Group<DomainGroup>]) -> io::Result<()> {
        self.groups(["domain"], all, |group| [name_of(group.0.as_ref())])
    }

    /// Writes countries: `country`, `country_name`, `range`, and the totals.
    ///
    /// # Errors
    /// Those of the output.
    pub fn countries(&mut self, all: &[Group<CountryGroup>]) -> io::Result<()> {
        let nothing = String::new;
        let names = ["country", "country_name", "range"];
        self.groups(names, all, |group| match group {
            CountryGroup::Country(Country { code, name, .. }) => {
                [code.clone(), name.clone().unwrap_or_default(), nothing()]
            }
            CountryGroup::Range(range) => [nothing(), nothing(), range.to_string()],
            CountryGroup::Unknown => [nothing(), nothing(), nothing()],
        })
    }

    /// Writes networks: `asn`, `network_name`, `range`, and the totals.
    ///
    /// # Errors
    /// Those of the output.
    pub fn networks(&mut self, all: &[Group<NetworkGroup>]) -> io::Result<()> {
        let nothing = String::new;
        let names = ["asn", "network_name", "range"];
        self.groups(names, all, |group| match group {
            NetworkGroup::System { asn, name } => {
                [asn.to_string(), name.clone().unwrap_or_default(), nothing()]
            }
            NetworkGroup::Named(name) => [nothing(), name.clone(), nothing()],
            NetworkGroup::Range(range) => [nothing(), nothing(), range.to_string()],
            NetworkGroup::Unknown => [nothing(), nothing(), nothing()],
        })
    }

    fn groups<K, const N: usize>(
        &mut self,
        names: [&str; N],
        groups: &[Group<K>],
        key: impl Fn(&K) -> [String; N],
    ) -> io::Result<()> {
        self.line(names.into_iter().chain(TOTALS))?;
        for group in groups {
            let fields = key_fields(group, &key).into_iter();
            self.line(fields.chain(totals(&group.totals)))?;
        }
        Ok(())
    }

    /// As [`groups`](Self::groups), with the source of the owners.
    fn owners<K, const N: usize>(
        &mut self,
        names: [&str; N],
        groups: &[Group<K>],
        key: impl Fn(&K) -> [String; N],
        is_claimed: impl Fn(&K) -> bool,
    ) -> io::Result<()> {
        self.line(names.into_iter().chain(TOTALS).chain([SOURCE]))?;
        for group in groups {
            let is_claimed = group.key.as_ref().is_some_and(&is_claimed);
            let source = if is_claimed {
                Source::Recorded.name()
            } else {
                ""
            };
            let fields = key_fields(group, &key).into_iter();
            let fields = fields.chain(totals(&group.totals));
            self.line(fields.chain([source.to_owned()]))?;
        }
        Ok(())
    }

    /// Fields separated by commas, with quotes if they need some (RFC 4180, section 2).
    fn line(&mut self, fields: impl IntoIterator<Item = impl AsRef<str>>) -> io::Result<()> {
        for (place, field) in fields.into_iter().enumerate() {
            if place > 0 {
                self.out.write_all(b",")?;
            }
            let field = defused(field.as_ref());
            let field = if self.is_terminal {
                escaped(field)
            } else {
                field
            };
            if field.contains(['"', ',']) || field.contains(is_hidden) {
                write!(self.out, "\"{}\"", field.replace('"', "\"\""))?;
            } else {
                self.out.write_all(field.as_bytes())?;
            }
        }
        self.out.write_all(b"\r\n")
    }
}

fn name_of(name: Option<&Name>) -> String {
    name.map(Name::to_string).unwrap_or_default()
}

/// The last group of a breakdown that was full has no key: it is `(others)`.
fn key_fields<K, const N: usize>(group: &Group<K>, key: impl Fn(&K) -> [String; N]) -> [String; N] {
    match &group.key {
        Some(of) => key(of),
        None => std::array::from_fn(|place| match place {
            0 => "(others)".to_owned(),
            _ => String::new(),
        }),
    }
}

fn totals(totals: &Totals) -> [String; 11] {
    let elsewhere = totals.received_elsewhere();
    let Totals {
        flows,
        sent,
        received,
        received_here,
        first_seen,
        last_seen,
        ..
    } = totals;
    [
        flows.to_string(),
        sent.packets.to_string(),
        sent.bytes.to_string(),
        elsewhere.packets.to_string(),
        elsewhere.bytes.to_string(),
        received_here.packets.to_string(),
        received_here.bytes.to_string(),
        time(*first_seen),
        time(*last_seen),
        received.packets.to_string(),
        received.bytes.to_string(),
    ]
}

/// The first characters of formulas: the usual signs, and their full-width and small forms.
const SIGNS: [char; 12] = [
    '=', '+', '-', '@', '＝', '＋', '－', '＠', '﹦', '﹢', '﹣', '﹫',
];

/// Whether a spreadsheet would take a field for a formula. A process can choose such a name. Not
/// every spreadsheet stops at blanks, line ends or invisible characters before it. The name of a
/// login shell, such as `-bash`, is no formula.
fn is_formula(field: &str) -> bool {
    let is_plain = |letter: char| letter.is_alphanumeric() || "-_.".contains(letter);
    if let Some(rest) = field.strip_prefix('-') {
        return !rest.chars().all(is_plain);
    }
    let is_skipped = |letter: char| letter.is_whitespace() || is_hidden(letter);
    let begun = field.trim_start_matches(is_skipped);
    begun.starts_with(SIGNS) || field.starts_with(['\t', '\r', '\n'])
}

/// A field that no spreadsheet takes for a formula.
fn defused(field: &str) -> Cow<'_, str> {
    if is_formula(field) {
        Cow::Owned(format!("'{field}"))
    } else {
        Cow::Borrowed(field)
    }
}

/// A field that a terminal shows, from which the original can be recovered.
fn escaped(field: Cow<'_, str>) -> Cow<'_, str> {
    if !field.contains('\\') && matches!(text::mask(&field), Cow::Borrowed(_)) {
        return field;
    }
    let doubled = field.replace('\\', "\\\\");
    Cow::Owned(text::mask(&doubled).into_owned())
}

/// The fields for the quality of a TCP connection.
fn tcp(tcp: TcpFacts) -> [String; 4] {
    let round_trip = tcp.round_trip.map(|it| it.smoothed.as_micros().to_string());
    [
        tcp.sent_again.segments.to_string(),
        tcp.received_again.segments.to_string(),
        round_trip.unwrap_or_default(),
        if tcp.is_failed { "yes" } else { "" }.to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use flowner_attribution::{Process, User, Verdict};

    use super::*;
    use crate::samples::{contained_flow, curl, flow, owner as sample, translated_flow};

    fn text(write: impl FnOnce(&mut Writer<Vec<u8>>) -> io::Result<()>) -> String {
        let mut out = Writer::new(Vec::new());
        write(&mut out).unwrap();
        String::from_utf8(out.out).unwrap()
    }

    #[test]
    fn a_flow() {
        let actual = text(|out| out.flows([&flow(1)]));
        let lines: Vec<_> = actual.split("\r\n").collect();
        assert_eq!(lines[0], FLOW.join(","));
        assert_eq!(
            lines[1],
            "tcp,10.0.0.2,45784,93.184.216.34,443,outgoing,closed,5,332,4,300,\
             2026-01-01T00:00:00.000001Z,2026-01-01T00:00:01.500000Z,curl,process,five-tuple,,\
             4242,curl,ada,/usr/bin/curl,,,,,,,,,,,scripted,,\
             1:tnEFGl8SxoV1GV320LBGRdfBPVs=,,,,,,,,,eth0,,,,,,,,,"
        );
        assert_eq!(lines[2], "");
    }

    #[test]
    fn a_translated_flow() {
        let actual = text(|out| out.flows([&translated_flow(1)]));
        let line = actual.lines().nth(1).unwrap();
        let expected = ",172.17.0.2:40000,93.184.216.34:443,,,,,,,eth0,,,,,,,,,";
        assert!(line.ends_with(expected), "{line}");
    }

    /// Programs get the whole id.
    #[test]
    fn containers() {
        let id = "9f4f8d5a3c0b1e2d4f60718293a4b5c6d7e8f90123456789abcdef0123456789";
        let flow = contained_flow(1);
        let actual = text(|out| out.flows([&flow]));
        assert!(actual.contains(&format!(",container {id},")), "{actual}");
        let input = crate::model::report::InputInfo {
            name: "eth0".to_owned(),
            link_type: "ethernet",
            is_live: false,
        };
        let ending = crate::model::report::EndState::Complete;
        let report = crate::model::report::Report::of(vec![flow], input, ending);
        let actual = text(|out| out.containers(&report.containers(), false));
        let line = actual.lines().nth(1).unwrap();
        let expected = format!("container,{id},web,nginx:1.27,default/web-0,1,5,332,");
        assert!(line.starts_with(&expected), "{line}");
        let actual = text(|out| out.pods(&report.pods(), false));
        assert!(
            actual
                .lines()
                .nth(1)
                .unwrap()
                .starts_with("default,web-0,1,")
        );
    }

    #[test]
    fn names_have_columns() {
        let mut one = flow(1);
        one.names = Some(crate::samples::names("www.example.com"));
        let actual = text(|out| out.flows([&one]));
        let line = actual.split("\r\n").nth(1).unwrap();
        assert!(
            line.ends_with(",,,,,www.example.com,tls,,,eth0,,,,,,,,,"),
            "{line}"
        );
    }

    #[test]
    fn a_bad_connection() {
        let time = Duration::from_micros(12_345);
        let mut failed = flow(1);
        failed.error = Some(flowner_flows::FlowError::Prohibited);
        failed.tcp = Some(TcpFacts {
            sent_again: flowner_flows::Retransmissions::new(3, 4_096),
            received_again: flowner_flows::Retransmissions::new(1, 10),
            round_trip: Some(flowner_flows::RoundTrip::new(time, time, 7)),
            is_failed: true,
        });
        let actual = text(|out| out.flows([&failed]));
        assert!(actual.ends_with(",3,1,12345,yes,,,,,\r\n"), "{actual}");
    }

    #[test]
    fn every_line_has_all_fields() {
        let mut odd = Process::new(7, "a \"b\", c");
        odd.path = Some("/tmp/new\nline".into());
        let shared = Verdict::Shared(vec![curl(), Arc::new(odd)]);
        let one = flow(1).with_owners(None, Some(sample(shared, None)));
        let actual = text(|out| out.flows([&one]));
        let line = actual.split_once("\r\n").unwrap().1;
        assert!(line.contains(",4242; 7,"), "{line}");
        assert!(line.contains(",\"curl; a \"\"b\"\", c\","), "{line}");
        assert!(
            line.contains(",\"/usr/bin/curl; /tmp/new\nline\","),
            "{line}"
        );
        // A quoted field has its commas between pairs of quotes.
        let outside: String = line.split('"').step_by(2).collect();
        assert_eq!(outside.matches(',').count(), FLOW.len() - 1, "{line}");
    }

    #[test]
    fn no_name_is_a_formula() {
        #[track_caller]
        fn check(field: &str, expected: &str) {
            assert_eq!(text(|out| out.line([field])), format!("{expected}\r\n"));
        }
        check("=1+1", "'=1+1");
        check("@x,y", "\"'@x,y\"");
        check("-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0");
        check(" =1+1", "' =1+1");
        check("\u{a0}\u{3000}+1", "\"'\u{a0}\u{3000}+1\"");
        check("\u{feff}\u{7}=1", "\"'\u{feff}\u{7}=1\"");
        check("\t=1+1", "\"'\t=1+1\"");
        check("\r\n@x", "\"'\r\n@x\"");
        check("＝1+1", "'＝1+1");
        check("﹫x", "'﹫x");
        check("\tx", "\"'\tx\"");
        check(" -1+1", "' -1+1");
        check("-bash", "-bash");
        check("curl", "curl");
        check("a = b", "a = b");
    }

    #[test]
    fn a_terminal_gets_no_control_characters() {
        let rows = |fields: [&str; 3]| {
            let mut out = Writer::for_terminal(Vec::new());
            out.line(fields).unwrap();
            String::from_utf8(out.out).unwrap()
        };
        assert_eq!(
            rows(["s\u{1b}[msh", "\\x1b", "a\nb\u{202e},"]),
            "s\\x1b[msh,\\\\x1b,\"a\\nb\\u{202e},\"\r\n"
        );
        assert_eq!(rows(["a", "=\t1", ""]), "a,'=\\t1,\r\n");
    }

    #[test]
    fn controls_are_data_in_a_file() {
        let actual = text(|out| out.line(["s\u{1b}[msh\u{1b}[md", "\u{1b}]0;x", "del\u{7f}"]));
        assert_eq!(
            actual,
            "\"s\u{1b}[msh\u{1b}[md\",\"\u{1b}]0;x\",\"del\u{7f}\"\r\n"
        );
    }

    #[test]
    fn owners_that_a_file_claims_are_marked() {
        let totals = Totals::default();
        let group = |key| Group {
            key: Some(key),
            totals,
        };
        let user = User::new(0, Some("root".to_owned()));
        let all = [group(Principal::User(user)), group(Principal::Unattributed)];
        let last = |text: String| -> Vec<String> {
            let last = |line: &str| line.rsplit(',').next().unwrap_or_default().to_owned();
            text.lines().map(last).collect()
        };
        let claimed = last(text(|out| out.programs(&all, true)));
        assert_eq!(claimed, ["source", "recorded", ""]);
        assert_eq!(
            last(text(|out| out.programs(&all, false))),
            ["source", "", ""]
        );
    }

    #[test]
    fn groups_end_with_the_others() {
        let totals = Totals {
            flows: 2,
            ..Totals::default()
        };
        let all = [
            Group {
                key: Some(Service {
                    protocol: Protocol::TCP,
                    port: 443,
                }),
                totals,
            },
            Group { key: None, totals },
        ];
        let head = "service,protocol,port,flows,sent_packets,sent_bytes,received_packets,\
                    received_bytes,received_here_packets,received_here_bytes,first_seen,last_seen,\
                    received_total_packets,received_total_bytes";
        assert_eq!(
            text(|out| out.services(&all)),
            format!(
                "{head}\r\nhttps,tcp,443,2,0,0,0,0,0,0,,,0,0\r\n(others),,,2,0,0,0,0,0,0,,,0,0\r\n"
            )
        );
    }
}
