//! How often owners are named, and whether ever wrongly: real processes that write down
//! what is true, and the whole pipeline that has to find it out.
#![allow(clippy::print_stdout, reason = "what it finds is its output")]

#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod platform;

use std::process::ExitCode;

fn main() -> ExitCode {
    flowner_benches::load::serve_if_asked();
    match platform::main() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("accuracy: {error}");
            ExitCode::from(2)
        }
    }
}
