//! Runs tests, and repeats the test files that failed: a busy machine can delay a test of real
//! processes. A file that passes when repeated is listed as flaky. This never repeats a test that
//! found a wrong owner, and repeats none if many files fail.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::thread;

use crate::command::{Failure, cargo, describe, run};
use crate::skipped::Skips;

/// If more test files than this fail, the machine is not the reason.
const MAX_REPEATED: usize = 3;
/// How often in a row a repeated test file must pass.
const PASSES: usize = 2;
/// The reason for which the final list names such a test file, after `skipped: `.
pub(crate) const FLAKY: &str =
    "nothing, but flaky: these failed once, and passed twice when repeated";
/// The text that cargo prints before the arguments that run one test file.
const TO_REPEAT: &str = "error: test failed, to rerun pass `";

/// Runs `cargo test` with these arguments. Returns the test files that failed at first and then
/// passed.
pub(crate) fn test(arguments: &[&str], skips: &Skips) -> Result<Vec<String>, Failure> {
    let mut tests = cargo(&["test", "--no-fail-fast", "--locked"]);
    let seen = watch(skips.of_tests(tests.args(arguments)))?;
    if seen.is_success {
        return Ok(Vec::new());
    }
    let failed = seen.failed();
    if let Some(why) = why_not_repeated(&seen, &failed) {
        return Err(Failure(format!("`{}` failed: {why}", describe(&tests))));
    }
    for selection in &failed {
        println!("\nto repeat {PASSES} times, since it failed: {selection}");
        for _ in 0..PASSES {
            let mut again = cargo(&["test", "--locked"]);
            again.args(selection.split_whitespace());
            run(skips.of_tests(&mut again))?;
        }
    }
    Ok(failed)
}

fn why_not_repeated(seen: &Seen, failed: &[String]) -> Option<String> {
    if seen
        .lines
        .iter()
        .any(|line| line.contains(flowner_testing::WRONG_OWNER))
    {
        return Some("a test saw a wrong owner".to_owned());
    }
    match failed.len() {
        // No test failed: the code did not compile.
        0 => Some("see above".to_owned()),
        1..=MAX_REPEATED => None,
        count => Some(format!("tests failed in {count} files")),
    }
}

/// The lines of cargo and the tests that this needs.
#[derive(Debug, Default)]
struct Seen {
    is_success: bool,
    lines: Vec<String>,
}

impl Seen {
    /// The arguments that run the failed test files, each once.
    fn failed(&self) -> Vec<String> {
        let mut failed: Vec<String> = Vec::new();
        for line in &self.lines {
            if let Some(rest) = line.strip_prefix(TO_REPEAT)
                && let Some(selection) = rest.strip_suffix('`')
                && !failed.iter().any(|it| it == selection)
            {
                failed.push(selection.to_owned());
            }
        }
        failed
    }
}

/// Runs a command, passes on its output, and keeps the lines that this needs.
fn watch(command: &mut Command) -> Result<Seen, Failure> {
    let text = describe(command);
    println!("$ {text}");
    let failure = |error| Failure(format!("`{text}` could not be run: {error}"));
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failure)?;
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    let errors = thread::spawn(move || pass_on(errors, std::io::stderr()));
    let mut lines = pass_on(output, std::io::stdout());
    lines.extend(errors.join().unwrap_or_default());
    let status = child.wait().map_err(failure)?;
    Ok(Seen {
        is_success: status.success(),
        lines,
    })
}

fn pass_on(from: Option<impl Read>, mut to: impl Write) -> Vec<String> {
    let mut kept = Vec::new();
    let mut from = from.map(BufReader::new);
    let mut line = Vec::new();
    while let Some(from) = &mut from {
        line.clear();
        if !matches!(from.read_until(b'\n', &mut line), Ok(1..)) {
            break;
        }
        let _best_effort = to.write_all(&line).and_then(|()| to.flush());
        let text = String::from_utf8_lossy(&line);
        if text.starts_with(TO_REPEAT) || text.contains(flowner_testing::WRONG_OWNER) {
            kept.push(text.trim_end().to_owned());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(lines: &[&str]) -> Seen {
        Seen {
            is_success: false,
            lines: lines.iter().map(|&line| line.to_owned()).collect(),
        }
    }

    #[test]
    fn files_of_tests_are_named_once_as_cargo_names_them() {
        let line = format!("{TO_REPEAT}-p flowner --test record`");
        let seen = seen(&[&line, "error: 1 target failed:", &line]);
        let failed = seen.failed();
        assert_eq!(failed, ["-p flowner --test record"]);
        assert_eq!(why_not_repeated(&seen, &failed), None);
    }

    #[test]
    fn what_a_busy_machine_does_not_explain_is_not_repeated() {
        let lines: Vec<_> = (0..4)
            .map(|n| format!("{TO_REPEAT}-p x --test t{n}`"))
            .collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let many = seen(&lines);
        assert!(why_not_repeated(&many, &many.failed()).is_some());
        let few = seen(&lines[..3]);
        assert_eq!(why_not_repeated(&few, &few.failed()), None);
        let none = seen(&["error: could not compile"]);
        assert!(why_not_repeated(&none, &none.failed()).is_some());
        let message = format!("{}: 17 for 18", flowner_testing::WRONG_OWNER);
        let wrong = seen(&[lines[0], &message]);
        assert!(why_not_repeated(&wrong, &wrong.failed()).is_some());
    }

    #[test]
    fn what_a_command_prints_is_passed_on_and_what_matters_is_kept() {
        let text = format!(
            "a\n{TO_REPEAT}-p x`\n\u{fffd} {}",
            flowner_testing::WRONG_OWNER
        );
        let mut passed = Vec::new();
        let kept = pass_on(Some(text.as_bytes()), &mut passed);
        assert_eq!(passed, text.as_bytes());
        assert_eq!(kept, text.lines().skip(1).collect::<Vec<_>>());
    }
}
