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
    // What follows has much on its stack already.
    match limits::check_stack() {
        Ok(()) => commands::run(),
        Err(failure) => failure.report(),
    }
}
