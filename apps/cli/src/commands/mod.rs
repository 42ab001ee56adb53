//! One file a command.

mod devices;
mod doctor;
mod read;
mod report;
mod sockets;
mod watch;
mod who;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use tracing_subscriber::EnvFilter;

use crate::args::{Cli, Command, LiveArgs};
use crate::error::{ERROR, Outcome, say};
use crate::live;
use crate::out::Out;

/// Runs what was typed.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    start_logging();
    let Some(command) = &cli.command else {
        return without_command(&cli.live);
    };
    let mut out = Out::new();
    let outcome = run_command(command, &mut out);
    let outcome = outcome.and_then(|code| out.flush().map(|()| code));
    outcome.unwrap_or_else(|failure| {
        let code = failure.report();
        // What was not written by now cannot be.
        out.discard();
        code
    })
}

/// The live view where it can be shown, else what could be typed.
fn without_command(args: &LiveArgs) -> ExitCode {
    if live::is_possible() {
        return live::run(args).unwrap_or_else(|failure| failure.report());
    }
    // As clap does where a command is missing.
    say(Cli::command().render_help());
    ExitCode::from(ERROR)
}

fn run_command(command: &Command, out: &mut Out) -> Outcome {
    match command {
        Command::Live(args) => live::run(args),
        Command::Watch(args) => watch::run(args, out),
        Command::Read(args) => read::run(args, out),
        Command::Sockets(args) => sockets::run(args, out),
        Command::Who(args) => who::run(args, out),
        Command::Devices(args) => devices::run(args, out),
        Command::Doctor(args) => doctor::run(args, out),
    }
}

/// What the libraries have to say goes to standard error, if `FLOWNER_LOG` asks
/// for it, such as `FLOWNER_LOG=debug`.
fn start_logging() {
    let filter = EnvFilter::builder()
        .with_env_var("FLOWNER_LOG")
        .with_default_directive(tracing_subscriber::filter::LevelFilter::OFF.into())
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}
