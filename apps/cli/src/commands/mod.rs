//! One file a command.

mod about;
mod devices;
mod doctor;
mod left_out;
mod names;
mod order;
mod read;
mod record;
mod report;
mod sandbox;
mod sockets;
mod watch;
mod who;

use std::borrow::Cow;
use std::ffi::OsString;
use std::process::ExitCode;

use anstream::ColorChoice;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Id};
use flowner_core::present;
use flowner_core::privileges::{self, Privileges};
use flowner_core::text::{mask, mask_os};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format;

use crate::args::{Cli, Colour, Command, CommonArgs, LiveArgs};
use crate::commands::sandbox::Sandbox;
use crate::error::{ERROR, Failure, Outcome, say_lines};
use crate::limits::{self, Work};
use crate::live;
use crate::out::Out;
use crate::settings::{self, Chosen};
use crate::signals;

/// Runs what was typed.
pub(crate) fn run() -> ExitCode {
    // Before anything is read that others wrote, the configuration file included.
    let privileges = match Privileges::set_aside() {
        Ok(privileges) => privileges,
        Err(error) => return Failure::from(error).report(),
    };
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let chosen = match settings::choose(&arguments, &Cli::command()) {
        Ok(chosen) => chosen,
        Err(failure) => return failure.report(),
    };
    let program = chosen.settings.apply(Cli::command());
    let (cli, live_flag) = parse(program, &arguments);
    colours(cli.common.color);
    start_logging();
    // As the user may: `TZ` can name a file.
    present::load_time_zone();
    signals::tell_limits();
    if let Some(work) = work(&cli)
        && let Err(failure) = limits::check(work)
    {
        return failure.report();
    }
    let sandbox = Sandbox::new(privileges, cli.common.no_sandbox);
    let Some(command) = &cli.command else {
        return without_command(&cli.live, live_flag, sandbox);
    };
    // What stays is in effect while the command runs, and in all threads that it starts.
    let outcome = match command {
        Command::Read(args) => return with_output(|out| read::run(args, sandbox, out)),
        command => sandbox.keep(&sandbox::needs(command)),
    };
    if let Err(failure) = outcome {
        return failure.report();
    }
    privileges::raised(|| match command {
        Command::Live(args) => live::run(args).unwrap_or_else(|failure| failure.report()),
        // Standard output, which `Out` takes for itself, may be what is recorded to.
        Command::Record(args) => record::run(args).unwrap_or_else(|failure| failure.report()),
        _ => with_output(|out| run_command(command, &chosen, out)),
    })
}

/// Runs what writes to standard output.
fn with_output(command: impl FnOnce(&mut Out) -> Outcome) -> ExitCode {
    let mut out = Out::new();
    let outcome = command(&mut out);
    let outcome = outcome.and_then(|code| out.flush().map(|()| code));
    outcome.unwrap_or_else(|failure| {
        let code = failure.report();
        // What was not written by now cannot be.
        out.discard();
        code
    })
}

/// What a command does that looks at more than a file or two: the live view does, too.
const fn work(cli: &Cli) -> Option<Work> {
    match &cli.command {
        Some(
            Command::Config(_) | Command::Completions(_) | Command::Man(_) | Command::Devices(_),
        ) => None,
        Some(Command::Read(_)) => Some(Work::Reads),
        Some(Command::Sockets(_) | Command::Who(_) | Command::Doctor(_)) => Some(Work::Asks),
        Some(Command::Watch(_) | Command::Record(_)) => Some(Work::Captures),
        Some(Command::Live(args)) => Some(of_live(args)),
        None => Some(of_live(&cli.live)),
    }
}

const fn of_live(args: &LiveArgs) -> Work {
    if args.sockets {
        Work::Asks
    } else {
        Work::Captures
    }
}

/// What was typed, and whether a flag of the live view was among it; or the end of it.
fn parse(program: clap::Command, arguments: &[OsString]) -> (Cli, bool) {
    let usage = program.clone();
    let typed = program.try_get_matches_from(arguments);
    let typed = typed.and_then(|it| Ok((Cli::from_arg_matches(&it)?, it)));
    let (cli, matches) = typed.unwrap_or_else(|error| fail(&error, usage.clone(), arguments));
    let live_flag = live_flag(&matches);
    if let Some((name, flag)) = matches.subcommand_name().zip(live_flag) {
        let message = format!("--{flag} stands behind the command: flowner {name} --{flag}\n");
        clap::Error::raw(ErrorKind::ArgumentConflict, message)
            .with_cmd(&usage)
            .exit();
    }
    let has_live_flag = live_flag.is_some();
    (cli, has_live_flag)
}

/// Ends with what clap says of the arguments, which it repeats as they were typed: so it is given
/// those that may be shown.
fn fail(error: &clap::Error, program: clap::Command, arguments: &[OsString]) -> ! {
    let shown: Vec<_> = arguments.iter().map(|it| mask_os(it)).collect();
    if shown.iter().all(|it| matches!(it, Cow::Borrowed(_))) {
        error.exit();
    }
    let shown = shown.iter().map(AsRef::as_ref);
    let masked = program.try_get_matches_from(shown);
    let masked = masked.and_then(|matches| Cli::from_arg_matches(&matches));
    match masked.err() {
        Some(masked) if masked.kind() == error.kind() => masked.exit(),
        // It was what is not shown that was wrong.
        _ => {
            say_lines(error.render().to_string().trim_end());
            std::process::exit(error.exit_code())
        }
    }
}

/// A flag of the live view that was typed, not behind a command: there, it would not be seen.
fn live_flag(matches: &ArgMatches) -> Option<&str> {
    let common = CommonArgs::augment_args(clap::Command::new("common"));
    let is_common = |id: &str| common.get_arguments().any(|flag| flag.get_id() == id);
    let mut typed = matches.ids().map(Id::as_str).filter(|id| {
        // Groups are among the ids, too, and have no source of their own.
        let is_group = ["LiveArgs", "CaptureArgs"].contains(id);
        let is_flag = matches.try_contains_id(id).is_ok() && !is_group;
        is_flag && matches.value_source(id) == Some(ValueSource::CommandLine)
    });
    typed.find(|id| !is_common(id) && *id != "CommonArgs")
}

fn colours(when: Colour) {
    match when {
        Colour::Auto => {}
        Colour::Always => ColorChoice::AlwaysAnsi.write_global(),
        Colour::Never => ColorChoice::Never.write_global(),
    }
}

/// The live view where it can be shown, or was meant, which is an error that says so; else what
/// could be typed.
fn without_command(args: &LiveArgs, is_meant: bool, sandbox: Sandbox) -> ExitCode {
    if live::is_possible() || is_meant {
        let kept = sandbox.keep(&sandbox::of_live(args));
        let outcome = kept.and_then(|()| privileges::raised(|| live::run(args)));
        return outcome.unwrap_or_else(|failure| failure.report());
    }
    // As clap does where a command is missing.
    say_lines(Cli::command().render_help());
    ExitCode::from(ERROR)
}

fn run_command(command: &Command, chosen: &Chosen, out: &mut Out) -> Outcome {
    match command {
        Command::Watch(args) => watch::run(args, out),
        Command::Sockets(args) => sockets::run(args, out),
        Command::Who(args) => who::run(args, out),
        Command::Devices(args) => devices::run(args, out),
        Command::Doctor(args) => doctor::run(args, chosen, out),
        Command::Config(args) => about::config(args, chosen, out),
        Command::Completions(args) => about::completions(args, Cli::command(), out),
        Command::Man(args) => about::man(args, Cli::command(), out),
        Command::Live(_) | Command::Record(_) | Command::Read(_) => {
            unreachable!("they have run already")
        }
    }
}

/// What the libraries have to say goes to standard error, if `FLOWNER_LOG` asks
/// for it, such as `FLOWNER_LOG=debug`.
fn start_logging() {
    let filter = EnvFilter::builder()
        .with_env_var("FLOWNER_LOG")
        .with_default_directive(tracing_subscriber::filter::LevelFilter::OFF.into())
        .from_env_lossy();
    // Fields have names in them that others chose, and a line is one line.
    let fields = format::debug_fn(|writer, field, value| {
        let value = format!("{value:?}");
        match field.name() {
            "message" => write!(writer, "{}", mask(&value)),
            name => write!(writer, "{name}={}", mask(&value)),
        }
    });
    tracing_subscriber::fmt()
        .fmt_fields(fields.delimited(" "))
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}
