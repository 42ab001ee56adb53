//! How the owner of a flow is known, or why it is not.

mod names;

use std::borrow::Cow;

use flowner_core::FlowRecord;
use flowner_core::attribution::{Ownership, Process};
use flowner_core::flows::Direction;
use flowner_core::present;
use flowner_core::text::{mask, mask_os};
use iced::widget::{Space, column, container, row};
use iced::{Center, Element, Fill};

use super::{Context, Message};
use crate::column;
use crate::feed::Picture;
use crate::theme::{Colors, space};
use crate::widget::parts;

/// The pane for a flow.
pub(super) fn view<'a>(
    flow: &'a FlowRecord,
    context: Context<'a>,
    picture: &'a Picture,
) -> Element<'a, Message> {
    let colors = context.colors;
    let principal = flow.named_principal();
    let icon = parts::portrait(context.pictures.of(principal), 28.0);
    let head = row![
        icon,
        column![
            parts::title(principal.to_string(), colors),
            parts::small(column::service(flow), colors.muted)
        ]
        .width(Fill),
    ]
    .spacing(space::S)
    .align_y(Center);
    let to_program = (!principal.programs().is_empty()).then(|| {
        parts::press(
            "Open program",
            false,
            Some(Message::ProgramWanted(principal.clone())),
            colors,
        )
    });
    let mut pane = column![head].push(to_program).spacing(space::S);
    pane = pane.push(names::view(flow, colors));
    let is_loop = flow.remote_owner.is_some() || flow.direction == Direction::Loopback;
    let name = if is_loop {
        "OWNER OF THE INITIATOR"
    } else {
        "OWNER"
    };
    pane = pane.push(owner(name, flow.owner.as_ref(), flow, picture, colors));
    // Why many processes are one program: one of them is so for this reason.
    pane = pane.extend(principal.programs().iter().map(|program| {
        let why = format!("{program}: it {}", program.grouping);
        parts::fact("Counted as", why, colors)
    }));
    if is_loop {
        let remote = flow.remote_owner.as_ref();
        pane = pane.push(owner(
            "OWNER OF THE RESPONDER",
            remote,
            flow,
            picture,
            colors,
        ));
    }
    pane = pane.push(traffic(flow, context, picture));
    parts::scroll(container(pane).padding(space::M), colors)
}

fn part(name: &str, colors: Colors) -> iced::widget::Column<'_, Message> {
    column![
        Space::new().height(2),
        parts::rule(colors),
        parts::caption(name, colors)
    ]
    .spacing(5)
}

fn owner<'a>(
    name: &'a str,
    owner: Option<&'a Ownership>,
    flow: &'a FlowRecord,
    picture: &'a Picture,
    colors: Colors,
) -> Element<'a, Message> {
    let part = part(name, colors);
    let Some(owner) = owner else {
        let why = if flow.is_waiting {
            "The lookup has no answer yet."
        } else if picture.report.owners.is_none() {
            "Unknown: not looked up. The capture file has no owners."
        } else {
            "Unknown: not looked up."
        };
        return part.push(parts::body(why, colors.muted)).into();
    };
    let is_known = !matches!(
        owner.verdict,
        flowner_core::attribution::Verdict::Unknown(_)
    );
    let color = if is_known { colors.text } else { colors.warn };
    let mut part = part.push(parts::body(present::verdict_sentence(owner), color));
    if owner.evidence.matched.is_some() {
        part = part.push(parts::fact(
            "Matched",
            format!(
                "{}.",
                present::capitalized(present::matched(owner.evidence.matched))
            ),
            colors,
        ));
    }
    part = part
        .push(parts::fact(
            "Observed",
            present::observed(&owner.evidence, flow.first_seen),
            colors,
        ))
        .push(parts::fact(
            "Source",
            present::source(owner.evidence.source),
            colors,
        ));
    if let Some(namespace) = &owner.evidence.namespace {
        part = part.push(parts::fact(
            "Network namespace",
            namespace.to_string(),
            colors,
        ));
    }
    let processes = owner.verdict.processes();
    if let [process] = processes {
        part = part.extend(facts(process, picture, colors));
    } else if !processes.is_empty() {
        part = part
            .push(parts::caption("CANDIDATES", colors))
            .extend(processes.iter().map(|process| {
                let user = process.user.as_ref().map(ToString::to_string);
                let words = format!(
                    "{}  {}  {}",
                    process.pid,
                    mask(&process.name),
                    user.unwrap_or_default()
                );
                parts::body(words, colors.text).into()
            }));
    }
    part.into()
}

/// What is known of a process.
fn facts<'a>(
    process: &'a Process,
    picture: &'a Picture,
    colors: Colors,
) -> Vec<Element<'a, Message>> {
    let arguments = process.arguments.as_ref().map(|arguments| {
        let arguments = arguments.iter().map(|it| mask_os(it));
        arguments.collect::<Vec<_>>().join(" ")
    });
    let facts = [
        ("Process", Some(lineage(process, picture))),
        ("Path", present::path(process)),
        ("Command", arguments),
        ("User", process.user.as_ref().map(ToString::to_string)),
        ("Unit", process.unit.as_ref().map(ToString::to_string)),
        ("Started", process.started.map(present::date_of)),
    ];
    let known = facts
        .into_iter()
        .filter_map(|(name, fact)| Some((name, fact?)));
    known
        .map(|(name, fact)| parts::fact(name, fact, colors))
        .collect()
}

/// A process and who started it, as far as they own flows too.
fn lineage(process: &Process, picture: &Picture) -> String {
    let mut words = format!("{} {}", process.pid, mask(&process.name));
    let mut parent = process.parent;
    let mut generations = 0;
    while let Some(pid) = parent.filter(|pid| *pid > 0 && generations < 6) {
        let known = picture.process(pid);
        let name = known.map_or(Cow::Borrowed(""), |process| mask(&process.name));
        words = format!("{words}\n← {pid} {name}");
        parent = known.and_then(|process| process.parent);
        generations += 1;
    }
    words
}

fn traffic<'a>(
    flow: &'a FlowRecord,
    context: Context<'a>,
    picture: &'a Picture,
) -> Element<'a, Message> {
    let colors = context.colors;
    let unit = context.settings.unit;
    let rate = |rate: u64| unit.rate(rate).to_string();
    let amount = |counters: flowner_core::flows::Counters| {
        format!(
            "{} in {}",
            present::Unit::Bytes.amount(counters),
            present::counted(counters.packets, "packet")
        )
    };
    let state = match flow.ended {
        Some(reason) if reason.name() != flow.state.name() => {
            format!("{}, {}", flow.state.name(), reason.name())
        }
        _ => flow.state.name().to_owned(),
    };
    let state = match flow.error {
        Some(error) => format!("{state}\n{error}"),
        None => state,
    };
    let age = picture.report.now.saturating_sub(flow.first_seen);
    let facts = [
        ("Local", present::endpoint(flow.protocol, flow.local)),
        ("Remote", present::endpoint(flow.protocol, flow.remote)),
        (
            "Protocol",
            format!("{}, {}", flow.protocol, flow.direction.name()),
        ),
        ("State", state),
        (
            "Sent",
            format!("{}\n{}", amount(flow.sent), rate(flow.rate.sent)),
        ),
        (
            "Received",
            format!("{}\n{}", amount(flow.received), rate(flow.rate.received)),
        ),
        (
            "First seen",
            format!(
                "{}\n{} ago",
                present::date(flow.first_seen),
                present::duration(age)
            ),
        ),
        ("Last seen", present::date(flow.last_seen)),
    ];
    let facts = facts
        .into_iter()
        .map(|(name, fact)| parts::fact(name, fact, colors));
    part("FLOW", colors).extend(facts).into()
}
