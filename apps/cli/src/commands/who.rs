//! `flowner who`

use std::io::Write;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use flowner_core::attribution::{Attributor, Ownership, Reason, Socket, SocketQuery};
use flowner_core::json::{HeadLine, OwnershipLine};
use flowner_core::present::{self, printable};
use flowner_core::who::WhoTarget;
use flowner_core::{AddressNames, Grouping, HostName, Programs, is_time_wait};

use crate::args::WhoArgs;
use crate::commands::{names, sockets};
use crate::error::{Failure, NOT_FOUND, Outcome, say};
use crate::out::Out;
use crate::signals::Interrupt;

/// The first and the longest pause between two lookups with `--wait`: no system reports when a
/// process begins to listen.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));

pub(crate) fn run(args: &WhoArgs, out: &mut Out) -> Outcome {
    let text = args.target.join(" ");
    let target: WhoTarget = text.parse()?;
    let mut attributor = Attributor::new()?;
    if args.json {
        out.json(&HeadLine::new("who"))?;
        out.flush()?;
    }
    if args.wait {
        wait(&target, &mut attributor, args.timeout)?;
    }
    // A connection has one owner, by the matching rules; a port may have many.
    if let Some(query) = target.query() {
        let ownership = attributor.lookup(&query)?;
        if target.is_only_listener(&ownership)
            && target
                .sockets_in(&attributor.snapshot_all_namespaces()?)
                .is_empty()
        {
            let exit_code = report_no_connection(&query, &ownership, args.json, out)?;
            sockets::report_skipped(&attributor, args.json, out)?;
            return Ok(exit_code);
        }
        let names = names::of_addresses(query.remote().map(|end| end.ip()), &args.reverse)?;
        let name = query.remote().and_then(|end| names.name_of(end.ip()));
        let exit_code = report_connection(&query, &ownership, name.as_ref(), args.json, out)?;
        sockets::report_skipped(&attributor, args.json, out)?;
        return Ok(exit_code);
    }
    let snapshot = attributor.snapshot_all_namespaces()?;
    let found: Vec<Socket> = target.sockets_in(&snapshot).into_iter().cloned().collect();
    let names = names::of_sockets(&found, &args.reverse)?;
    if args.json {
        sockets::write_json(&found, &names, out)?;
    } else {
        report_sockets(&target, &text, &found, &names, out)?;
    }
    sockets::report_skipped(&attributor, args.json, out)?;
    Ok(exit_code(
        found.iter().any(|socket| socket.owner.is_named()),
    ))
}

/// A row for each socket with a possible owner; counts the rest of closed connections.
fn report_sockets(
    target: &WhoTarget,
    text: &str,
    found: &[Socket],
    names: &AddressNames,
    out: &mut Out,
) -> Result<(), Failure> {
    let is_left_over = |socket: &Socket| is_time_wait(socket) && !socket.owner.is_named();
    let (over, held): (Vec<_>, Vec<_>) = found.iter().cloned().partition(is_left_over);
    if held.is_empty() {
        say(no_owner(target, text));
    } else {
        out.table(&sockets::table(&held, names, out.width()))?;
    }
    if !over.is_empty() {
        out.flush()?;
        let connections = present::count(over.len() as u64, "connection");
        say(format_args!(
            "and {connections} in time-wait, which no process holds"
        ));
    }
    Ok(())
}

fn no_owner(target: &WhoTarget, text: &str) -> String {
    match target {
        WhoTarget::Owner(_) => format!("no visible socket belongs to {}", printable(text)),
        _ if text.parse::<u16>().is_ok() => format!("no visible process uses port {text}"),
        _ => format!("no visible process uses {}", printable(text)),
    }
}

/// Looks up the target, with growing pauses, until there is a result or the time is over.
fn wait(
    target: &WhoTarget,
    attributor: &mut Attributor,
    timeout: Option<Duration>,
) -> Result<(), Failure> {
    let (interrupt, interrupted) = sync_channel(1);
    Interrupt::catch()?.then(move || {
        let _already_sent = interrupt.try_send(());
    });
    let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let (mut pause, longest) = PAUSES;
    loop {
        let snapshot = attributor.snapshot_all_namespaces()?;
        if target.is_satisfied_by(&snapshot) {
            return Ok(());
        }
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) || !rest(&interrupted, left, pause) {
            return Ok(());
        }
        pause = (pause * 2).min(longest);
    }
}

/// Rests; returns whether to continue.
fn rest(interrupted: &Receiver<()>, left: Option<Duration>, pause: Duration) -> bool {
    let pause = left.map_or(pause, |left| left.min(pause));
    matches!(
        interrupted.recv_timeout(pause),
        Err(RecvTimeoutError::Timeout)
    )
}

fn report_connection(
    query: &SocketQuery,
    ownership: &Ownership,
    name: Option<&HostName>,
    json: bool,
    out: &mut Out,
) -> Outcome {
    if json {
        let principal = Programs::of_this_host().principal(Some(ownership));
        let line = OwnershipLine::new(query, ownership).with_name(name);
        out.json(&line.with_principal(&principal))?;
    } else if let Some(matched) = ownership.evidence.matched {
        let owner = present::owner(Some(ownership));
        writeln!(out, "{owner}  (matched by {})", matched.name())?;
        if let (Some(remote), Some(name)) = (query.remote(), name) {
            let text = printable(name.name.as_str());
            writeln!(out, "  {} is {text}  ({})", remote.ip(), name.source)?;
        }
        let programs = Programs::of_this_host();
        for process in ownership.verdict.processes() {
            if let Some(path) = present::path(process) {
                writeln!(out, "  {:>7}  {path}", process.pid)?;
            }
            let membership = programs.membership(process);
            // The path already shows that.
            if matches!(&membership.reasons[..], [Grouping::Executable(_)]) {
                continue;
            }
            let reasons: Vec<_> = membership.reasons.iter().map(ToString::to_string).collect();
            let program = printable(&membership.program.to_string());
            let reasons = printable(&reasons.join(", and "));
            writeln!(out, "           program {program}: it {reasons}")?;
        }
    } else {
        say(format_args!("no visible process uses {query}"));
    }
    Ok(exit_code(ownership.verdict.is_named()))
}

/// Reports the listener at the end of a connection that does not exist.
fn report_no_connection(
    query: &SocketQuery,
    listener: &Ownership,
    json: bool,
    out: &mut Out,
) -> Outcome {
    let evidence = &listener.evidence;
    let no_owner = Ownership::unknown(Reason::NotFound, evidence.observed_at, evidence.source);
    if json {
        return report_connection(query, &no_owner, None, json, out);
    }
    let owner = present::owner(Some(listener));
    let local = query.local();
    say(format_args!(
        "there is no connection {query}; {owner} listens at {local}"
    ));
    Ok(exit_code(no_owner.verdict.is_named()))
}

fn exit_code(found: bool) -> ExitCode {
    if found {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_FOUND)
    }
}
