//! What it costs to name owners: processor time, memory, and what is done while nothing
//! happens.
#![allow(clippy::print_stdout, reason = "what it finds is its output")]

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod platform;

use std::process::ExitCode;

fn main() -> ExitCode {
    flowner_benches::load::serve_if_asked();
    match platform::main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cost: {error}");
            ExitCode::from(2)
        }
    }
}
