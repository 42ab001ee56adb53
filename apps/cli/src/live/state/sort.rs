//! The order of rows.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::SocketAddr;

use flowner_core::filter::Subject;
use flowner_core::present;
use flowner_core::{Principal, service_name, socket_state_name};

use crate::live::columns::Column;
use crate::live::data::{Data, Fact, Item, Node, Numbers};

/// What a row is sorted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Number(u64, u64),
    Text(String),
    /// A text that is written in one way only.
    Name(&'static str),
    Address(SocketAddr),
    Ip(std::net::IpAddr),
    /// Last, whichever way.
    None,
}

/// The places of `all` in order. What is alike stays as it is, so that rows do not
/// change places without a reason.
pub(super) fn order<T>(all: &[T], is_descending: bool, key: impl Fn(&T) -> Key) -> Vec<usize> {
    let mut places: Vec<usize> = (0..all.len()).collect();
    if is_descending {
        places.sort_by_cached_key(|place| {
            let key = key(&all[*place]);
            (key == Key::None, Reverse(key))
        });
    } else {
        places.sort_by_cached_key(|place| key(&all[*place]));
    }
    places
}

pub(super) fn of_node(node: &Node, column: Column) -> Key {
    use crate::live::data::RowSubject as Row;

    match column {
        Column::Name | Column::Program => match &node.subject {
            Row::Host(address) => Key::Ip(*address),
            Row::Program(Principal::Unattributed) | Row::Others => Key::None,
            _ => Key::Text(node.label.to_lowercase()),
        },
        Column::Owners => text(&node.owners),
        Column::Path => node.path().map_or(Key::None, |path| text(&path)),
        Column::Trend => Key::Number(node.trend.iter().sum(), 0),
        Column::Count
        | Column::Up
        | Column::Down
        | Column::Sent
        | Column::Received
        | Column::Listening
        | Column::Connected => number(&node.numbers, column),
        // Only flows and sockets are sorted by these.
        Column::Pid
        | Column::User
        | Column::Protocol
        | Column::Local
        | Column::Remote
        | Column::Service
        | Column::State => Key::None,
    }
}

/// The places of `items` in order.
pub(super) fn order_items(
    data: &Data,
    items: &[Item],
    column: Column,
    is_descending: bool,
) -> Vec<usize> {
    if column == Column::Program {
        let ranks = ranks(data, items);
        let rank = |item: &Item| {
            data.principal(item)
                .and_then(|principal| ranks.get(principal))
        };
        return order(items, is_descending, |item| {
            rank(item).map_or(Key::None, |rank| Key::Number(*rank, 0))
        });
    }
    order(items, is_descending, |item| of_item(data, item, column))
}

/// Programs, numbered by their names: a few have all of the flows. Who is not known has no
/// name.
fn ranks<'a>(data: &'a Data, items: &[Item]) -> HashMap<&'a Principal, u64> {
    let mut ranks = HashMap::new();
    for principal in items.iter().filter_map(|item| data.principal(item)) {
        if *principal != Principal::Unattributed {
            ranks.insert(principal, 0);
        }
    }
    let names = ranks
        .keys()
        .map(|principal| principal.to_string().to_lowercase());
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names.dedup();
    for (principal, rank) in &mut ranks {
        let name = principal.to_string().to_lowercase();
        let place = names.partition_point(|other| *other < name);
        *rank = place as u64;
    }
    ranks
}

fn of_item(data: &Data, item: &Item, column: Column) -> Key {
    let Some(fact) = data.fact(item) else {
        return Key::None;
    };
    match column {
        Column::User => data
            .owner(item)
            .and_then(|owner| present::user(&owner.verdict))
            .map_or(Key::None, |user| text(&user)),
        Column::Pid => data
            .owner(item)
            .and_then(|owner| owner.verdict.processes().first().map(|it| it.pid))
            .map_or(Key::None, |pid| Key::Number(pid.into(), 0)),
        Column::Protocol => Key::Number(protocol(fact).into(), 0),
        Column::Local => Key::Address(ends(fact, item).0),
        Column::Remote => ends(fact, item).1.map_or(Key::None, Key::Address),
        Column::Service => service(fact).map_or(Key::None, Key::Name),
        Column::State => state(fact).map_or(Key::None, Key::Name),
        Column::Count
        | Column::Up
        | Column::Down
        | Column::Sent
        | Column::Received
        | Column::Listening
        | Column::Connected => number(&item.numbers, column),
        // `order_items` sorts by the program; the others become another column before.
        Column::Name | Column::Owners | Column::Program | Column::Path | Column::Trend => Key::None,
    }
}

fn text(text: &str) -> Key {
    if text.is_empty() {
        Key::None
    } else {
        Key::Text(text.to_lowercase())
    }
}

/// With the total behind it, so that rows without traffic stand by what they had.
fn number(numbers: &Numbers, column: Column) -> Key {
    let total = numbers.sent.saturating_add(numbers.received);
    let rate = numbers.up.saturating_add(numbers.down);
    match column {
        Column::Count => Key::Number(numbers.count, total),
        Column::Up => Key::Number(numbers.up, total),
        // Who is busy at all comes before who was.
        Column::Down => Key::Number(numbers.down, rate.max(total)),
        Column::Sent => Key::Number(numbers.sent, total),
        Column::Received => Key::Number(numbers.received, total),
        Column::Listening => Key::Number(numbers.listening, numbers.count),
        Column::Connected => Key::Number(numbers.connected, numbers.count),
        Column::Name
        | Column::Owners
        | Column::Program
        | Column::Pid
        | Column::User
        | Column::Path
        | Column::Protocol
        | Column::Local
        | Column::Remote
        | Column::Service
        | Column::State
        | Column::Trend => Key::None,
    }
}

fn protocol(fact: Fact<'_>) -> u8 {
    match fact {
        Fact::Flow(flow) => flow.protocol.0,
        Fact::Socket(socket, _) => Subject::protocol(socket).0,
    }
}

/// The near and the far end, as the row has them.
pub(crate) fn ends(fact: Fact<'_>, item: &Item) -> (SocketAddr, Option<SocketAddr>) {
    match fact {
        Fact::Flow(flow) if item.is_remote_end => (flow.remote, Some(flow.local)),
        Fact::Flow(flow) => (flow.local, Some(flow.remote)),
        Fact::Socket(socket, _) => (socket.local, socket.remote),
    }
}

/// The name of the service.
pub(crate) fn service(fact: Fact<'_>) -> Option<&'static str> {
    match fact {
        Fact::Flow(flow) => service_name(flow.protocol, flow.service_port),
        Fact::Socket(socket, _) => Subject::service(socket),
    }
}

/// The name of the state.
pub(crate) fn state(fact: Fact<'_>) -> Option<&'static str> {
    match fact {
        Fact::Flow(flow) => Some(flow.state.name()),
        Fact::Socket(socket, _) => socket_state_name(socket),
    }
}
