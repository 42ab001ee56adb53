//! `flowner`: which program owns each network flow on this host?

mod args;
mod commands;
mod config;
mod error;
mod format;
mod limits;
mod live;
mod out;
mod reader;
mod settings;
mod signals;
mod table;
mod version;

fn main() -> std::process::ExitCode {
    commands::run()
}
