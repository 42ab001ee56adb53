//! `flowner sockets --tree`

use std::io::Write;

use anstyle::Style;
use flowner_core::attribution::Socket;
use flowner_core::present::{self, printable};
use flowner_core::{Branch, process_tree, socket_state_name};

use crate::error::Failure;
use crate::out::Out;
use crate::table::{FAINT, UNKNOWN};

/// A process, then its sockets, then its children.
pub(super) fn write(sockets: &[Socket], out: &mut Out) -> Result<(), Failure> {
    let (branches, unknown) = process_tree(sockets);
    for branch in &branches {
        let indent = "  ".repeat(branch.depth);
        let style = out.style(if branch.sockets.is_empty() {
            FAINT
        } else {
            Style::new()
        });
        writeln!(out, "{style}{indent}{}{style:#}", process(branch))?;
        for socket in &branch.sockets {
            writeln!(out, "{indent}    {}", describe(socket))?;
        }
    }
    if !unknown.is_empty() {
        let style = out.style(UNKNOWN);
        writeln!(out, "{style}unknown owner{style:#}")?;
        for socket in unknown {
            let owner = present::socket_owner(socket);
            writeln!(out, "    {}  {owner}", describe(socket))?;
        }
    }
    Ok(())
}

fn process(branch: &Branch<'_>) -> String {
    let process = &branch.process;
    let user = process.user.as_ref().map(ToString::to_string);
    let unit = process.unit.as_ref().map(ToString::to_string);
    let facts: Vec<_> = user.into_iter().chain(unit).collect();
    let mut text = format!("{} {}", process.pid, process.name);
    if !facts.is_empty() {
        text = format!("{text} ({})", facts.join(", "));
    }
    printable(&text)
}

fn describe(socket: &Socket) -> String {
    let remote = present::remote_end(socket).map(|remote| format!(" -> {remote}"));
    let state = socket_state_name(socket).map(|state| format!("  {state}"));
    let network = socket.namespace.as_ref();
    let network = network.map(|it| format!("  in {}", printable(&it.to_string())));
    format!(
        "{} {}{}{}{}",
        present::socket_protocol(socket),
        present::local_end(socket),
        remote.unwrap_or_default(),
        state.unwrap_or_default(),
        network.unwrap_or_default(),
    )
}
