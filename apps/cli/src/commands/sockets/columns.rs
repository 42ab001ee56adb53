//! A socket as a row.

use anstyle::Style;
use flowner_core::AddressNames;
use flowner_core::attribution::Socket;
use flowner_core::present::{Column, Row};

use crate::commands::names::remote;
use crate::table::{Table, UNKNOWN};

const COLUMNS: [Column; 10] = [
    Column::Protocol,
    Column::Local,
    Column::Remote,
    Column::Name,
    Column::State,
    Column::User,
    Column::Owner,
    Column::Unit,
    Column::Namespace,
    Column::Path,
];

/// Columns that are shown only if a socket has something in them.
const IF_USED: [Column; 3] = [Column::Name, Column::Unit, Column::Namespace];

/// Columns that disappear first on a narrow terminal.
const GIVE_WAY: [Column; 4] = [Column::Path, Column::Unit, Column::Namespace, Column::User];

/// A row for each socket, in columns for which there is room.
pub(crate) fn table(sockets: &[Socket], names: &AddressNames, width: Option<usize>) -> Table {
    let cell = |column, socket| cell(column, socket, names);
    let is_used = |column: &Column| {
        !IF_USED.contains(column) || sockets.iter().any(|socket| cell(*column, socket).is_some())
    };
    let columns: Vec<Column> = COLUMNS.into_iter().filter(is_used).collect();
    let mut table = Table::of(&columns);
    for socket in sockets {
        let style = if socket.owner.is_named() {
            Style::new()
        } else {
            UNKNOWN
        };
        let cell = |column: &Column| cell(*column, socket).unwrap_or_else(|| "-".to_owned());
        table.row(style, columns.iter().map(cell));
    }
    if let Some(width) = width {
        table.shrink(width, &GIVE_WAY.map(Column::heading));
    }
    table
}

/// The cells of one socket, for a line without columns below each other.
pub(super) fn line(socket: &Socket, names: &AddressNames) -> String {
    let cells = COLUMNS.into_iter().filter_map(|column| {
        let cell = cell(column, socket, names);
        if IF_USED.contains(&column) {
            cell
        } else {
            Some(cell.unwrap_or_else(|| "-".to_owned()))
        }
    });
    cells.collect::<Vec<_>>().join("  ")
}

fn cell(column: Column, socket: &Socket, names: &AddressNames) -> Option<String> {
    let name = remote(socket).and_then(|address| names.name_of(address));
    let row = Row::of_socket(socket, None).with_name(name.as_ref());
    column.value(&row).text()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flowner_core::attribution::{NetworkNamespace, Process, Protocol, Unit, UnitKind, Verdict};

    use super::*;

    #[track_caller]
    fn check(width: Option<usize>, socket: &Socket, expected: &str) {
        let mut written = Vec::new();
        let names = AddressNames::new(false).unwrap();
        table(std::slice::from_ref(socket), &names, width)
            .write(&mut written, width, false)
            .unwrap();
        let text = String::from_utf8(written).unwrap();
        let titles = text.lines().next().unwrap();
        let titles: Vec<_> = titles.split_whitespace().collect();
        assert_eq!(titles.join(" "), expected);
    }

    #[test]
    fn unused_columns_and_those_without_room_are_hidden() {
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
