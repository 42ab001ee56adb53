//! The figures that the page is opened for.

use std::time::Duration;

use flowner_core::{Coverage, Group, Totals};
use iced::widget::{container, row};
use iced::{Element, Fill};

use crate::feed::Picture;
use crate::format::{self, Quantity};
use crate::page::Context;
use crate::theme::space;
use crate::widget::parts;

/// How wide a figure is.
const WIDTH: f32 = 122.0;

/// As many of them as there is room for, the most important first.
pub(super) fn view<'a, Message: 'a>(
    context: Context<'a>,
    picture: &Picture,
    width: f32,
) -> Element<'a, Message> {
    let figures = figures(context, picture);
    let mut room = width - 2.0 * space::M;
    let seen = figures.into_iter().take_while(move |_| {
        room -= WIDTH;
        // The last may be a little narrower.
        room > -space::L
    });
    let seen = seen.map(|(name, quantity)| parts::figure(name, &quantity, WIDTH, context.colors));
    container(row(seen))
        .padding([space::S, space::M])
        .width(Fill)
        .clip(true)
        .into()
}

fn figures(context: Context<'_>, picture: &Picture) -> [(&'static str, Quantity); 8] {
    let unit = context.settings.unit;
    let mut sum = Totals::default();
    for group in &picture.programs {
        sum.add(&group.totals);
    }
    let report = &picture.report;
    let (inward, outward) = if report.input.is_live {
        ("In now", "Out now")
    } else {
        ("In at the end", "Out at the end")
    };
    let (known, of) = known(&picture.coverage);
    let plain = |number: String| Quantity { number, unit: "" };
    let flows = report.flows.len() as u64 + report.unlisted_flows();
    let open = Quantity {
        number: format::count(picture.open as u64),
        unit: "open",
    };
    let long = report
        .span
        .map_or(Duration::ZERO, |(first, last)| last.saturating_sub(first));
    let owners = if report.owners.is_some() {
        format::percent(known, of)
    } else {
        "–".to_owned()
    };
    let received = sum.rate.saturating_sub(sum.rates.sent);
    [
        (inward, unit.rate(received)),
        (outward, unit.rate(sum.rates.sent)),
        ("Received", unit.amount(sum.received)),
        ("Sent", unit.amount(sum.sent)),
        ("Flows", open),
        ("Bytes attributed", plain(owners)),
        ("Flows in all", plain(format::count(flows))),
        ("Seen for", plain(format::span(long))),
    ]
}

/// Bytes whose owner is named, and all bytes.
fn known(coverage: &[Group<Coverage>]) -> (u64, u64) {
    let bytes = |group: &Group<Coverage>| group.totals.total().bytes;
    let named = coverage
        .iter()
        .filter(|group| group.key == Some(Coverage::Named));
    (named.map(bytes).sum(), coverage.iter().map(bytes).sum())
}
