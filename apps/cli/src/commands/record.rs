//! `flowner record`

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use flowner_core::present::{self, printable, printable_path};
use flowner_core::recording::{
    Account, Output, Recording, RecordingConfig, RecordingStats, Rotation,
};
use flowner_core::{EndState, Error, Filter, Monitor, Report};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::RecordArgs;
use crate::config;
use crate::error::{ERROR, Failure, Outcome, say};
use crate::signals::Interrupt;

/// Time between two changes of the status line.
const FRAME: Duration = Duration::from_millis(250);

pub(crate) fn run(args: &RecordArgs) -> Outcome {
    let recording = recording(args)?;
    if recording.output == Output::StandardOutput && io::stdout().is_terminal() {
        let message =
            "packets are no text for a terminal; name a file, or pipe them into a program";
        return Err(Failure::Message(message.to_owned()));
    }
    let interrupt = Interrupt::catch()?;
    let recording = Recording::new(&recording);
    let account = recording.account();
    let monitor = Monitor::builder(&config::of_record(args)).sink(recording);
    let monitor = monitor.start().map_err(failure)?;
    let stop = monitor.stop_handle();
    interrupt.then(move || stop.stop());
    follow(&monitor, &account, args.duration);
    let report = monitor.wait();
    let stats = account.stats();
    if let Some(error) = account.failure() {
        return Ok(tell_failure(&failure(error), &report, &stats));
    }
    tell_losses(&report, &stats);
    match &report.ending {
        EndState::InputFailed(message) => {
            say(format_args!(
                "flowner: the recording ended early: {message}"
            ));
            Ok(ExitCode::from(ERROR))
        }
        EndState::Running | EndState::Complete | EndState::Stopped => Ok(ExitCode::SUCCESS),
    }
}

fn recording(args: &RecordArgs) -> Result<RecordingConfig, Failure> {
    let rotation = Rotation {
        size: args.rotate_size,
        time: args.rotate_time,
        files: args.files,
    };
    let is_standard_output = args.write.as_os_str() == "-";
    let rotates = rotation.size.is_some() || rotation.time.is_some();
    let wrong = match (rotates, rotation.files, is_standard_output) {
        (true, _, true) => Some("standard output cannot be rotated; name a file"),
        (false, Some(_), _) => {
            Some("--files goes with --rotate-size or --rotate-time: there is one file otherwise")
        }
        _ => None,
    };
    if let Some(wrong) = wrong {
        return Err(Failure::Message(wrong.to_owned()));
    }
    let filter = config::filter(args.filter.as_deref())?;
    Ok(RecordingConfig {
        output: if is_standard_output {
            Output::StandardOutput
        } else {
            Output::File(args.write.clone())
        },
        overwrite: args.force,
        rotation,
        filter: match &args.owner_of {
            Some(program) => Filter::of_program(program).and(filter),
            None => filter,
        },
    })
}

fn failure(error: Error) -> Failure {
    match error {
        Error::Exists { path } => Failure::Message(format!(
            "{} exists already; name another file, or write over it with --force",
            printable_path(&path)
        )),
        Error::Unwritable { source, .. } if source.kind() == io::ErrorKind::BrokenPipe => {
            Failure::ClosedPipe
        }
        error => error.into(),
    }
}

/// Reports a failure of the output, and what is missing, unless the reader closed the output.
fn tell_failure(failure: &Failure, report: &Report, stats: &RecordingStats) -> ExitCode {
    let code = failure.report();
    if !matches!(failure, Failure::ClosedPipe) {
        tell_losses(report, stats);
        if stats.written > 0 {
            let packets = present::count(stats.written, "packet");
            say(format_args!("flowner: {packets} recorded before that"));
        }
    }
    code
}

/// Waits until the input ends, or ends it after `duration`. On a terminal, shows the progress.
fn follow(monitor: &Monitor, account: &Account, duration: Option<Duration>) {
    let deadline = duration.and_then(|duration| Instant::now().checked_add(duration));
    let line = io::stderr().is_terminal().then(|| status_line(monitor));
    let mut interruption = None;
    loop {
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        // Without a status line, there is no reason to wake up.
        let frame = if line.is_some() {
            FRAME
        } else {
            Duration::MAX / 2
        };
        let before = interruption.clone();
        let timeout = left.map_or(frame, |left| left.min(frame));
        if monitor.wait_interrupted(&mut interruption, timeout) {
            break;
        }
        if interruption != before {
            let back = "the device is back; recording goes on";
            let text = interruption.as_deref().unwrap_or(back);
            match &line {
                Some(line) => line.println(format!("flowner: {}", present::printable(text))),
                None => say(format_args!("flowner: {}", present::printable(text))),
            }
        }
        if left.is_some_and(|left| left.is_zero()) {
            monitor.stop_handle().stop();
        }
        if let Some(line) = &line {
            line.set_message(status(&account.stats()));
        }
    }
    if let Some(line) = line {
        line.finish_with_message(status(&account.stats()));
    }
}

fn status_line(monitor: &Monitor) -> ProgressBar {
    let input = monitor.input();
    say(format_args!(
        "recording from {} ({}); Ctrl-C ends",
        printable(&input.name),
        input.link_type
    ));
    let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{elapsed_precise}  {msg}") {
        line.set_style(style);
    }
    line
}

/// `1200 packets, 96 % named, 1.1 MB, 3 dropped`
fn status(stats: &RecordingStats) -> String {
    let named = (stats.named * 100).checked_div(stats.written).unwrap_or(0);
    let mut parts = vec![
        present::count(stats.written, "packet"),
        format!("{named} % named"),
        present::bytes(stats.bytes),
    ];
    if stats.files > 1 {
        parts.push(present::count(stats.files, "file"));
    }
    if stats.too_slow + stats.failed > 0 {
        parts.push(format!("{} dropped", stats.too_slow + stats.failed));
    }
    parts.join(", ")
}

/// Reports packets that are missing in the file.
fn tell_losses(report: &Report, stats: &RecordingStats) {
    let kernel = report.capture.map_or(0, |capture| {
        capture.dropped_by_kernel + capture.dropped_by_interface
    });
    for (count, why) in [
        (kernel, "the kernel dropped them"),
        (stats.too_slow, "they could not be written fast enough"),
        (stats.failed, "they could not be written"),
    ] {
        if count > 0 {
            let packets = present::count(count, "packet");
            say(format_args!("flowner: {packets} not recorded: {why}"));
        }
    }
}
