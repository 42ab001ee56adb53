//! The claims of a file, for the fuzz target `comment` and for a property test.

use std::time::SystemTime;

use super::{is_claim, read, write};
use crate::model::text::is_hidden;

/// The highest valid pid.
const MAX_PID: u32 = 4_194_304;
/// The number of processes that a parsed comment may name, and that one of ours names.
const MAX_CLAIMED: usize = 64;
const MAX_WRITTEN: usize = 8;

/// See [`crate::fuzzing::comment`], where that is built.
pub(crate) fn comment(text: &str) {
    let time = SystemTime::UNIX_EPOCH;
    let Some((end, claimed)) = read(text, time) else {
        return;
    };
    assert!(is_claim(text));
    let processes = claimed.verdict.processes();
    assert!(processes.len() <= MAX_CLAIMED);
    assert!(processes.iter().all(|it| (1..=MAX_PID).contains(&it.pid)));
    let count = processes.len();
    let written = write(end, &claimed.clone().into(), None);
    assert!(!written.chars().any(is_hidden), "{written}");
    assert!(is_claim(&written));
    if count > MAX_WRITTEN {
        return;
    }
    let again = read(&written, time);
    let (same_end, again) = again.unwrap_or_else(|| panic!("{written} is refused"));
    assert_eq!(same_end, end);
    assert_eq!(again.verdict.name(), claimed.verdict.name());
    let pids = |it: &flowner_attribution::Verdict| -> Vec<u32> {
        it.processes().iter().map(|process| process.pid).collect()
    };
    assert_eq!(pids(&again.verdict), pids(&claimed.verdict));
    assert_eq!(write(end, &again.into(), None), written);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A word of a comment, or something else.
    fn word() -> impl Strategy<Value = String> {
        let keys = [
            "program",
            "pid",
            "process",
            "user",
            "uid",
            "started",
            "unit",
            "service",
            "container",
            "verdict",
            "reason",
            "match",
            "namespace",
            "namespace-name",
            "end",
            "more",
            "x",
        ];
        let values = [
            "1",
            "0",
            "4194304",
            "4194305",
            "source",
            "destination",
            "process",
            "shared",
            "partial",
            "unknown",
            "gone",
            "five-tuple",
            "\"a b\"",
            "\"\\u{1b}\"",
            "\"",
            "2026-01-01T00:00:00Z",
            "",
        ];
        let pair = (0..keys.len(), 0..values.len())
            .prop_map(move |(key, value)| format!("{}={}", keys[key], values[value]));
        prop_oneof![8 => pair, 1 => any::<String>()]
    }

    proptest! {
        #[test]
        fn any_comment(words in proptest::collection::vec(word(), 0..12)) {
            comment(&format!("flowner: {}", words.join(" ")));
        }

        #[test]
        fn any_text(text in any::<String>()) {
            comment(&text);
        }
    }
}
