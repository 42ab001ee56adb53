//! `flowner watch`

use std::collections::HashSet;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowner_core::flows::FlowId;
use flowner_core::present;
use flowner_core::{
    Builder, Event, Events, Filter, FlowRecord, JsonLines, Monitor, NoEvent, Report,
};

use crate::args::WatchArgs;
use crate::commands::report;
use crate::config;
use crate::error::{Failure, Outcome, say};
use crate::out::Out;
use crate::reader;
use crate::signals::Interrupt;

/// The number of flows whose line was written before they ended. Past that, some may get two.
const MAX_WRITTEN: usize = 100_000;

pub(crate) fn run(args: &WatchArgs, out: &mut Out) -> Outcome {
    let filter = config::filter(args.flows.filter.as_deref())?;
    let interrupt = Interrupt::catch()?;
    let config = config::of_watch(args, &filter);
    let builder = Monitor::builder(&config);
    let (report, missed) = if args.flows.json {
        write_json(builder, args.duration, &filter, &interrupt)?
    } else {
        let (queue, events) = Events::queue(config.limits.events);
        let monitor = start(builder.events(queue), &interrupt)?;
        write_text(monitor, &events, args.duration, &filter, out)?
    };
    report::write(&report, args.by, &args.flows, &filter, missed, out)
}

/// Starts. An interrupt stops the monitor, and so does a reader that closes the output.
fn start(builder: Builder, interrupt: &Interrupt) -> Result<Monitor, Failure> {
    let monitor = builder.start()?;
    let stop = monitor.stop_handle();
    interrupt.then(move || stop.stop());
    let stop = monitor.stop_handle();
    reader::when_gone(move || stop.stop());
    Ok(monitor)
}

/// The last report, and the number of missed events.
type End = (Arc<Report>, u64);

/// Writes each flow when it ends.
fn write_json(
    builder: Builder,
    duration: Option<Duration>,
    filter: &Filter,
    interrupt: &Interrupt,
) -> Result<End, Failure> {
    // A slow reader gets all lines, however long that takes.
    let lines = JsonLines::new(io::stdout()).patience(Duration::MAX);
    let lines = lines.filtered(filter);
    let account = lines.account();
    let monitor = start(builder.sink(lines), interrupt)?;
    if !monitor.wait_ended(duration.unwrap_or(Duration::MAX)) {
        monitor.stop_handle().stop();
    }
    let report = monitor.wait();
    match account.failure() {
        Some(error) => Err(error.into()),
        None => Ok((report, account.missed())),
    }
}

/// Writes each flow as soon as its owner is known.
fn write_text(
    monitor: Monitor,
    events: &Events,
    duration: Option<Duration>,
    filter: &Filter,
    out: &mut Out,
) -> Result<End, Failure> {
    let input = monitor.input();
    say(format_args!(
        "capturing on {} ({}); Ctrl-C ends",
        present::printable(&input.name),
        input.link_type
    ));
    let mut writer = Writer {
        out,
        filter,
        written: HashSet::new(),
        started: None,
        missed: 0,
    };
    writer.follow(&monitor, events, duration)?;
    let report = monitor.wait();
    while let Some(event) = events.next() {
        writer.event(event)?;
    }
    writer.remaining(&report)?;
    Ok((report, writer.missed))
}

/// Writes flows as they become known.
struct Writer<'a> {
    out: &'a mut Out,
    filter: &'a Filter,
    written: HashSet<FlowId>,
    /// Packet time of the first line.
    started: Option<Duration>,
    /// Events that were dropped.
    missed: u64,
}

impl Writer<'_> {
    /// Follows events until the input ends, or ends it after `duration`.
    fn follow(
        &mut self,
        monitor: &Monitor,
        events: &Events,
        duration: Option<Duration>,
    ) -> Result<(), Failure> {
        let mut deadline = duration.and_then(|duration| Instant::now().checked_add(duration));
        loop {
            let event = match deadline {
                None => events.next(),
                Some(at) => {
                    match events.next_within(at.saturating_duration_since(Instant::now())) {
                        Ok(event) => Some(event),
                        Err(NoEvent::Yet) => {
                            monitor.stop_handle().stop();
                            deadline = None;
                            continue;
                        }
                        Err(NoEvent::Ended) => None,
                    }
                }
            };
            match event {
                None | Some(Event::InputEnded(_)) => return Ok(()),
                Some(event) => self.event(event)?,
            }
        }
    }

    fn event(&mut self, event: Event) -> Result<(), Failure> {
        if let Event::Missed(count) = event {
            self.missed += count;
        }
        match event {
            Event::OwnerResolved(flow) if !flow.is_waiting => self.line(&flow)?,
            Event::FlowClosed(flow) => {
                if !self.written.remove(&flow.id) {
                    self.line(&flow)?;
                }
            }
            Event::Warning(text) => say(format_args!("flowner: {text}")),
            Event::Missed(count) => say(format_args!(
                "flowner: the output was too slow; {} dropped (the totals are complete)",
                present::count(count, "line")
            )),
            _ => return Ok(()),
        }
        self.out.flush()
    }

    /// Open flows without a line, because their owner is not known yet.
    fn remaining(&mut self, report: &Report) -> Result<(), Failure> {
        for flow in report.flows.iter().filter(|flow| flow.ended.is_none()) {
            if !self.written.contains(&flow.id) {
                self.line(flow)?;
            }
        }
        Ok(())
    }

    fn line(&mut self, flow: &FlowRecord) -> Result<(), Failure> {
        if !self.filter.matches(flow) {
            return Ok(());
        }
        if self.written.len() < MAX_WRITTEN && flow.ended.is_none() {
            self.written.insert(flow.id);
        }
        let started = *self.started.get_or_insert(flow.first_seen);
        let remote_owner = match &flow.remote_owner {
            Some(owner) => format!(" -> {}", present::owner(Some(owner))),
            None => String::new(),
        };
        writeln!(
            self.out,
            "{:>9.3}  {}{remote_owner}  {} {} -> {}  {}",
            flow.first_seen.saturating_sub(started).as_secs_f64(),
            present::owner(flow.owner.as_ref()),
            flow.protocol,
            present::endpoint(flow.protocol, flow.local),
            present::endpoint(flow.protocol, flow.remote),
            flow.direction,
        )?;
        Ok(())
    }
}
