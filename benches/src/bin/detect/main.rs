//! Situations that monitors of the network get wrong: which of them the command line program
//! names, and whether it counts their bytes.
#![allow(clippy::print_stdout, reason = "what it finds is its output")]

#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod platform;

use std::process::ExitCode;

fn main() -> ExitCode {
    match platform::main() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("detect: {error}");
            ExitCode::from(2)
        }
    }
}
