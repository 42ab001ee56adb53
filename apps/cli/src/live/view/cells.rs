//! The text of a row in a column.

use flowner_core::Principal;
use flowner_core::present::{self, Column as Of, Row, Value};
use flowner_core::text::mask;

use crate::live::columns::Column;
use crate::live::data::{Data, Item, Node, Numbers};
use crate::width::fitting;

/// Wire bytes, with a unit of two characters, so that units and digits are aligned.
pub(super) fn amount(bytes: u64) -> String {
    padded(present::bytes(bytes))
}

/// Wire bytes a second, as [`amount`]; a dash for zero, so that rows with traffic stand out.
pub(super) fn rate(bytes: u64) -> String {
    if bytes == 0 {
        return "-     ".to_owned();
    }
    let amount = present::bytes(bytes);
    match amount.strip_suffix(" B") {
        Some(number) => format!("{number} B/s "),
        None => amount + "/s",
    }
}

fn padded(amount: String) -> String {
    if amount.ends_with(" B") {
        amount + " "
    } else {
        amount
    }
}

pub(super) fn of_node(node: &Node, column: Column, shows_names: bool) -> String {
    let name = node.host_name.as_ref().filter(|_| shows_names);
    match (column, name) {
        (Column::Name, Some(name)) => name.clone(),
        _ => of_node_by_address(node, column),
    }
}

fn of_node_by_address(node: &Node, column: Column) -> String {
    match column {
        Column::Name | Column::Of(Of::Program) => node.label.clone(),
        Column::Owners => node.owners.clone(),
        Column::Trend => trend(&node.trend),
        Column::Of(Of::Path) => node.path().unwrap_or_default(),
        Column::Count | Column::Listening | Column::Connected | Column::Of(_) => {
            number(&node.numbers, column)
        }
    }
}

pub(super) fn of_item(data: &Data, item: &Item, column: Column, shows_names: bool) -> String {
    let Some(row) = data.row(item) else {
        return String::new();
    };
    match column {
        Column::Name => name(&row, shows_names),
        Column::Owners => text(&row, Of::Program),
        Column::Of(Of::Remote) => far_end(&row, shows_names),
        Column::Of(column) => text(&row, column),
        // A flow counts as one; only rows above flows and sockets have the other columns.
        Column::Count | Column::Listening | Column::Connected | Column::Trend => String::new(),
    }
}

/// A column of a flow or socket, with aligned units.
pub(super) fn text(row: &Row<'_>, column: present::Column) -> String {
    match column.value(row) {
        Value::Amount(counters) => amount(counters.bytes),
        Value::Rate(bytes) => rate(bytes),
        value => value.text().unwrap_or_default(),
    }
}

/// A bar for each second, with its traffic as the height; the busiest second has the full height.
fn trend(bytes: &[u64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = bytes.iter().copied().max().unwrap_or(0);
    let bar = |bytes: &u64| {
        let height = u128::from(*bytes) * 8;
        match height.div_ceil(u128::from(most.max(1))) {
            0 => ' ',
            height => BARS[usize::try_from(height - 1).unwrap_or(7).min(7)],
        }
    };
    bytes.iter().map(bar).collect()
}

fn number(numbers: &Numbers, column: Column) -> String {
    let count = |number: u64| {
        if number == 0 {
            "-".to_owned()
        } else {
            number.to_string()
        }
    };
    match column {
        Column::Count => count(numbers.count),
        Column::Listening => count(numbers.listening),
        Column::Connected => count(numbers.connected),
        Column::Of(Of::Up) => rate(numbers.up),
        Column::Of(Of::Down) => rate(numbers.down),
        Column::Of(Of::Sent) => amount(numbers.sent),
        Column::Of(Of::Received) => amount(numbers.received),
        // Tabs of groups have no other columns.
        Column::Name | Column::Owners | Column::Trend | Column::Of(_) => String::new(),
    }
}

/// The remote end: its name and port, if its name is known and wanted, else its address.
fn far_end(row: &Row<'_>, shows_names: bool) -> String {
    let Some((name, remote)) = row.name().zip(row.remote()).filter(|_| shows_names) else {
        return text(row, Of::Remote);
    };
    // What is less certain is marked, as in other lists.
    let mark = if present::is_weak_name(name) { "~" } else { "" };
    let name = present::printable(name.name.as_str());
    match remote.port() {
        0 => format!("{mark}{name}"),
        port => format!("{mark}{name}:{port}"),
    }
}

/// A remote end with a name in `width` columns: without its port where there is no room for both, and as
/// much of the name as there is room for, its domain first. `None` if its address is shown.
pub(super) fn fit_name(row: &Row<'_>, width: usize) -> Option<String> {
    use unicode_width::UnicodeWidthChar;

    let text = far_end(row, true);
    let name = row.name()?;
    if text.chars().count() <= width {
        return Some(fit(&text, width, false));
    }
    let mark = if present::is_weak_name(name) { "~" } else { "" };
    let name = format!("{mark}{}", present::printable(name.name.as_str()));
    #[allow(clippy::cast_precision_loss, reason = "columns of a terminal")]
    let columns = |columns: usize| columns as f32;
    let wide = |c: char| columns(c.width().unwrap_or(0));
    let name = present::shortened_name(&name, columns(width), wide);
    Some(fit(&name, width, false))
}

/// A flow below its owner: its direction and remote end.
fn name(row: &Row<'_>, shows_names: bool) -> String {
    let protocol = text(row, Of::Protocol);
    if row.remote().is_some() {
        format!("{} {} {protocol}", row.arrow(), far_end(row, shows_names))
    } else {
        let state = row.state().unwrap_or("bound");
        format!("{state} {} {protocol}", text(row, Of::Local))
    }
}

/// Whether the owner of a row is unknown.
pub(super) fn is_unknown(data: &Data, item: &Item) -> bool {
    let row = data.row(item);
    row.is_none_or(|row| *row.principal() == Principal::Unattributed)
}

/// The text in `width` columns: padded, or cut with an ellipsis.
pub(super) fn fit(text: &str, width: usize, is_number: bool) -> String {
    use unicode_width::UnicodeWidthStr;

    // The width is that of the masked text.
    let text = &*mask(text);
    let needed = text.width();
    if needed <= width {
        let blank = " ".repeat(width - needed);
        return if is_number {
            blank + text
        } else {
            text.to_owned() + &blank
        };
    }
    if width == 0 {
        return String::new();
    }
    let kept = &text[..fitting(text, width - 1)];
    let blank = " ".repeat(width - 1 - kept.width());
    format!("{kept}…{blank}")
}

/// As [`fit`], but cuts the middle, so that the end stays: for an address, its port.
pub(super) fn fit_address(text: &str, width: usize) -> String {
    let length = text.chars().count();
    let port = text.rfind(':').map_or(0, |colon| text.len() - colon);
    if length <= width || port + 2 > width {
        return fit(text, width, false);
    }
    let head: String = text.chars().take(width - port - 1).collect();
    format!("{head}…{}", &text[text.len() - port..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_stand_below_each_other() {
        for (bytes, expected) in [
            (0, "      -     "),
            (7, "      7 B/s "),
            (1_230, "   1.23 kB/s"),
            (45_600_000, "   45.6 MB/s"),
        ] {
            assert_eq!(fit(&rate(bytes), 12, true), expected);
        }
        assert_eq!(fit(&amount(999), 7, true), " 999 B ");
        assert_eq!(fit(&amount(1_000), 7, true), "1.00 kB");
    }

    #[test]
    fn trends_are_bars() {
        assert_eq!(trend(&[]), "");
        assert_eq!(trend(&[0, 0]), "  ");
        assert_eq!(trend(&[0, 1, 400, 800]), " ▁▄█");
        assert_eq!(trend(&[u64::MAX, u64::MAX / 2 + 1]), "█▅");
    }

    #[test]
    fn ports_stay() {
        assert_eq!(fit_address("[2001:db8::1]:443", 12), "[2001:d…:443");
        assert_eq!(fit_address("10.0.0.1:443", 12), "10.0.0.1:443");
        assert_eq!(fit_address("10.0.0.1:44345", 5), "10.0…");
        assert_eq!(fit_address("10.0.0.1", 5), "10.0…");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(fit("abc", 5, false), "abc  ");
        assert_eq!(fit("abcdef", 5, false), "abcd…");
        // A wide character is not cut in half.
        assert_eq!(fit("日本語", 4, false), "日… ");
        assert_eq!(fit("ab", 1, false), "…");
        assert_eq!(fit("ab", 0, false), "");
    }
}
