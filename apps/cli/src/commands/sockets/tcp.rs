//! `flowner sockets --tcp`: connections with what the system says of their state.

use std::collections::HashMap;
use std::time::Duration;

use anstyle::Style;
use flowner_core::Programs;
use flowner_core::attribution::{Socket, SocketId, TcpInfo};
use flowner_core::json::{HeadLine, SocketLine};
use flowner_core::present::{self, Column, Row};

use crate::error::{Failure, say};
use crate::out::Out;
use crate::table::{Align, Table, UNKNOWN};

const COLUMNS: [(&str, Align); 9] = [
    ("LOCAL", Align::Left),
    ("REMOTE", Align::Left),
    ("SENT", Align::Right),
    ("RECEIVED", Align::Right),
    ("SEND-Q", Align::Right),
    ("RECV-Q", Align::Right),
    ("RTT", Align::Right),
    ("RETRANS", Align::Right),
    ("OWNER", Align::Left),
];

/// What gives way first where the terminal is narrow.
const GIVE_WAY: [&str; 3] = ["RECV-Q", "SEND-Q", "RETRANS"];

/// Writes the sockets of which the system says something, in their order.
pub(super) fn write(
    sockets: &[Socket],
    infos: &HashMap<SocketId, TcpInfo>,
    json: bool,
    out: &mut Out,
) -> Result<(), Failure> {
    let connections = sockets.iter().filter_map(|socket| {
        let info = infos.get(&socket.id?)?;
        Some((socket, info))
    });
    if json {
        let programs = Programs::of_this_host();
        out.json(&HeadLine::new("sockets"))?;
        for (socket, info) in connections {
            let principal = programs.principal_of(Some(&socket.owner));
            let line = SocketLine::new(socket).with_principal(&principal);
            out.json(&line.with_tcp_info(Some(info)))?;
        }
        return Ok(());
    }
    let mut table = Table::new(&COLUMNS);
    for (socket, info) in connections {
        let style = if socket.owner.is_named() {
            Style::new()
        } else {
            UNKNOWN
        };
        table.row(style, cells(socket, info));
    }
    if table.is_empty() {
        say("no visible TCP connection matches, or the system says nothing of its state");
        return Ok(());
    }
    if let Some(width) = out.width() {
        table.shrink(width, &GIVE_WAY);
    }
    out.table(&table)
}

fn cells(socket: &Socket, info: &TcpInfo) -> [String; 9] {
    let row = Row::of_socket(socket, None);
    let text = |column: Column| column.value(&row).text().unwrap_or_else(unknown);
    let bytes = |count: Option<u64>| count.map_or_else(unknown, present::bytes);
    let retransmits = info.retransmits.filter(|count| *count > 0);
    [
        text(Column::Local),
        text(Column::Remote),
        bytes(info.bytes_sent.or(info.bytes_acked)),
        bytes(info.bytes_received),
        bytes(Some(info.send_queue.into())),
        bytes(Some(info.receive_queue.into())),
        info.rtt.map_or_else(unknown, milliseconds),
        retransmits.map_or_else(unknown, |count| count.to_string()),
        text(Column::Owner),
    ]
}

fn unknown() -> String {
    "-".to_owned()
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
}
