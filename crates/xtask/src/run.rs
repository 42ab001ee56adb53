//! `cargo xtask run`: sets up, builds and starts Flowner from a fresh clone.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::command::{Failure, cargo, describe, exists, root, run as run_command};
use crate::setup;
use crate::start::start;

/// Sets up, builds and starts `flowner` with these arguments; without any, the live view on a
/// terminal, and `flowner watch` elsewhere.
///
/// If this user may not capture, it starts that command through sudo, or shows sockets.
pub(crate) fn run(arguments: &[&str]) -> Result<ExitCode, Failure> {
    setup::all()?;
    run_command(&mut cargo(&["build", "--release", "--package", "flowner"]))?;
    let program = program();
    let is_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let arguments = main_job(arguments, is_terminal);
    let mut direct = Command::new(&program);
    direct.args(arguments);
    let captures = matches!(arguments.first(), Some(&"live" | &"watch"));
    if !captures || setup::may_capture(&program) {
        return start(&mut direct);
    }
    let mut privileged = Command::new("sudo");
    privileged.arg(&program).args(arguments);
    if exists("sudo") && !setup::is_root() && is_terminal {
        println!("capturing needs a privilege: sudo may ask for your password");
        // sudo asks first, so that a user who declines still gets what needs no privilege.
        if run_command(Command::new("sudo").arg("--validate")).is_ok() {
            return start(&mut privileged);
        }
    }
    println!("no privilege to capture: these are the owners of all sockets, kept up to date");
    println!("{}", setup::capture_advice(&describe(&privileged)));
    if is_terminal {
        return start(Command::new(&program).args(["live", "--sockets"]));
    }
    start(Command::new(&program).args(["sockets", "--watch"]))
}

/// The arguments for `flowner`. Cargo passes on the `--` before them.
fn main_job<'a>(arguments: &'a [&'a str], is_terminal: bool) -> &'a [&'a str] {
    match arguments {
        [] | ["--"] if is_terminal => &["live"],
        [] | ["--"] => &["watch"],
        ["--", rest @ ..] | rest => rest,
    }
}

fn program() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target
        .join("release")
        .join(format!("flowner{}", std::env::consts::EXE_SUFFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_job_is_to_show_who_uses_the_network() {
        assert_eq!(main_job(&[], true), ["live"]);
        assert_eq!(main_job(&["--"], false), ["watch"]);
        assert_eq!(main_job(&["--", "who", "443"], true), ["who", "443"]);
        assert_eq!(
            main_job(&["sockets", "--json"], true),
            ["sockets", "--json"]
        );
    }
}
