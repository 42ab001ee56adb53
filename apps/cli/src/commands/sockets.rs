//! `flowner sockets`

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};

use anstyle::Style;
use flowner_core::Filter;
use flowner_core::attribution::{Attributor, Snapshot, Socket, Verdict};
use flowner_core::wire::{HeadLine, SocketLine};

use crate::args::SocketsArgs;
use crate::config;
use crate::error::{Failure, Outcome, say};
use crate::format;
use crate::out::Out;
use crate::table::{Align, Table, UNKNOWN};

/// Clears a terminal and goes to its top left corner (ECMA-48: ED, CUP).
const CLEAR: &str = "\x1b[2J\x1b[H";

pub(crate) fn run(args: &SocketsArgs, out: &mut Out) -> Outcome {
    let filter = config::filter(Some(&args.filter.join(" ")))?;
    let mut attributor = Attributor::new()?;
    if args.watch {
        return keep_up(args, &filter, &mut attributor, out);
    }
    let snapshot = attributor.snapshot()?;
    let sockets = select(&snapshot, &filter);
    let is_hidden = |socket: &&Socket| matches!(socket.owner, Verdict::Partial { .. });
    let hidden = select(&snapshot, &filter).filter(is_hidden).count();
    if args.json {
        out.json(&HeadLine::new("sockets"))?;
        for socket in sockets {
            out.json(&SocketLine::new(socket))?;
        }
    } else {
        let table = table(sockets);
        if table.is_empty() {
            say("no socket that can be seen here fits");
        }
        out.table(&table)?;
    }
    if hidden > 0 && io::stderr().is_terminal() {
        let sockets = format::count(hidden as u64, "socket");
        out.flush()?;
        say(format_args!(
            "{sockets} of processes that may not be looked at; `flowner doctor` says what \
             would change that"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// The sockets that a filter lets pass.
fn select<'a>(snapshot: &'a Snapshot, filter: &'a Filter) -> impl Iterator<Item = &'a Socket> {
    let sockets = snapshot.sockets().iter();
    sockets.filter(move |socket| filter.matches(*socket))
}

/// A row for each socket.
pub(crate) fn table<'a>(sockets: impl Iterator<Item = &'a Socket>) -> Table {
    let sockets: Vec<_> = sockets.collect();
    let has_networks = sockets.iter().any(|socket| socket.namespace.is_some());
    let mut names = vec!["PROTO", "LOCAL", "REMOTE", "STATE", "USER", "OWNER", "PATH"];
    if has_networks {
        names.push("NETWORK");
    }
    let columns: Vec<_> = names.into_iter().map(|name| (name, Align::Left)).collect();
    let mut table = Table::new(&columns);
    for socket in sockets {
        let style = if socket.owner.is_named() {
            Style::new()
        } else {
            UNKNOWN
        };
        let mut cells = cells(socket).to_vec();
        cells.extend(has_networks.then(|| network(socket)));
        table.row(style, cells);
    }
    table
}

fn cells(socket: &Socket) -> [String; 7] {
    let first = socket.owner.processes().first();
    let user = match &socket.owner {
        Verdict::Partial { user, .. } => user.as_ref(),
        _ => first.and_then(|process| process.user.as_ref()),
    };
    let path = first.and_then(|process| process.path.as_ref());
    let dash = || "-".to_owned();
    [
        socket.protocol.to_string(),
        socket.local.to_string(),
        socket.remote.map_or_else(dash, |remote| remote.to_string()),
        socket
            .state
            .map_or_else(dash, |state| state.name().to_owned()),
        user.map_or_else(dash, |user| format::printable(&user.to_string())),
        match &socket.owner {
            // The user has a column of its own.
            Verdict::Partial { unit: None, .. } => "? hidden".to_owned(),
            owner => format::verdict(owner),
        },
        path.map_or_else(dash, |path| format::printable(&path.display().to_string())),
    ]
}

/// The network namespace that a socket is in, if it is not ours.
fn network(socket: &Socket) -> String {
    let namespace = socket.namespace.as_ref();
    namespace.map_or_else(
        || "-".to_owned(),
        |namespace| format::printable(&namespace.to_string()),
    )
}

/// Shows the list again whenever it changed: in place on a terminal, as lines that
/// begin with + and - elsewhere.
fn keep_up(
    args: &SocketsArgs,
    filter: &Filter,
    attributor: &mut Attributor,
    out: &mut Out,
) -> Outcome {
    let (interrupt, interrupted) = sync_channel(1);
    set_handler(move || {
        let _already_told = interrupt.try_send(());
    })?;
    let mut before: Option<Vec<Socket>> = None;
    loop {
        let snapshot = attributor.snapshot()?;
        let mut now: Vec<Socket> = select(&snapshot, filter).cloned().collect();
        // The same socket twice, as seen through different remotes, is one line.
        now.dedup();
        if before.as_ref() != Some(&now) {
            if out.is_terminal() {
                write!(out, "{CLEAR}")?;
                out.table(&table(now.iter()))?;
            } else {
                write_changes(&before.unwrap_or_default(), &now, out)?;
            }
            out.flush()?;
            before = Some(now);
        }
        match interrupted.recv_timeout(args.interval) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return Ok(ExitCode::SUCCESS),
        }
    }
}

fn write_changes(before: &[Socket], now: &[Socket], out: &mut Out) -> Result<(), Failure> {
    let mut line = |mark: &str, socket: &Socket| {
        let network = socket.namespace.as_ref().map(|_| network(socket));
        let cells: Vec<_> = cells(socket).into_iter().chain(network).collect();
        writeln!(out, "{mark} {}", cells.join("  "))
    };
    for socket in before.iter().filter(|socket| !now.contains(socket)) {
        line("-", socket)?;
    }
    for socket in now.iter().filter(|socket| !before.contains(socket)) {
        line("+", socket)?;
    }
    Ok(())
}

/// Calls `handler` when the person or the system asks the program to end.
pub(crate) fn set_handler(handler: impl FnMut() + Send + 'static) -> Result<(), Failure> {
    ctrlc::set_handler(handler)
        .map_err(|error| Failure::Message(format!("Ctrl-C could not be caught: {error}")))
}
