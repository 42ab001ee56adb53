//! What names cost: `names read FILE [ROUNDS]` reads a capture file with and without them, by turns;
//! `names live [ROUNDS]` captures 100,000 packets a second, also with fewer bytes copied (Linux, as root);
//! `names memory [ANSWERS]` puts many answers into a table and says how much memory the process has.

mod live;
mod memory;
mod read;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse().ok();
    let done = match words[..] {
        ["read", file] => read::compare(file, 9),
        ["read", file, rounds] => number(rounds).and_then(|rounds| read::compare(file, rounds)),
        ["live"] => live::compare(5),
        ["live", rounds] => number(rounds).and_then(live::compare),
        ["send"] => live::send(),
        ["memory"] => memory::fill(10_000_000),
        ["memory", answers] => number(answers).and_then(memory::fill),
        _ => None,
    };
    if done.is_none() {
        eprintln!("names read FILE [ROUNDS] | live [ROUNDS] | memory [ANSWERS]");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
