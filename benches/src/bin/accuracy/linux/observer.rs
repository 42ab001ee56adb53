//! The process that observes: the whole pipeline, with one socket table.

use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use flowner_attribution::snapshot::linux::{LinuxOptions, LinuxTable};
use flowner_attribution::snapshot::portable::PortableTable;
use flowner_attribution::{Attributor, Ownership, Verdict};
use flowner_core::{Config, FlowRecord, Input, Limits, Live, Monitor, Report};

use super::Result;
use super::other_program::{OTHER_PROGRAM, OTHER_SUFFIX};

/// How long owners that are still looked for are waited for at the end.
const PATIENCE: Duration = Duration::from_secs(3);

/// Observes a device until it reads a line, then prints its findings.
pub(crate) fn run(table: &str, device: &str) -> Result<()> {
    let config = Config {
        input: Input::Device(device.to_owned()),
        limits: Limits {
            events: 0,
            ..Limits::default()
        },
        // What a bridge passes from one port to another.
        live: Live {
            promiscuous: true,
            ..Live::default()
        },
        ..Config::default()
    };
    let attributor = attributor(table)?;
    let monitor = Monitor::builder(&config).attributor(attributor).start()?;
    println!("ready");
    io::stdin().lock().read_line(&mut String::new())?;
    let deadline = Instant::now() + PATIENCE;
    let is_waiting = |report: &Report| report.flows.iter().any(|flow| flow.is_waiting);
    while is_waiting(&monitor.report()) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    let report = monitor.stop();
    let mut out = io::stdout().lock();
    for flow in &report.flows {
        write_flow(&mut out, flow)?;
    }
    writeln!(out, "done")?;
    Ok(())
}

fn attributor(table: &str) -> Result<Attributor> {
    // As the apps have it.
    let mut options = LinuxOptions::default();
    options.realtime = true;
    match table {
        "portable" => return Ok(Attributor::with_table(PortableTable::new()?)),
        "native" => {}
        "no-sock-diag" => options.sock_diag = false,
        "no-counts" => options.descriptor_counts = false,
        other => return Err(format!("no such table: {other}").into()),
    }
    Ok(Attributor::with_table(LinuxTable::with_options(&options)?))
}

fn write_flow(out: &mut impl Write, flow: &FlowRecord) -> io::Result<()> {
    // The id is that of the end that asks, which is the local one where both are.
    let mut local = flow.local;
    local.set_port(flow.icmp_id.unwrap_or(local.port()));
    writeln!(
        out,
        "flow {} {} {} {} {} {} {}",
        flow.protocol,
        local,
        flow.remote,
        answer(flow.owner.as_ref()),
        answer(flow.remote_owner.as_ref()),
        flow.sent.payload_bytes,
        flow.received.payload_bytes,
    )
}

fn answer(owner: Option<&Ownership>) -> String {
    let Some(owner) = owner else {
        return "unknown:nobody-asked".to_owned();
    };
    match &owner.verdict {
        Verdict::Partial { user, .. } => {
            let uid = user.as_ref().map(|user| user.id.to_string());
            format!("partial:{}", uid.unwrap_or_default())
        }
        Verdict::Unknown(reason) => format!("unknown:{}", reason.name()),
        named => {
            let pids = named.processes().iter().map(|process| {
                let is_other = |path: &PathBuf| path.to_string_lossy().ends_with(OTHER_SUFFIX);
                let is_other = process.path.as_ref().is_some_and(is_other);
                let number = process.pid + if is_other { OTHER_PROGRAM } else { 0 };
                number.to_string()
            });
            format!("named:{}", pids.collect::<Vec<_>>().join(","))
        }
    }
}
