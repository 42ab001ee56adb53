//! `flowner sockets`

mod columns;
mod tcp;
mod tree;
mod watch;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use flowner_core::attribution::{Attributor, Snapshot, Socket, Verdict};
use flowner_core::json::{HeadLine, SocketLine, WarningLine};
use flowner_core::present;
use flowner_core::{AddressNames, Filter, Programs, is_listening};

use crate::args::SocketsArgs;
use crate::commands::names;
use crate::config;
use crate::error::{Failure, Outcome, say};
use crate::out::Out;

pub(crate) use columns::table;

pub(crate) fn run(args: &SocketsArgs, out: &mut Out) -> Outcome {
    let wanted = Wanted {
        filter: config::filter(Some(&args.filter.join(" ")))?,
        listening: args.listening,
    };
    let mut attributor = Attributor::new()?;
    if args.watch {
        return watch::run(args, &wanted, &mut attributor, out);
    }
    let sockets = wanted.of(&attributor.snapshot_all_namespaces()?);
    if args.tcp {
        tcp::write(&sockets, &attributor.tcp_info()?, args.json, out)?;
        report_skipped(&attributor, args.json, out)?;
        report_hidden(&sockets, out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let names = names::of_sockets(&sockets, &args.reverse)?;
    if args.json {
        out.json(&HeadLine::new("sockets"))?;
        write_json(&sockets, &names, out)?;
    } else if sockets.is_empty() {
        say("no visible socket matches");
    } else if args.tree {
        tree::write(&sockets, out)?;
    } else {
        out.table(&table(&sockets, &names, out.width()))?;
    }
    report_skipped(&attributor, args.json, out)?;
    report_hidden(&sockets, out)?;
    Ok(ExitCode::SUCCESS)
}

/// Reports that sockets are missing because there are too many network namespaces.
pub(crate) fn report_skipped(
    attributor: &Attributor,
    json: bool,
    out: &mut Out,
) -> Result<(), Failure> {
    if let Some(skipped) = attributor.skipped_namespaces() {
        let skipped = skipped.to_string();
        if json {
            out.json(&WarningLine::new(&skipped))?;
        } else {
            out.flush()?;
            say(format_args!("flowner: {skipped}"));
        }
    }
    Ok(())
}

/// Writes sockets with what people call their owners.
pub(crate) fn write_json(
    sockets: &[Socket],
    names: &AddressNames,
    out: &mut Out,
) -> Result<(), Failure> {
    let programs = Programs::of_this_host();
    for socket in sockets {
        let principal = programs.principal_of(Some(&socket.owner));
        let name = names::remote(socket).and_then(|address| names.name_of(address));
        let line = SocketLine::new(socket).with_name(name.as_ref());
        out.json(&line.with_principal(&principal))?;
    }
    Ok(())
}

/// The wanted sockets.
struct Wanted {
    filter: Filter,
    listening: bool,
}

impl Wanted {
    fn of(&self, snapshot: &Snapshot) -> Vec<Socket> {
        let sockets = snapshot.sockets().iter();
        let wanted = sockets.filter(|socket| {
            self.filter.matches(*socket) && (!self.listening || is_listening(socket))
        });
        wanted.cloned().collect()
    }
}

/// Reports on the terminal which sockets are missing.
fn report_hidden(sockets: &[Socket], out: &mut Out) -> Result<(), Failure> {
    let is_hidden = |socket: &&Socket| matches!(socket.owner, Verdict::Partial { .. });
    let hidden = sockets.iter().filter(is_hidden).count();
    if hidden > 0 && io::stderr().is_terminal() {
        let sockets = present::count(hidden as u64, "socket");
        out.flush()?;
        say(format_args!(
            "{sockets} of processes that are not permitted to be inspected; `flowner doctor` \
             says what would allow it"
        ));
    }
    Ok(())
}
