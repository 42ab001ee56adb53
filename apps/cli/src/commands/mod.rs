//! One file a command.

mod devices;
mod doctor;
mod read;
mod report;
mod sockets;
mod watch;
mod who;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::args::{Cli, Command};
use crate::out::Out;

/// Runs what was typed.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    start_logging();
    let mut out = Out::new();
    let outcome = match &cli.command {
        Command::Watch(args) => watch::run(args, &mut out),
        Command::Read(args) => read::run(args, &mut out),
        Command::Sockets(args) => sockets::run(args, &mut out),
        Command::Who(args) => who::run(args, &mut out),
        Command::Devices(args) => devices::run(args, &mut out),
        Command::Doctor(args) => doctor::run(args, &mut out),
    };
    let outcome = outcome.and_then(|code| out.flush().map(|()| code));
    outcome.unwrap_or_else(|failure| {
        let code = failure.report();
        // What was not written by now cannot be.
        out.discard();
        code
    })
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
