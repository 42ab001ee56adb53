//! The columns of the flow table, as widgets: what each shows is in `flowner_core::present`, where
//! both apps take it from.

use std::time::Duration;

use flowner_core::FlowRecord;
use flowner_core::present::{self, Column, Row, Unit, Value};

use crate::picture::Pictures;
use crate::widget::table::{Cell, Head, Tone, Width};

/// What a cell needs to know besides the flow.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The time of the report, since the Unix epoch.
    pub now: Duration,
    pub unit: Unit,
    pub pictures: &'a Pictures,
}

/// Those that a new user sees.
pub const SHOWN: [Column; 13] = [
    Column::Program,
    Column::Name,
    Column::Remote,
    Column::Service,
    Column::Rate,
    Column::Bytes,
    Column::Age,
    Column::Pid,
    Column::User,
    Column::State,
    Column::Direction,
    Column::Local,
    Column::Packets,
];

/// Those that can be chosen: all that have something to show of flows.
pub fn all() -> impl Iterator<Item = Column> {
    let columns = Column::ALL.into_iter();
    columns.filter(|column| column.rank_in_flows().is_some())
}

/// The mean width of a character, in logical pixels, and the room at both sides of a column.
const CHARACTER: f32 = 7.0;
const MARGIN: f32 = 16.0;
/// Room for the icon of a program.
const ICON: f32 = 22.0;

/// Characters from which on a column may take a part of what is left.
const FLEXIBLE: u16 = 40;

/// The head of a column.
pub fn head(column: Column) -> Head {
    let title = column.title();
    let [_, width, max] = column.widths();
    // What can use much more takes a part of what is left.
    let is_flexible = max >= 2 * width && max >= FLEXIBLE;
    let characters = match (is_flexible, column) {
        (_, Column::Program) => width,
        (true, _) => width + 4,
        (false, _) => width.midpoint(max),
    };
    let pixels = f32::from(characters) * CHARACTER + MARGIN;
    match column {
        Column::Bytes | Column::Sent | Column::Received => Head::amount(title),
        Column::Rate | Column::Up | Column::Down => Head::rate(title),
        Column::Program => Head::text(title, Width::Share(1.4, pixels + ICON)),
        column if column.is_number() => Head::number(title, pixels),
        _ if is_flexible => Head::text(title, Width::Share(1.0, pixels)),
        _ => Head::text(title, Width::Fixed(pixels)),
    }
}

/// What a column shows of a flow.
pub fn cell(column: Column, flow: &FlowRecord, around: Surroundings<'_>) -> Cell {
    let unit = around.unit;
    let cell = match column.value(&Row::of_flow(flow, around.now)) {
        Value::Nothing => Cell::empty(),
        Value::Amount(counters) => Cell::quantity(unit.amount(counters)),
        Value::Rate(bytes) => Cell::quantity(unit.rate(bytes)),
        Value::Count(count) => Cell::text(present::grouped(count)),
        Value::Time(time) => Cell::text(present::duration(time)),
        Value::Text(text) | Value::Address(text) => Cell::text(text),
        Value::Unknown(text) => Cell::text(text).toned(Tone::Muted),
    };
    match column {
        Column::Program => {
            let picture = around.pictures.of(flow.named_principal());
            cell.pictured(Some(picture))
        }
        Column::Name => match flow.remote_name() {
            Some(host) if present::is_weak_name(host) => cell.as_name().muted(),
            _ => cell.as_name(),
        },
        Column::State if flow.ended.is_some() => cell.muted(),
        Column::Pid | Column::User | Column::Local | Column::Direction => cell.muted(),
        _ => cell,
    }
}

/// The service of a flow.
pub fn service(flow: &FlowRecord) -> String {
    present::service(flowner_core::Service {
        protocol: flow.protocol,
        port: flow.service_port,
    })
}
