//! A socket as a row.

use anstyle::Style;
use flowner_core::attribution::{Reason, Socket, Verdict};
use flowner_core::present::{self, printable};
use flowner_core::socket_state_name;

use crate::table::{Align, Table, UNKNOWN};

/// A column: its title, whether it is shown though nobody has anything in it, and what it
/// shows.
struct Column {
    title: &'static str,
    always: bool,
    cell: fn(&Socket) -> Option<String>,
}

const fn column(title: &'static str, always: bool, cell: fn(&Socket) -> Option<String>) -> Column {
    Column {
        title,
        always,
        cell,
    }
}

const COLUMNS: [Column; 9] = [
    column("PROTO", true, |socket| Some(socket.protocol.to_string())),
    column("LOCAL", true, |socket| Some(present::local_end(socket))),
    column("REMOTE", true, present::remote_end),
    column("STATE", true, |socket| {
        socket_state_name(socket).map(str::to_owned)
    }),
    column("USER", true, |socket| present::user(&socket.owner)),
    column("OWNER", true, |socket| Some(owner(socket))),
    column("UNIT", false, |socket| present::unit(&socket.owner)),
    column("NAMESPACE", false, |socket| {
        let namespace = socket.namespace.as_ref()?;
        Some(printable(&namespace.to_string()))
    }),
    column("PATH", true, |socket| {
        present::path(socket.owner.processes().first()?)
    }),
];

/// What gives way first where the terminal is narrow.
const GIVE_WAY: [&str; 4] = ["PATH", "UNIT", "NAMESPACE", "USER"];

/// A row for each socket, in columns for which there is room.
pub(crate) fn table(sockets: &[Socket], width: Option<usize>) -> Table {
    let is_used = |column: &&Column| {
        column.always || sockets.iter().any(|socket| (column.cell)(socket).is_some())
    };
    let columns: Vec<&Column> = COLUMNS.iter().filter(is_used).collect();
    let titles: Vec<_> = columns
        .iter()
        .map(|column| (column.title, Align::Left))
        .collect();
    let mut table = Table::new(&titles);
    for socket in sockets {
        let style = if socket.owner.is_named() {
            Style::new()
        } else {
            UNKNOWN
        };
        let cell = |column: &&Column| (column.cell)(socket).unwrap_or_else(|| "-".to_owned());
        table.row(style, columns.iter().map(cell));
    }
    if let Some(width) = width {
        table.shrink(width, &GIVE_WAY);
    }
    table
}

/// The cells of one socket, for a line without columns below each other.
pub(super) fn line(socket: &Socket) -> String {
    let cells = COLUMNS.iter().filter_map(|column| {
        let cell = (column.cell)(socket);
        if column.always {
            Some(cell.unwrap_or_else(|| "-".to_owned()))
        } else {
            cell
        }
    });
    cells.collect::<Vec<_>>().join("  ")
}

/// The owner; its user has a column of its own.
fn owner(socket: &Socket) -> String {
    match &socket.owner {
        Verdict::Partial { .. } => present::unknown(Reason::Denied),
        owner => present::verdict(owner),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flowner_core::attribution::{NetworkNamespace, Process, Protocol, Unit, UnitKind};

    use super::*;

    #[track_caller]
    fn check(width: Option<usize>, socket: &Socket, expected: &str) {
        let mut written = Vec::new();
        table(std::slice::from_ref(socket), width)
            .write(&mut written, width, false)
            .unwrap();
        let text = String::from_utf8(written).unwrap();
        let titles = text.lines().next().unwrap();
        let titles: Vec<_> = titles.split_whitespace().collect();
        assert_eq!(titles.join(" "), expected);
    }

    #[test]
    fn what_nobody_has_is_not_shown_and_what_has_no_room_neither() {
        let process = {
            let mut process = Process::new(7, "nginx");
            process.path = Some("/usr/sbin/nginx".into());
            process
        };
        let plain = Socket::new(
            Protocol::Tcp,
            "10.0.0.1:80".parse().unwrap(),
            Verdict::Process(Arc::new(process.clone())),
        );
        check(None, &plain, "PROTO LOCAL REMOTE STATE USER OWNER PATH");
        check(
            Some(200),
            &plain,
            "PROTO LOCAL REMOTE STATE USER OWNER PATH",
        );
        check(Some(60), &plain, "PROTO LOCAL REMOTE STATE USER OWNER");
        let unit = Some(Unit::new(UnitKind::Service, "nginx.service"));
        let in_container = {
            let mut socket = plain;
            socket.namespace = Some(Arc::new(NetworkNamespace::new(1, None)));
            socket.owner = Verdict::Process(Arc::new({
                let mut made = process;
                made.unit = unit;
                made
            }));
            socket
        };
        let all = "PROTO LOCAL REMOTE STATE USER OWNER UNIT NAMESPACE PATH";
        check(None, &in_container, all);
        check(
            Some(70),
            &in_container,
            "PROTO LOCAL REMOTE STATE USER OWNER NAMESPACE",
        );
    }
}
