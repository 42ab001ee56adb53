//! The facts about the selected row, and their evidence.

use std::time::SystemTime;

use flowner_core::attribution::{Ownership, Process, Source, Verdict};
use flowner_core::present::{self, Column, Row, printable, printable_path};
use flowner_core::text::{mask, mask_os};
use flowner_core::{Principal, ProcessPrincipal, is_time_wait};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{Block, Borders, Clear, Widget};

use super::theme::Theme;
use super::{cells, line, put};
use crate::live::data::{Data, Fact, Item, Node, Observed, RowSubject};
use crate::live::state::State;
use crate::width::fitting;

pub(super) fn draw(buffer: &mut Buffer, area: Rect, state: &State, theme: Theme) {
    Clear.render(area, buffer);
    let block = Block::new()
        .borders(Borders::TOP)
        .title(" Details (d closes) ")
        .title_style(theme.faint())
        .border_style(theme.faint());
    let inner = block.inner(area);
    block.render(area, buffer);
    let mut rows = (0..inner.height).map(|number| line(inner, number));
    for (name, text) in &lines(state) {
        let width = usize::from(inner.width).saturating_sub(NAMES + 3).max(1);
        let text = printable(text);
        let style = if matches!(*name, "owner" | "program") {
            theme.strong()
        } else {
            Style::new()
        };
        for (number, part) in wrapped(&text, width).take(MAX_LINES).enumerate() {
            let Some(row) = rows.next() else { return };
            let name = if number == 0 { name } else { "" };
            let x = put(
                buffer,
                row,
                row.x + 1,
                &cells::fit(name, NAMES, false),
                theme.faint(),
            );
            put(buffer, row, x + 1, part, style);
        }
    }
}

/// The lines of a text: they break at blanks, if there are any.
fn wrapped(text: &str, width: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (line, after) = first_line(rest, width);
        rest = after;
        (!line.is_empty()).then_some(line)
    })
}

/// The part of a text that fits into `width` columns, and the rest.
fn first_line(text: &str, width: usize) -> (&str, &str) {
    let end = fitting(text, width);
    if end == text.len() {
        return (text, "");
    }
    // A character that is wider than the line has its own line.
    let end = end.max(text.chars().next().map_or(0, char::len_utf8));
    let (line, after) = text.split_at(end);
    let last = if after.starts_with(' ') {
        Some(end)
    } else {
        line.rfind(' ')
    };
    match last.map_or("", |last| line[..last].trim_end()) {
        "" => (line, after),
        line => (line, text[line.len()..].trim_start()),
    }
}

/// The width of the names.
const NAMES: usize = 9;
/// The number of lines of one fact.
const MAX_LINES: usize = 3;

type Fields = Vec<(&'static str, String)>;

fn lines(state: &State) -> Fields {
    let line = state.selected_line().map(|place| &state.lines[place]);
    let (Some(data), Some(line)) = (&state.data, line) else {
        return vec![("", "no row is selected; ↓ selects one".to_owned())];
    };
    if let Some(node) = state.node(line) {
        return of_node(data, node);
    }
    state
        .item(line)
        .map(|item| of_item(data, item))
        .unwrap_or_default()
}

fn of_node(data: &Data, node: &Node) -> Fields {
    let mut fields = Vec::new();
    match &node.subject {
        RowSubject::Program(principal) => of_principal(principal, node, &mut fields),
        RowSubject::Process(principal) => of_process_party(data, principal, node, &mut fields),
        RowSubject::Host(address) => {
            fields.push(("host", address.to_string()));
            if let Some(name) = &node.host_name {
                fields.push(("name", name.clone()));
            }
        }
        RowSubject::Service(_) => fields.push(("service", node.label.clone())),
        RowSubject::Others => {
            fields.push(("", "what found no place in a list that was full".to_owned()));
        }
    }
    if !node.owners.is_empty() {
        fields.push(("programs", node.owners.clone()));
    }
    let numbers = &node.numbers;
    fields.push(if data.has_bytes() {
        (
            "traffic",
            format!(
                "sent {}, received {} in {}",
                present::bytes(numbers.sent),
                present::bytes(numbers.received),
                present::count(numbers.count, "flow")
            ),
        )
    } else {
        (
            "sockets",
            format!(
                "{}: {} listening, {} connected",
                numbers.count, numbers.listening, numbers.connected
            ),
        )
    });
    fields
}

fn of_principal(principal: &Principal, node: &Node, fields: &mut Fields) {
    fields.push(("program", principal.to_string()));
    for program in principal.programs() {
        if let Some(path) = &program.path {
            fields.push(("path", printable_path(path)));
        }
        fields.push((
            "because",
            format!("one of its processes {}", program.grouping),
        ));
    }
    match principal {
        Principal::Unattributed => fields.push((
            "because",
            "each row below says why its owner is unknown".to_owned(),
        )),
        Principal::User(_) | Principal::Unit(_) => fields.push((
            "because",
            "the process is not permitted to be inspected; `flowner doctor` says what would allow it"
                .to_owned(),
        )),
        Principal::Program(_) | Principal::Several(_) => {}
    }
    if !node.nodes.is_empty() {
        let processes = node.nodes.iter().map(|node| node.label.clone());
        let processes: Vec<_> = processes.take(8).collect();
        let more = if node.nodes.len() > 8 { ", …" } else { "" };
        fields.push(("processes", processes.join(", ") + more));
    }
}

fn of_process_party(data: &Data, principal: &ProcessPrincipal, node: &Node, fields: &mut Fields) {
    let owner = node.items.first().and_then(|item| data.owner(item));
    let process = owner.as_ref().and_then(|owner| {
        let mut processes = owner.verdict.processes().iter();
        processes.find(|process| match principal {
            ProcessPrincipal::Process { id, .. } => process.id() == *id,
            ProcessPrincipal::Other(_) => false,
        })
    });
    match process {
        Some(process) => of_process(data.at, process, fields),
        None => fields.push(("process", node.label.clone())),
    }
}

fn of_process(now: SystemTime, process: &Process, fields: &mut Fields) {
    let parts = [
        Some(format!("{} {}", process.pid, process.name)),
        process.user.as_ref().map(|user| format!("user {user}")),
        process
            .started
            .map(|started| format!("started {} ago", present::since(started, now))),
        process.parent.map(|parent| format!("by {parent}")),
    ];
    let text = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    fields.push(("process", text));
    if let Some(path) = present::path(process) {
        fields.push(("path", path));
    }
    if let Some(unit) = &process.unit {
        fields.push(("unit", unit.to_string()));
    }
    if let Some(arguments) = &process.arguments {
        let arguments: Vec<_> = arguments.iter().map(|one| mask_os(one)).collect();
        fields.push(("command", arguments.join(" ")));
    }
}

fn of_item(data: &Data, item: &Item) -> Fields {
    let Some((fact, row)) = data.fact(item).zip(data.row(item)) else {
        return Vec::new();
    };
    let mut fields = vec![what(fact, &row)];
    if let (Some(name), Fact::Flow(flow)) = (row.name(), fact) {
        let how = present::name_evidence(name, flow.first_seen);
        let text = format!("{}: {how}", printable(name.name.as_str()));
        fields.push(("name", text));
    }
    let owner = data.owner(item);
    let text = match fact {
        Fact::Socket(socket, _) if is_time_wait(socket) => present::socket_owner(socket),
        _ => present::owner(owner.as_ref()),
    };
    fields.push(("owner", text));
    if let Some(how) = owner.as_ref().and_then(|owner| evidence(data, owner)) {
        fields.push(("because", how));
    }
    if let Some(Verdict::Process(process)) = owner.as_ref().map(|owner| &owner.verdict) {
        of_process(data.at, process, &mut fields);
    }
    if let Fact::Flow(flow) = fact {
        let mut ends = [&flow.owner, &flow.remote_owner].into_iter().flatten();
        if let Some(other) = ends.find(|end| Some(*end) != owner.as_ref()) {
            fields.push(("other end", present::owner(Some(other))));
        }
        fields.push(("traffic", traffic(data, item)));
        if let Some(device) = &flow.device {
            fields.push(("device", mask(device).into_owned()));
        }
    }
    fields
}

fn what(fact: Fact<'_>, row: &Row<'_>) -> (&'static str, String) {
    let near = cells::text(row, Column::Local);
    let far = row.remote().map_or_else(String::new, |_| {
        format!(" {} {}", row.arrow(), cells::text(row, Column::Remote))
    });
    let (name, direction) = match fact {
        Fact::Flow(flow) => ("flow", Some(flow.direction.name())),
        Fact::Socket(..) => ("socket", None),
    };
    let ends = format!("{} {near}{far}", cells::text(row, Column::Protocol));
    let parts = [
        Some(ends.as_str()),
        row.service_name(),
        row.state(),
        row.error(),
        direction,
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    (name, parts.join(", "))
}

/// How the owner is known and how old that is; or what would make it known.
fn evidence(data: &Data, owner: &Ownership) -> Option<String> {
    if owner.evidence.source == Source::Recorded {
        return Some("the file claims it, which Flowner cannot check".to_owned());
    }
    if let Verdict::Unknown(reason) = owner.verdict {
        return Some(present::reason_sentence(reason));
    }
    let evidence = &owner.evidence;
    let source = present::source(evidence.source);
    if evidence.matched.is_none() {
        let is_listed = matches!(data.facts, Observed::Sockets(_));
        return is_listed.then(|| format!("listed just now by {source}"));
    }
    let how = present::matched(evidence.matched);
    let age = present::since(evidence.observed_at, data.at);
    Some(format!("{how}; observed {age} ago by {source}"))
}

fn traffic(data: &Data, item: &Item) -> String {
    let numbers = &item.numbers;
    let (sent, received) = (
        present::bytes(numbers.sent),
        present::bytes(numbers.received),
    );
    let when = match data.fact(item) {
        Some(Fact::Flow(flow)) => {
            let lasted = flow.duration();
            let last = SystemTime::UNIX_EPOCH.checked_add(flow.last_seen);
            let last = last.map_or_else(String::new, |last| {
                format!("; last packet {} ago", present::since(last, data.at))
            });
            format!(" in {}{last}", present::duration(lasted))
        }
        _ => String::new(),
    };
    format!("sent {sent}, received {received}{when}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, width: usize, expected: &[&str]) {
        let lines: Vec<_> = wrapped(text, width).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn lines_end_at_blanks() {
        check("", 5, &[]);
        check("one two three", 7, &["one two", "three"]);
        check("one two three", 8, &["one two", "three"]);
        check("one two", 6, &["one", "two"]);
        // Paths have none.
        check("of /usr/bin/curl", 8, &["of", "/usr/bin", "/curl"]);
        check("日本語", 4, &["日本", "語"]);
        check("日本", 1, &["日", "本"]);
    }

    proptest! {
        #[test]
        fn nothing_but_blanks_is_lost(text in "[a-zé日 ]{0,40}", width in 1_usize..12) {
            let without_blanks = |text: &str| text.replace(' ', "");
            let lines: Vec<_> = wrapped(text.trim(), width).collect();
            prop_assert_eq!(without_blanks(&lines.concat()), without_blanks(&text));
        }
    }
}
