//! The end of `watch` and `read`: the wanted lines, then their totals.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anstyle::Style;
use flowner_core::attribution::Verdict;
use flowner_core::flows::Counters;
use flowner_core::json::{FlowLine, GroupLine, SummaryLine};
use flowner_core::present::{self, Column, Row, printable};
use flowner_core::{
    Coverage, DeviceTotals, EndState, Filter, FlowRecord, Group, ProcessPrincipal, Report, select,
    service_name,
};

use super::left_out::LeftOut;
use super::names;
use super::order::sorted_flows;
use crate::args::{By, FlowArgs};
use crate::error::{ERROR, Failure, Outcome, say};
use crate::out::Out;
use crate::table::{Align, FAINT, Table, UNKNOWN, align};

/// Writes a final report. The exit code shows whether it failed. `missed`: events, and so perhaps
/// lines, that were dropped before.
pub(crate) fn write(
    report: &Report,
    by: By,
    args: &FlowArgs,
    filter: &Filter,
    missed: u64,
    out: &mut Out,
) -> Outcome {
    let filtered;
    let selected = if filter.is_everything() && !args.names.reverse.resolve {
        report
    } else {
        filtered = selected(report, args, filter)?;
        &filtered
    };
    if args.json {
        write_json(selected, by, args, out)?;
        let left_out = LeftOut::of(selected, by, args);
        let line = SummaryLine::new(report).with_missed(missed);
        let line = line.with_unlisted(&left_out.all(), left_out.no_place.flows == 0);
        out.json(&line)?;
    } else {
        write_table(selected, by, args, out)?;
        let left_out = LeftOut::of(selected, by, args);
        for text in left_out.lines() {
            writeln!(out, "{text}")?;
        }
        out.flush()?;
        write_summary(report, out)?;
    }
    out.flush()?;
    Ok(exit_code(&report.ending))
}

/// Writes a final report as comma-separated values.
pub(crate) fn write_csv(
    report: &Report,
    by: By,
    args: &FlowArgs,
    filter: &Filter,
    out: &mut Out,
) -> Outcome {
    let report = &selected(report, args, filter)?;
    let claimed = report.owners_are_claimed();
    let mut csv = out.csv();
    match by {
        By::Flow => csv.flows(sorted_flows(report, args).iter())?,
        By::Program => csv.programs(first(&report.programs(), args), claimed)?,
        By::Process => csv.processes(first(&report.processes(), args), claimed)?,
        By::Host => csv.hosts(first(&report.hosts(), args))?,
        By::Name => csv.names(first(&report.names(), args))?,
        By::Domain => csv.domains(first(&report.domains(), args))?,
        By::Country => csv.countries(first(&report.countries(), args))?,
        By::Network => csv.networks(first(&report.networks(), args))?,
        By::Service => csv.services(first(&report.services(), args))?,
        By::Protocol => csv.protocols(first(&report.protocols(), args))?,
        By::Unit => csv.units(first(&report.units(), args), claimed)?,
        By::Container => csv.containers(first(&report.containers(), args), claimed)?,
        By::Pod => csv.pods(first(&report.pods(), args), claimed)?,
    }
    out.flush()?;
    for text in LeftOut::of(report, by, args).lines() {
        say(format_args!("flowner: {text}"));
    }
    Ok(exit_code(&report.ending))
}

/// The requested flows, with names from reverse lookups if the user wants them.
fn selected(report: &Report, args: &FlowArgs, filter: &Filter) -> Result<Report, Failure> {
    let mut selected = select(report, filter);
    if args.names.reverse.resolve {
        names::find_of_flows(&mut selected.flows)?;
    }
    Ok(selected)
}

/// As many as are to be shown.
fn first<'a, T>(all: &'a [T], args: &FlowArgs) -> &'a [T] {
    &all[..args.limit.unwrap_or(usize::MAX).min(all.len())]
}

fn exit_code(ending: &EndState) -> ExitCode {
    match ending {
        EndState::InputFailed(message) => {
            say(format_args!("flowner: the report is partial: {message}"));
            ExitCode::from(ERROR)
        }
        EndState::Running | EndState::Complete | EndState::Stopped => ExitCode::SUCCESS,
    }
}

fn write_json(report: &Report, by: By, args: &FlowArgs, out: &mut Out) -> Result<(), Failure> {
    // During a capture, each ended flow had its line at its end.
    let has_line = |flow: &FlowRecord| report.input.is_live && flow.ended.is_some();
    if by == By::Flow || report.input.is_live {
        for flow in sorted_flows(report, args)
            .iter()
            .filter(|flow| !has_line(flow))
        {
            out.json(&FlowLine::new(flow))?;
        }
    }
    let limit = args.limit.unwrap_or(usize::MAX);
    let claimed = report.owners_are_claimed();
    let program = |group| GroupLine::program(group).claimed(claimed);
    let process = |group| GroupLine::process(group).claimed(claimed);
    match by {
        By::Flow => {}
        By::Program => json_groups(&report.programs(), limit, program, out)?,
        By::Process => json_groups(&report.processes(), limit, process, out)?,
        By::Host => json_groups(&report.hosts(), limit, GroupLine::host, out)?,
        By::Name => json_groups(&report.names(), limit, GroupLine::name, out)?,
        By::Domain => json_groups(&report.domains(), limit, GroupLine::domain, out)?,
        By::Country => json_groups(&report.countries(), limit, GroupLine::country, out)?,
        By::Network => json_groups(&report.networks(), limit, GroupLine::network, out)?,
        By::Service => json_groups(&report.services(), limit, GroupLine::service, out)?,
        By::Protocol => json_groups(&report.protocols(), limit, GroupLine::protocol, out)?,
        By::Unit => {
            let line = |group| GroupLine::unit(group).claimed(claimed);
            json_groups(&report.units(), limit, line, out)?;
        }
        By::Container => {
            let line = |group| GroupLine::container(group).claimed(claimed);
            json_groups(&report.containers(), limit, line, out)?;
        }
        By::Pod => {
            let line = |group| GroupLine::pod(group).claimed(claimed);
            json_groups(&report.pods(), limit, line, out)?;
        }
    }
    Ok(())
}

fn json_groups<'a, K>(
    groups: &'a [Group<K>],
    limit: usize,
    line: impl Fn(&'a Group<K>) -> GroupLine<'a>,
    out: &mut Out,
) -> Result<(), Failure> {
    groups
        .iter()
        .take(limit)
        .try_for_each(|group| out.json(&line(group)))
}

fn write_table(report: &Report, by: By, args: &FlowArgs, out: &mut Out) -> Result<(), Failure> {
    let limit = args.limit.unwrap_or(usize::MAX);
    let [owner, program, process] = if report.owners_are_claimed() && report.has_owners() {
        [
            "OWNER (as the file claims)",
            "PROGRAM (as the file claims)",
            "PROCESS (as the file claims)",
        ]
    } else {
        ["OWNER", "PROGRAM", "PROCESS"]
    };
    let table = match by {
        By::Flow => flow_table(&sorted_flows(report, args), owner, report.now),
        By::Program => group_table(program, &report.programs(), limit, ToString::to_string),
        By::Process => group_table(process, &report.processes(), limit, process_label),
        By::Host => group_table("HOST", &report.hosts(), limit, ToString::to_string),
        By::Name => group_table("NAME", &report.names(), limit, ToString::to_string),
        By::Domain => group_table("DOMAIN", &report.domains(), limit, ToString::to_string),
        By::Country => group_table("COUNTRY", &report.countries(), limit, ToString::to_string),
        By::Network => group_table("NETWORK", &report.networks(), limit, ToString::to_string),
        By::Service => group_table("SERVICE", &report.services(), limit, |service| {
            let name = service_name(service.protocol, service.port);
            let number = if service.protocol.has_ports() {
                format!("{}/{}", service.protocol, service.port)
            } else {
                service.protocol.to_string()
            };
            name.map_or_else(|| number.clone(), |name| format!("{name} ({number})"))
        }),
        By::Protocol => group_table("PROTOCOL", &report.protocols(), limit, ToString::to_string),
        By::Unit => group_table("UNIT", &report.units(), limit, ToString::to_string),
        By::Container => group_table(
            "CONTAINER",
            &report.containers(),
            limit,
            ToString::to_string,
        ),
        By::Pod => group_table("POD", &report.pods(), limit, ToString::to_string),
    };
    out.table(&table)
}

fn process_label(process: &ProcessPrincipal) -> String {
    match process {
        ProcessPrincipal::Process { id, name, user } => match user {
            Some(user) => format!("{name}[{}] {user}", id.pid),
            None => format!("{name}[{}]", id.pid),
        },
        ProcessPrincipal::Other(principal) => principal.to_string(),
    }
}

fn group_table<K>(
    heading: &'static str,
    groups: &[Group<K>],
    limit: usize,
    label: impl Fn(&K) -> String,
) -> Table {
    let mut table = Table::new(&[
        (Column::Bytes.heading(), Align::Right),
        (Column::Sent.heading(), Align::Right),
        (Column::Received.heading(), Align::Right),
        (Column::Packets.heading(), Align::Right),
        ("FLOWS", Align::Right),
        (heading, Align::Left),
    ]);
    for Group { key, totals } in groups.iter().take(limit) {
        let total = totals.total();
        table.row(
            Style::new(),
            [
                present::bytes(total.bytes),
                present::bytes(totals.sent.bytes),
                present::bytes(totals.received.bytes),
                total.packets.to_string(),
                totals.flows.to_string(),
                key.as_ref()
                    .map_or_else(|| "(others)".to_owned(), |key| printable(&label(key))),
            ],
        );
    }
    table
}

/// The columns of a table of flows; the last one only if owners are looked up.
const FLOW_COLUMNS: [Column; 10] = [
    Column::Protocol,
    Column::Local,
    Column::Remote,
    Column::Name,
    Column::Direction,
    Column::State,
    Column::Packets,
    Column::Bytes,
    Column::Duration,
    Column::Owner,
];

fn flow_table(flows: &[FlowRecord], owner: &'static str, now: Duration) -> Table {
    let has_owners = flows.iter().any(|flow| flow.owner.is_some());
    let has_names = flows.iter().any(|flow| flow.remote_name().is_some());
    let shown = FLOW_COLUMNS.into_iter();
    let shown: Vec<Column> = shown
        .filter(|column| has_owners || *column != Column::Owner)
        .filter(|column| has_names || *column != Column::Name)
        .collect();
    let heading = |column: &Column| match column {
        Column::Owner => owner,
        column => column.heading(),
    };
    let columns: Vec<_> = shown
        .iter()
        .map(|column| (heading(column), align(*column)))
        .collect();
    let mut table = Table::new(&columns);
    for flow in flows {
        let row = Row::of_flow(flow, now);
        let cell = |column: &Column| column.value(&row).text();
        let cells = shown.iter().map(cell);
        table.row(
            style(flow),
            cells.map(|cell| cell.unwrap_or_else(|| "-".to_owned())),
        );
    }
    table
}

fn style(flow: &FlowRecord) -> Style {
    let is_unknown = |flow: &FlowRecord| {
        let verdict = flow.owner.as_ref().map(|owner| &owner.verdict);
        matches!(verdict, Some(Verdict::Unknown(_)))
    };
    match flow {
        flow if is_unknown(flow) => UNKNOWN,
        flow if flow.ended.is_some() => FAINT,
        _ => Style::new(),
    }
}

/// The number of devices in the totals.
const MOST_DEVICES: usize = 8;

/// A few lines of totals.
fn write_summary(report: &Report, out: &mut Out) -> Result<(), Failure> {
    let total = report.total();
    let flows = report.flows.len() as u64 + report.unlisted_flows();
    let (from, to) = report.span.unwrap_or((Duration::ZERO, Duration::ZERO));
    // After a blank line, if there is a table above.
    if flows > 0 {
        writeln!(out)?;
    }
    writeln!(
        out,
        "{}, {} in {}, {} ({}, {})",
        present::count(total.packets, "packet"),
        present::bytes(total.bytes),
        present::count(flows, "flow"),
        present::duration(to.saturating_sub(from)),
        printable(&report.input.name),
        report.input.link_type,
    )?;
    // For a single device, the line above has the name.
    if report.devices.len() > 1 {
        let of = |device: &DeviceTotals| {
            let bytes = present::bytes(device.counted.bytes);
            format!("{} {bytes}", printable(&device.name))
        };
        let shown = report.devices.iter().take(MOST_DEVICES).map(of);
        let more = report.devices.len().saturating_sub(MOST_DEVICES);
        let more = (more > 0).then(|| format!("{more} more"));
        let devices: Vec<_> = shown.chain(more).collect();
        writeln!(out, "seen on: {}", devices.join(", "))?;
        let again = report.table.seen_again;
        if again.packets > 0 {
            let packets = present::count(again.packets, "packet");
            let bytes = present::bytes(again.bytes);
            writeln!(
                out,
                "seen again: {packets}, {bytes}, on other devices of their way, not in the totals"
            )?;
        }
    }
    let within = report.within_host();
    if within.packets > 0 {
        writeln!(
            out,
            "within this host: {} of it, which a table by program or process has at both ends",
            present::bytes(within.bytes),
        )?;
    }
    if report.has_owners() {
        let claimed = if report.owners_are_claimed() {
            ", as the file claims"
        } else {
            ""
        };
        writeln!(out, "owners by bytes{claimed}: {}", coverage(report))?;
    }
    if report.not_looked_up() > 0 {
        let ends = present::count(report.not_looked_up(), "end");
        writeln!(
            out,
            "not looked up: the owners of {ends} of flows, because the queue was full"
        )?;
    }
    if report.refused_claims > 0 {
        let comments = present::count(report.refused_claims, "comment");
        writeln!(
            out,
            "claims refused: {comments} of the file with impossible owners"
        )?;
    }
    let counted = |(name, counters): &(&str, Counters)| format!("{name} {}", counters.packets);
    if !report.undecodable.is_empty() {
        let kinds: Vec<_> = report.undecodable.iter().map(counted).collect();
        writeln!(out, "frames in no flow: {}", kinds.join(", "))?;
    }
    if let Some(capture) = &report.capture
        && capture.dropped_by_kernel + capture.dropped_by_interface > 0
    {
        let dropped = capture.dropped_by_kernel + capture.dropped_by_interface;
        let packets = present::count(dropped, "packet");
        writeln!(out, "not seen: {packets} that the kernel dropped")?;
    }
    Ok(())
}

/// `named 97.1 %, unknown: no such socket 2.9 %`
#[expect(clippy::cast_precision_loss, reason = "a percentage is shown")]
fn coverage(report: &Report) -> String {
    let groups = report.coverage();
    let bytes = |group: &Group<Coverage>| group.totals.counted().bytes;
    let all: u64 = groups.iter().map(bytes).sum();
    let shares: Vec<String> = groups
        .iter()
        .map(|group| {
            let share = bytes(group) as f64 * 100.0 / all.max(1) as f64;
            let name = group.key.map_or("others".to_owned(), present::coverage);
            format!("{name} {share:.1} %")
        })
        .collect();
    if shares.is_empty() {
        return "nothing was captured".to_owned();
    }
    shares.join(", ")
}
