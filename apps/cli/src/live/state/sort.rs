//! The order of rows.

use std::cmp::Reverse;
use std::collections::HashMap;

use flowner_core::Principal;
use flowner_core::present::{self, OrderKey};

use crate::live::columns::Column;
use crate::live::data::{Data, Item, Node, Numbers};

/// The indices of `all` in order. Equal rows keep their order, so that rows do not move without a
/// reason.
pub(super) fn order<T>(all: &[T], is_descending: bool, key: impl Fn(&T) -> OrderKey) -> Vec<usize> {
    let mut places: Vec<usize> = (0..all.len()).collect();
    if is_descending {
        places.sort_by_cached_key(|place| {
            let key = key(&all[*place]);
            (key == OrderKey::None, Reverse(key))
        });
    } else {
        places.sort_by_cached_key(|place| key(&all[*place]));
    }
    places
}

/// Where names are shown, hosts are in the order of their names, and those without come before.
pub(super) fn of_node(node: &Node, column: Column, shows_names: bool) -> OrderKey {
    use present::Column as Of;

    use crate::live::data::RowSubject as Row;

    match column {
        Column::Name | Column::Of(Of::Program) => match &node.subject {
            Row::Host(_) if shows_names && node.host_name.is_some() => {
                OrderKey::text(node.host_name.as_deref().unwrap_or_default())
            }
            Row::Host(address) => OrderKey::Ip(*address),
            Row::Program(Principal::Unattributed) | Row::Others => OrderKey::None,
            _ => OrderKey::Text(node.label.to_lowercase()),
        },
        Column::Owners => OrderKey::text(&node.owners),
        Column::Trend => OrderKey::Number(node.trend.iter().sum(), 0),
        Column::Of(Of::Path) => node
            .path()
            .map_or(OrderKey::None, |path| OrderKey::text(&path)),
        Column::Count | Column::Listening | Column::Connected | Column::Of(_) => {
            number(&node.numbers, column)
        }
    }
}

/// The indices of `items` in order.
pub(super) fn order_items(
    data: &Data,
    items: &[Item],
    (column, is_descending): (Column, bool),
    shows_names: bool,
) -> Vec<usize> {
    if column == Column::Of(present::Column::Program) {
        let ranks = ranks(data, items);
        let rank = |item: &Item| data.row(item).and_then(|row| ranks.get(row.principal()));
        return order(items, is_descending, |item| {
            rank(item).map_or(OrderKey::None, |rank| OrderKey::Number(*rank, 0))
        });
    }
    order(items, is_descending, |item| {
        of_item(data, item, column, shows_names)
    })
}

/// Programs, numbered by name, because a few have all of the flows. An unknown owner has no name.
fn ranks<'a>(data: &'a Data, items: &[Item]) -> HashMap<&'a Principal, u64> {
    let mut ranks = HashMap::new();
    for principal in items
        .iter()
        .filter_map(|item| Some(data.row(item)?.principal()))
    {
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

fn of_item(data: &Data, item: &Item, column: Column, shows_names: bool) -> OrderKey {
    let name = || data.row(item)?.name();
    match column {
        Column::Of(present::Column::Remote) if shows_names && name().is_some() => {
            name().map_or(OrderKey::None, |name| OrderKey::text(name.name.as_str()))
        }
        Column::Of(column) => data
            .row(item)
            .map_or(OrderKey::None, |row| column.order(&row)),
        Column::Count | Column::Listening | Column::Connected => number(&item.numbers, column),
        // The others were replaced by another column before.
        Column::Name | Column::Owners | Column::Trend => OrderKey::None,
    }
}

/// The total decides between rows without traffic.
fn number(numbers: &Numbers, column: Column) -> OrderKey {
    use present::Column as Of;

    let total = numbers.sent.saturating_add(numbers.received);
    let rate = numbers.up.saturating_add(numbers.down);
    match column {
        Column::Count => OrderKey::Number(numbers.count, total),
        Column::Listening => OrderKey::Number(numbers.listening, numbers.count),
        Column::Connected => OrderKey::Number(numbers.connected, numbers.count),
        Column::Of(Of::Up) => OrderKey::Number(numbers.up, total),
        // Rows with traffic come before rows with past traffic.
        Column::Of(Of::Down) => OrderKey::Number(numbers.down, rate.max(total)),
        Column::Of(Of::Sent) => OrderKey::Number(numbers.sent, total),
        Column::Of(Of::Received) => OrderKey::Number(numbers.received, total),
        // Tabs of groups have no other columns.
        Column::Name | Column::Owners | Column::Trend | Column::Of(_) => OrderKey::None,
    }
}
