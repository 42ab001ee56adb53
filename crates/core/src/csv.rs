//! Flows and what they add up to as comma-separated values (RFC 4180): a line with the names
//! of the columns, then one for each flow or group. Columns are never renamed or reordered;
//! new ones come last.
//!
//! Times are RFC 3339 in UTC with microseconds, bytes those of frames on the wire. What is not
//! known is empty. Where several processes share a socket, their values stand in one field with
//! `; ` between them. Before a name that a spreadsheet would take for a formula, there is a `'`.

use std::io::{self, Write};
use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use flowner_attribution::{Match, Ownership, Process, User, Verdict};
use flowner_flows::Protocol;

use crate::program::Party;
use crate::record::FlowRecord;
use crate::services::service_name;
use crate::totals::{Group, ProcessParty, Service, Totals};

/// The columns of a flow.
const FLOW: [&str; 31] = [
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
];

/// The columns of a group after those that tell what it is.
const TOTALS: [&str; 9] = [
    "flows",
    "sent_packets",
    "sent_bytes",
    "received_packets",
    "received_bytes",
    "received_here_packets",
    "received_here_bytes",
    "first_seen",
    "last_seen",
];

/// Writes flows, after the names of the columns.
///
/// # Errors
/// Those of the output.
pub fn flows<'a>(
    out: &mut impl Write,
    flows: impl IntoIterator<Item = &'a FlowRecord>,
) -> io::Result<()> {
    line(out, FLOW)?;
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
        fields.extend(owner(flow.owner.as_ref(), &flow.party));
        fields.extend(owner(flow.remote_owner.as_ref(), &flow.remote_party));
        line(out, fields)?;
    }
    Ok(())
}

/// Writes programs: `program` and its totals.
///
/// # Errors
/// Those of the output.
pub fn programs(out: &mut impl Write, all: &[Group<Party>]) -> io::Result<()> {
    groups(out, ["program"], all, |party| [party.to_string()])
}

/// Writes processes: `process`, `pid`, `user`, and the totals.
///
/// # Errors
/// Those of the output.
pub fn processes(out: &mut impl Write, all: &[Group<ProcessParty>]) -> io::Result<()> {
    groups(out, ["process", "pid", "user"], all, |party| match party {
        ProcessParty::Process { id, name, user } => [
            name.clone(),
            id.pid.to_string(),
            user.clone().unwrap_or_default(),
        ],
        ProcessParty::Other(party) => [party.to_string(), String::new(), String::new()],
    })
}

/// Writes the other ends: `host` and its totals.
///
/// # Errors
/// Those of the output.
pub fn hosts(out: &mut impl Write, all: &[Group<IpAddr>]) -> io::Result<()> {
    groups(out, ["host"], all, |host| [host.to_string()])
}

/// Writes services: `service` (its name), `protocol`, `port`, and the totals.
///
/// # Errors
/// Those of the output.
pub fn services(out: &mut impl Write, all: &[Group<Service>]) -> io::Result<()> {
    groups(out, ["service", "protocol", "port"], all, |service| {
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
pub fn protocols(out: &mut impl Write, all: &[Group<Protocol>]) -> io::Result<()> {
    groups(out, ["protocol"], all, |protocol| [protocol.to_string()])
}

/// Writes groups. The last one of a breakdown that was full has no key: it is `(others)`.
fn groups<K, const N: usize>(
    out: &mut impl Write,
    names: [&str; N],
    groups: &[Group<K>],
    key: impl Fn(&K) -> [String; N],
) -> io::Result<()> {
    line(out, names.into_iter().chain(TOTALS))?;
    for group in groups {
        let fields = match &group.key {
            Some(of) => key(of),
            None => std::array::from_fn(|place| match place {
                0 => "(others)".to_owned(),
                _ => String::new(),
            }),
        };
        line(out, fields.into_iter().chain(totals(&group.totals)))?;
    }
    Ok(())
}

fn totals(totals: &Totals) -> [String; 9] {
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
        received.packets.to_string(),
        received.bytes.to_string(),
        received_here.packets.to_string(),
        received_here.bytes.to_string(),
        time(*first_seen),
        time(*last_seen),
    ]
}

/// The nine fields of an owner; all empty where nobody was asked.
fn owner(owner: Option<&Ownership>, party: &Party) -> [String; 9] {
    let Some(Ownership { verdict, evidence }) = owner else {
        return std::array::from_fn(|_| String::new());
    };
    let processes = verdict.processes();
    let of_each = |value: &dyn Fn(&Process) -> Option<String>| {
        let values: Vec<_> = processes
            .iter()
            .filter_map(|process| value(process))
            .collect();
        values.join("; ")
    };
    let name_of = |user: &User| user.name.clone().unwrap_or_else(|| user.id.to_string());
    let (reason, user, unit) = match verdict {
        Verdict::Unknown(reason) => (reason.name(), None, None),
        Verdict::Partial { user, unit } => ("", user.as_ref().map(name_of), unit.as_ref()),
        Verdict::Process(_) | Verdict::Shared(_) => ("", None, None),
    };
    let program = match party {
        Party::Unattributed => String::new(),
        party => party.to_string(),
    };
    [
        program,
        verdict.name().to_owned(),
        evidence
            .matched
            .map(Match::name)
            .unwrap_or_default()
            .to_owned(),
        reason.to_owned(),
        of_each(&|process| Some(process.pid.to_string())),
        of_each(&|process| Some(process.name.clone())),
        user.unwrap_or_else(|| of_each(&|process| process.user.as_ref().map(name_of))),
        of_each(&|process| Some(process.path.as_ref()?.to_string_lossy().into_owned())),
        unit.map_or_else(
            || of_each(&|process| process.unit.as_ref().map(ToString::to_string)),
            ToString::to_string,
        ),
    ]
}

/// Empty for what RFC 3339 cannot write, and for no time at all.
fn time(time: Duration) -> String {
    // The first second of the year 10000.
    const END: u64 = 253_402_300_800;
    if time.is_zero() || time.as_secs() >= END {
        return String::new();
    }
    humantime::format_rfc3339_micros(UNIX_EPOCH + time).to_string()
}

/// Whether a spreadsheet would take a field for a formula, which a process may have as its
/// name. A login shell, such as `-bash`, is none.
fn is_formula(field: &str) -> bool {
    let is_plain = |letter: char| letter.is_alphanumeric() || "-_.".contains(letter);
    match field.strip_prefix('-') {
        Some(rest) => !rest.chars().all(is_plain),
        None => field.starts_with(['=', '+', '@', '\t', '\r']),
    }
}

/// Fields with commas between them, in quotes where they need some (RFC 4180, section 2).
fn line(out: &mut impl Write, fields: impl IntoIterator<Item = impl AsRef<str>>) -> io::Result<()> {
    for (place, field) in fields.into_iter().enumerate() {
        if place > 0 {
            out.write_all(b",")?;
        }
        let field = field.as_ref();
        let text;
        let field = if is_formula(field) {
            text = format!("'{field}");
            &text
        } else {
            field
        };
        if field.contains(['"', ',', '\r', '\n']) {
            write!(out, "\"{}\"", field.replace('"', "\"\""))?;
        } else {
            out.write_all(field.as_bytes())?;
        }
    }
    out.write_all(b"\r\n")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::samples::{curl, flow, owner as sample};

    fn text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_flow() {
        let actual = text(|out| flows(out, [&flow(1)]));
        let lines: Vec<_> = actual.split("\r\n").collect();
        assert_eq!(lines[0], FLOW.join(","));
        assert_eq!(
            lines[1],
            "tcp,10.0.0.2,45784,93.184.216.34,443,outgoing,closed,5,332,4,300,\
             2026-01-01T00:00:00.000001Z,2026-01-01T00:00:01.500000Z,curl,process,five-tuple,,\
             4242,curl,ada,/usr/bin/curl,,,,,,,,,,"
        );
        assert_eq!(lines[2], "");
    }

    #[test]
    fn every_line_has_all_fields() {
        let mut odd = Process::new(7, "a \"b\", c");
        odd.path = Some("/tmp/new\nline".into());
        let shared = Verdict::Shared(vec![curl(), Arc::new(odd)]);
        let one = flow(1).with_owners(None, Some(sample(shared, None)));
        let actual = text(|out| flows(out, [&one]));
        let line = actual.split_once("\r\n").unwrap().1;
        assert!(line.contains(",4242; 7,"), "{line}");
        assert!(line.contains(",\"curl; a \"\"b\"\", c\","), "{line}");
        assert!(
            line.contains(",\"/usr/bin/curl; /tmp/new\nline\","),
            "{line}"
        );
        // What is quoted has its commas in pairs of quotes.
        let outside: String = line.split('"').step_by(2).collect();
        assert_eq!(outside.matches(',').count(), FLOW.len() - 1, "{line}");
    }

    #[test]
    fn no_name_is_a_formula() {
        #[track_caller]
        fn check(field: &str, expected: &str) {
            let mut out = Vec::new();
            line(&mut out, [field]).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), format!("{expected}\r\n"));
        }
        check("=1+1", "'=1+1");
        check("@x,y", "\"'@x,y\"");
        check("-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0");
        check("-bash", "-bash");
        check("curl", "curl");
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
                    received_bytes,received_here_packets,received_here_bytes,first_seen,last_seen";
        assert_eq!(
            text(|out| services(out, &all)),
            format!("{head}\r\nhttps,tcp,443,2,0,0,0,0,0,0,,\r\n(others),,,2,0,0,0,0,0,0,,\r\n")
        );
    }
}
