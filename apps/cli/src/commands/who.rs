//! `flowner who`

use std::process::ExitCode;

use flowner_core::attribution::{Attributor, Ownership, Socket, SocketQuery};
use flowner_core::who::WhoTarget;
use flowner_core::wire::{HeadLine, OwnershipLine, SocketLine};

use crate::args::WhoArgs;
use crate::commands::sockets;
use crate::error::{NOT_FOUND, Outcome, say};
use crate::format;
use crate::out::Out;

pub(crate) fn run(args: &WhoArgs, out: &mut Out) -> Outcome {
    let text = args.target.join(" ");
    let target: WhoTarget = text.parse()?;
    let mut attributor = Attributor::new()?;
    if args.json {
        out.json(&HeadLine::new("who"))?;
    }
    // A connection has one owner, by the matching rules; a port may have many.
    if let Some(query) = target.query() {
        let ownership = attributor.lookup(&query)?;
        return tell_connection(&query, &ownership, args.json, out);
    }
    let snapshot = attributor.snapshot()?;
    let found: Vec<&Socket> = snapshot
        .sockets()
        .iter()
        .filter(|socket| target.matches(socket))
        .collect();
    if args.json {
        for socket in &found {
            out.json(&SocketLine::new(socket))?;
        }
    } else if found.is_empty() {
        say(format_args!("nobody that can be seen here holds {text}"));
    } else {
        out.table(&sockets::table(found.iter().copied()))?;
    }
    Ok(exit_code(
        found.iter().any(|socket| socket.owner.is_named()),
    ))
}

fn tell_connection(
    query: &SocketQuery,
    ownership: &Ownership,
    json: bool,
    out: &mut Out,
) -> Outcome {
    use std::io::Write;

    if json {
        out.json(&OwnershipLine::new(query, ownership))?;
    } else if let Some(matched) = ownership.evidence.matched {
        let owner = format::owner(Some(ownership));
        writeln!(out, "{owner}  (matched by {})", matched.name())?;
        for process in ownership.verdict.processes() {
            if let Some(path) = &process.path {
                let path = path.display().to_string();
                writeln!(out, "  {:>7}  {}", process.pid, format::printable(&path))?;
            }
        }
    } else {
        say(format_args!("nobody that can be seen here holds {query}"));
    }
    Ok(exit_code(ownership.verdict.is_named()))
}

fn exit_code(found: bool) -> ExitCode {
    if found {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_FOUND)
    }
}
