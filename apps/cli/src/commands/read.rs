//! `flowner read`

use std::io::IsTerminal;
use std::time::Duration;

use flowner_core::json::{HeadLine, WarningLine};
use flowner_core::present::printable;
use flowner_core::privileges::Needs;
use flowner_core::{LocalAddressSource, Monitor};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::ReadArgs;
use crate::commands::report;
use crate::commands::sandbox::Sandbox;
use crate::config;
use crate::error::{Outcome, say};
use crate::out::Out;
use crate::signals::Interrupt;

/// How long a file may take before a progress bar appears.
const PATIENCE: Duration = Duration::from_millis(500);
/// Time between two movements of the bar.
const FRAME: Duration = Duration::from_millis(100);

pub(crate) fn run(args: &ReadArgs, sandbox: Sandbox, out: &mut Out) -> Outcome {
    let filter = config::filter(args.flows.filter.as_deref())?;
    let config = config::of_read(args, &filter);
    // This opens the file. What is in it is read without privileges.
    let open = sandbox.with_rights_of_root(|| Monitor::builder(&config).open());
    sandbox.keep(&Needs::nothing())?;
    // This may wait for standard input: until then, any signal ends the program.
    let monitor = open?.start()?;
    let stop = monitor.stop_handle();
    Interrupt::catch()?.then(move || stop.stop());
    show_progress(&monitor);
    let report = monitor.wait();
    report_inferred_addresses(&report.local_addresses);
    if let Some(warning) = &report.warning {
        say(format_args!("flowner: {}", printable(warning)));
    }
    if args.csv {
        return report::write_csv(&report, args.by, &args.flows, &filter, out);
    }
    if args.flows.json {
        out.json(&HeadLine::read(&report.input).with_local(&report.local_addresses))?;
        if let Some(warning) = &report.warning {
            out.json(&WarningLine::new(warning))?;
        }
    }
    report::write(&report, args.by, &args.flows, &filter, 0, out)
}

/// Directions and remote ends depend on it, so a message has the inferred addresses.
fn report_inferred_addresses(source: &LocalAddressSource) {
    if let LocalAddressSource::Inferred(addresses) = source {
        let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        say(format_args!(
            "flowner: taking {} for the host that captured, as an end of most flows; --local says \
             otherwise, --local none counts no address",
            addresses.join(" and ")
        ));
    }
}

/// Shows the progress of reading a file, if that takes long and a person is watching.
fn show_progress(monitor: &Monitor) {
    if monitor.wait_ended(PATIENCE) || !std::io::stderr().is_terminal() {
        return;
    }
    let Some((_, size)) = monitor.progress() else {
        return;
    };
    let bar = ProgressBar::with_draw_target(Some(size), ProgressDrawTarget::stderr());
    let template = "{bar:40} {percent:>3} %  {bytes}/{total_bytes}  {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    while !monitor.wait_ended(FRAME) {
        if let Some((done, _)) = monitor.progress() {
            bar.set_position(done);
        }
    }
    bar.finish_and_clear();
}
