//! `flowner sockets --watch`

use std::io::Write;
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, SystemTime};

use anstyle::{AnsiColor, Style};
use flowner_core::attribution::{Attributor, Socket};
use flowner_core::json::{HeadLine, SocketLine};
use flowner_core::present;
use flowner_core::{AddressNames, Programs, SocketChange, socket_changes, socket_state_name};

use super::{Wanted, columns};
use crate::args::SocketsArgs;
use crate::commands::names;
use crate::error::{Failure, Outcome, say};
use crate::out::Out;
use crate::reader;
use crate::signals::Interrupt;
use crate::table::FAINT;

const OPENED: Style = AnsiColor::Green.on_default();

/// Prints changes, from the first list on, until interrupted.
pub(super) fn run(
    args: &SocketsArgs,
    wanted: &Wanted,
    attributor: &mut Attributor,
    out: &mut Out,
) -> Outcome {
    let (interrupt, interrupted) = sync_channel(1);
    let gone = interrupt.clone();
    reader::when_gone(move || {
        let _already_sent = gone.try_send(());
    });
    Interrupt::catch()?.then(move || {
        let _already_sent = interrupt.try_send(());
    });
    let mut writer = Writer::new(args)?;
    let mut before = wanted.of(&attributor.snapshot_all_namespaces()?);
    if args.json {
        out.json(&HeadLine::new("sockets"))?;
    } else {
        let now = present::count(before.len() as u64, "socket");
        say(format_args!("{now} now; what changes follows; Ctrl-C ends"));
    }
    out.flush()?;
    loop {
        match interrupted.recv_timeout(args.interval) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return Ok(ExitCode::SUCCESS),
        }
        let snapshot = attributor.snapshot_all_namespaces()?;
        let now = wanted.of(&snapshot);
        writer.find_names(&now);
        for change in socket_changes(&before, &now) {
            writer.write(change, snapshot.started_at(), out)?;
        }
        out.flush()?;
        before = now;
    }
}

struct Writer {
    programs: Option<Programs>,
    names: AddressNames,
}

impl Writer {
    fn new(args: &SocketsArgs) -> Result<Self, Failure> {
        Ok(Self {
            programs: args.json.then(Programs::of_this_host),
            names: AddressNames::new(args.reverse.resolve)?,
        })
    }

    /// Asks for the names of remote ends; what happens next does not wait for the answers.
    fn find_names(&mut self, sockets: &[Socket]) {
        let addresses = sockets.iter().filter_map(names::remote);
        self.names.find(addresses, Duration::ZERO);
    }

    fn write(
        &mut self,
        change: SocketChange<'_>,
        at: SystemTime,
        out: &mut Out,
    ) -> Result<(), Failure> {
        if let Some(programs) = &self.programs {
            let principal = programs.principal_of(Some(&change.socket().owner));
            let address = names::remote(change.socket());
            let name = address.and_then(|address| self.names.name_of(address));
            let line = SocketLine::of_change(change, at).with_name(name.as_ref());
            return out.json(&line.with_principal(&principal));
        }
        let (mark, style) = match change {
            SocketChange::Opened(_) => ('+', OPENED),
            SocketChange::Changed { .. } => ('~', Style::new()),
            SocketChange::Closed(_) => ('-', FAINT),
        };
        let style = out.style(style);
        let line = columns::line(change.socket(), &self.names);
        let before = before(change).unwrap_or_default();
        let time = present::date_time(at);
        writeln!(out, "{style}{mark} {time}  {line}{before}{style:#}")?;
        Ok(())
    }
}

/// The values before the change.
fn before(change: SocketChange<'_>) -> Option<String> {
    let SocketChange::Changed { before, now } = change else {
        return None;
    };
    let was = if before.state == now.state {
        present::socket_owner(before)
    } else {
        socket_state_name(before).unwrap_or("-").to_owned()
    };
    Some(format!("  (was {was})"))
}
