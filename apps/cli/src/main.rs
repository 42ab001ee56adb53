//! `flowner`: which program owns each network flow on this host?

mod args;
mod commands;
mod config;
mod error;
mod limits;
mod live;
mod out;
mod reader;
mod settings;
mod signals;
mod table;
mod version;
mod width;

fn main() -> std::process::ExitCode {
    // The code after this needs much of its stack.
    match limits::check_stack() {
        Ok(()) => commands::run(),
        Err(failure) => failure.report(),
    }
}
