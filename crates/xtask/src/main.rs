//! Set-up, run, test and checks of the workspace: `cargo xtask`.
//!
//! Only the standard library (of which `flowner-testing` needs no more), so that it builds in seconds on a machine where
//! nothing is installed yet.

mod accuracy;
mod bench;
mod command;
mod complete;
mod documents;
mod floors;
mod fuzz;
mod imports;
mod platforms;
mod published;
mod repeat;
mod rule;
mod run;
mod screenshots;
mod setup;
mod skipped;
mod start;
mod targets;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use command::Failure;

const HELP: &str = "\
cargo xtask TASK

  setup                    install the system packages that are missing
  run [-- ARGUMENTS]       set up, build, and show who uses the network (or run flowner ARGUMENTS)
  test [--strict] [STEP]   set up, then format, clippy, layout, tests, documentation, packages, or one
                           STEP of them; list what was skipped, which is an error with --strict
  tidy                     the layout rules alone
  map [CRATE]              which folders of a crate import from which, and circles
  check-targets [TARGET]   type-check for Windows, macOS and the BSDs
  bench [ARGUMENTS]        run the benchmarks (of cargo bench ARGUMENTS), with a table at the end
  screenshots              draw the pictures of the README
  accuracy [ARGUMENTS]     how often owners are named, on Linux as root (see accuracy help)
  detect [ARGUMENTS]       situations that monitors get wrong, on Linux as root (see detect help)
  soak [ARGUMENTS]         a mixed load for a long time, on Linux as root (see soak help)
  fuzz [TARGET] [SECONDS]  run the fuzz targets, seeded from the capture files";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&arguments) {
        Ok(code) => code,
        Err(Failure(message)) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[&str]) -> Result<ExitCode, Failure> {
    match arguments {
        ["setup"] => setup::all()?,
        ["run", rest @ ..] => return run::run(rest),
        ["test", rest @ ..] => test::run_steps(rest)?,
        ["tidy"] => tidy::check()?,
        ["map", crates @ ..] => floors::print(crates)?,
        ["check-targets", rest @ ..] => targets::check(rest)?,
        ["bench", rest @ ..] => bench::run(rest)?,
        ["screenshots"] => screenshots::take()?,
        ["accuracy", rest @ ..] => return accuracy::run(rest),
        ["detect", rest @ ..] => return accuracy::detect(rest),
        ["soak", rest @ ..] => return accuracy::soak(rest),
        ["fuzz", rest @ ..] => fuzz::run(rest)?,
        [] | ["help" | "-h" | "--help"] => println!("{HELP}"),
        [task, ..] => {
            let message = format!("no such task, or not with these arguments: {task}\n\n{HELP}");
            return Err(Failure(message));
        }
    }
    Ok(ExitCode::SUCCESS)
}
