//! `cargo xtask test`: every check of the source.

use std::fmt::Write;
use std::time::Instant;

use crate::command::{Failure, cargo, exists, run};
use crate::{setup, tidy};

type Step = (&'static str, fn() -> Result<(), Failure>);

const STEPS: [Step; 10] = [
    ("set-up", setup::for_tests),
    ("format", || {
        run(&mut cargo(&["fmt", "--all", "--", "--check"]))
    }),
    ("layout", tidy::check),
    ("dependencies", dependencies),
    ("clippy", || {
        run(&mut cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ]))
    }),
    // Benchmarks run once, as tests.
    ("tests", || {
        run(&mut cargo(&[
            "test",
            "--workspace",
            "--all-targets",
            "--locked",
        ]))
    }),
    ("documentation tests", || {
        run(&mut cargo(&["test", "--workspace", "--doc", "--locked"]))
    }),
    ("documentation", || {
        run(cargo(&["doc", "--workspace", "--no-deps", "--locked"])
            .env("RUSTDOCFLAGS", "-D warnings"))
    }),
    ("decoding without libpcap", || {
        run(&mut cargo(&[
            "check",
            "--package",
            "flowner-capture",
            "--no-default-features",
            "--locked",
        ]))
    }),
    ("fuzz targets", || {
        // Nothing is linked, so libFuzzer need not be compiled, which takes a C++
        // compiler: this names one that would be there already.
        run(cargo(&[
            "check",
            "--manifest-path",
            "fuzz/Cargo.toml",
            "--target-dir",
            "target",
            "--locked",
        ])
        .env("CUSTOM_LIBFUZZER_PATH", "/unused/libFuzzer.a"))
    }),
];

/// Licences and sources of what is built in, where cargo-deny is installed: to compile it takes
/// longer than all other steps. Advisories are for CI, since they come from the network.
fn dependencies() -> Result<(), Failure> {
    if !exists("cargo-deny") {
        println!("SKIPPED: cargo-deny is not installed (`cargo install --locked cargo-deny`)");
        return Ok(());
    }
    run(&mut cargo(&[
        "deny", "--locked", "check", "licenses", "bans", "sources",
    ]))
}

/// Runs every step, up to the first that fails.
pub(crate) fn all() -> Result<(), Failure> {
    let mut summary = String::from("\nall steps passed:");
    for (name, step) in STEPS {
        println!("\n== {name}");
        let started = Instant::now();
        step().map_err(|Failure(message)| Failure(format!("{name}: {message}")))?;
        let seconds = started.elapsed().as_secs_f64();
        println!("{name}: {seconds:.1} s");
        let _infallible = write!(summary, "\n{seconds:>8.1} s  {name}");
    }
    println!("{summary}");
    Ok(())
}
