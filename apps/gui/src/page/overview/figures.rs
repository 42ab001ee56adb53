//! The figures that the page is opened for.

use std::time::Duration;

use flowner_core::flows::{Counters, Rate};
use flowner_core::present::{self, Quantity};
use flowner_core::{Coverage, Group, Totals};
use iced::widget::{container, row};
use iced::{Element, Fill};

use crate::feed::Picture;
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

/// What the host exchanged with others, and what its programs exchanged with each other: none
/// is part of another, so that they may be added up.
struct Sums {
    received: Counters,
    sent: Counters,
    within: Counters,
    rates: Rate,
    rate_within: u64,
}

impl Sums {
    fn of(picture: &Picture) -> Self {
        let mut sum = Totals::default();
        for group in &picture.programs {
            sum.add(&group.totals);
        }
        // What was sent within the host is what was received there.
        let received = sum.rate.saturating_sub(sum.rates.sent);
        let rate_within = sum.rates.received.saturating_sub(received);
        Self {
            received: sum.received_elsewhere(),
            sent: sum.sent_elsewhere(),
            within: sum.received_here,
            rates: Rate {
                sent: sum.rates.sent.saturating_sub(rate_within),
                received,
            },
            rate_within,
        }
    }
}

fn figures(context: Context<'_>, picture: &Picture) -> Vec<(&'static str, Quantity)> {
    let unit = context.settings.unit;
    let sums = Sums::of(picture);
    let report = &picture.report;
    let [inward, outward, about] = if report.input.is_live {
        ["In", "Out", "Within host"]
    } else {
        ["In at the end", "Out at the end", "Within at the end"]
    };
    let (known, of) = known(&picture.coverage);
    let plain = |number: String| Quantity { number, unit: "" };
    let flows = report.flows.len() as u64 + report.unlisted_flows();
    let open = Quantity {
        number: present::grouped(picture.open as u64),
        unit: "open",
    };
    let long = report
        .span
        .map_or(Duration::ZERO, |(first, last)| last.saturating_sub(first));
    let owners = if report.owners.is_some() {
        present::percent(known, of)
    } else {
        "–".to_owned()
    };
    let mut figures = vec![
        (inward, unit.rate(sums.rates.received)),
        (outward, unit.rate(sums.rates.sent)),
        ("Received", unit.amount(sums.received)),
        ("Sent", unit.amount(sums.sent)),
        ("Flows", open),
        ("Bytes attributed", plain(owners)),
        ("Flows in all", plain(present::grouped(flows))),
        ("Seen for", plain(present::duration(long))),
    ];
    if sums.within.packets > 0 {
        figures.insert(4, ("Within host", unit.amount(sums.within)));
        figures.insert(2, (about, unit.rate(sums.rate_within)));
    }
    figures
}

/// Bytes whose owner is named, and all bytes.
fn known(coverage: &[Group<Coverage>]) -> (u64, u64) {
    let bytes = |group: &Group<Coverage>| group.totals.counted().bytes;
    let named = coverage
        .iter()
        .filter(|group| group.key == Some(Coverage::Named));
    (named.map(bytes).sum(), coverage.iter().map(bytes).sum())
}
