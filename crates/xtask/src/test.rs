//! `cargo xtask test`: runs every check of the source, then lists skipped and flaky tests.

use std::fmt::Write;
use std::time::Instant;

use crate::command::{Failure, cargo, exists, run};
use crate::skipped::{self, Skips};
use crate::{published, repeat, setup, tidy};

type Step = (&'static str, fn(&Skips) -> Result<(), Failure>);

const STEPS: [Step; 12] = [
    ("set-up", |_| setup::for_tests()),
    ("format", |_| {
        run(&mut cargo(&["fmt", "--all", "--", "--check"]))
    }),
    ("layout", |_| tidy::check()),
    ("dependencies", dependencies),
    ("clippy", |_| {
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
    ("tests", |skips| {
        for flaky in repeat::test(&["--workspace", "--all-targets"], skips)? {
            skips.add(&flaky, repeat::FLAKY)?;
        }
        Ok(())
    }),
    ("documentation tests", |skips| {
        let mut tests = cargo(&["test", "--workspace", "--doc", "--locked"]);
        run(skips.of_tests(&mut tests))
    }),
    ("documentation", |_| {
        run(cargo(&["doc", "--workspace", "--no-deps", "--locked"])
            .env("RUSTDOCFLAGS", "-D warnings"))
    }),
    ("packages", published::publish_on_trial),
    ("decoding without libpcap", |_| {
        run(&mut cargo(&[
            "check",
            "--package",
            "flowner-capture",
            "--no-default-features",
            "--locked",
        ]))
    }),
    // In the workspace, other crates turn its features on.
    ("attribution by itself", |_| {
        run(&mut cargo(&[
            "clippy",
            "--package",
            "flowner-attribution",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ]))
    }),
    ("fuzz targets", |_| {
        // The check links nothing, so it need not compile libFuzzer, which takes a C++ compiler:
        // this names a library as if it were there already.
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

/// Checks the licences and sources of dependencies where cargo-deny is installed: to compile
/// cargo-deny takes longer than all other steps. CI checks advisories, since they need the network.
fn dependencies(skips: &Skips) -> Result<(), Failure> {
    if !exists("cargo-deny") {
        let reason = "cargo-deny is not installed (`cargo install --locked cargo-deny`)";
        return skips.add("xtask test::dependencies", reason);
    }
    run(&mut cargo(&[
        "deny", "--locked", "check", "licenses", "bans", "sources",
    ]))
}

/// Runs every step, or the one with this name, up to the first that fails. Then lists the skipped
/// tests. With `--strict` a skip is an error.
pub(crate) fn run_steps(arguments: &[&str]) -> Result<(), Failure> {
    let (is_strict, name) = parse(arguments)?;
    let skips = Skips::new()?;
    let mut summary = String::new();
    let chosen = STEPS
        .iter()
        .filter(|step| name.is_none_or(|it| it == step.0));
    let result = chosen.copied().try_for_each(|(name, step)| {
        println!("\n== {name}");
        let started = Instant::now();
        step(&skips).map_err(|Failure(message)| Failure(format!("{name}: {message}")))?;
        let seconds = started.elapsed().as_secs_f64();
        println!("{name}: {seconds:.1} s");
        let _infallible = write!(summary, "\n{seconds:>8.1} s  {name}");
        Ok(())
    });
    // It lists them also if a test fails: a skipped test may show why.
    let all = skips.all()?;
    print!("{}", skipped::list(&all));
    result?;
    println!("\nall steps passed:{summary}");
    match all.len() {
        0 => println!("\nnothing was skipped"),
        count if is_strict => {
            return Err(Failure(format!(
                "--strict: {count} skipped or flaky, listed above"
            )));
        }
        count => println!("\n{count} skipped or flaky, listed above"),
    }
    Ok(())
}

fn parse<'a>(arguments: &[&'a str]) -> Result<(bool, Option<&'a str>), Failure> {
    let (flags, names): (Vec<&str>, Vec<&str>) =
        arguments.iter().partition(|word| word.starts_with("--"));
    if let Some(wrong) = flags.iter().find(|flag| **flag != "--strict") {
        return Err(Failure(format!("`{wrong}` is not an option of this task")));
    }
    let name = match names[..] {
        [] => None,
        [name] if STEPS.iter().any(|step| step.0 == name) => Some(name),
        _ => {
            let known: Vec<&str> = STEPS.iter().map(|step| step.0).collect();
            let known = known.join("`, `");
            return Err(Failure(format!("choose one step, of `{known}`, or none")));
        }
    };
    Ok((!flags.is_empty(), name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_and_an_option_are_understood() {
        assert_eq!(parse(&[]).unwrap(), (false, None));
        assert_eq!(parse(&["--strict"]).unwrap(), (true, None));
        let both = ["documentation tests", "--strict"];
        assert_eq!(parse(&both).unwrap(), (true, Some("documentation tests")));
        for wrong in [&["--sloppy"][..], &["nothing"], &["tests", "clippy"]] {
            parse(wrong).unwrap_err();
        }
    }
}
