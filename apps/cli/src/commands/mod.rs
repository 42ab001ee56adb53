//! One file for each command.

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

/// Runs the command on the command line.
pub(crate) fn run() -> ExitCode {
    // Before the program reads anything that others wrote, including the configuration file.
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
    // With the rights of the user, because `TZ` can name a file.
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
    // The kept privileges are in effect while the command runs, and in all threads that it starts.
    let outcome = match command {
        Command::Read(args) => return with_output(|out| read::run(args, sandbox, out)),
        command => sandbox.keep(&sandbox::needs(command)),
    };
    if let Err(failure) = outcome {
        return failure.report();
    }
    privileges::raised(|| match command {
        Command::Live(args) => live::run(args).unwrap_or_else(|failure| failure.report()),
        // Standard output, which `Out` locks, may be the output of the recording.
        Command::Record(args) => record::run(args).unwrap_or_else(|failure| failure.report()),
        _ => with_output(|out| run_command(command, &chosen, out)),
    })
}

/// Runs a command that writes to standard output.
fn with_output(command: impl FnOnce(&mut Out) -> Outcome) -> ExitCode {
    let mut out = Out::new();
    let outcome = command(&mut out);
    let outcome = outcome.and_then(|code| out.flush().map(|()| code));
    outcome.unwrap_or_else(|failure| {
        let code = failure.report();
        // Output that is not written by now cannot be written.
        out.discard();
        code
    })
}

/// The work of a command that reads more than a file or two, including the live view.
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

/// The command line, and whether it had a flag of the live view; or the end of the program.
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

/// Ends with clap's error message, which repeats the arguments. So clap gets masked ones.
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
        // The hidden part was the error.
        _ => {
            say_lines(error.render().to_string().trim_end());
            std::process::exit(error.exit_code())
        }
    }
}

/// A flag of the live view without a command. After a command, it would not be found here.
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

/// The live view if it can be shown. If it was requested and cannot, an error; otherwise the help.
fn without_command(args: &LiveArgs, is_meant: bool, sandbox: Sandbox) -> ExitCode {
    if live::is_possible() || is_meant {
        let kept = sandbox.keep(&sandbox::of_live(args));
        let outcome = kept.and_then(|()| privileges::raised(|| live::run(args)));
        return outcome.unwrap_or_else(|failure| failure.report());
    }
    // As clap does if a command is missing.
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

/// Writes the logs of the libraries to standard error, if `FLOWNER_LOG` asks for it, such as
/// `FLOWNER_LOG=debug`.
fn start_logging() {
    let filter = EnvFilter::builder()
        .with_env_var("FLOWNER_LOG")
        .with_default_directive(tracing_subscriber::filter::LevelFilter::OFF.into())
        .from_env_lossy();
    // Fields contain names that others chose, and a log line must stay one line.
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
