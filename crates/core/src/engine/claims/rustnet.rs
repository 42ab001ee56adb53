//! The comment of rustnet (`src/app/pcapng_export.rs` of its source): `rustnet` and then words of
//! `key=value`, in which it writes `_` for spaces.

use std::sync::Arc;

use flowner_attribution::{Process, Unit, UnitKind, User, Verdict};

use super::{Refused, checked};

const PREFIX: &str = "rustnet ";
/// The marker of an owner that rustnet guessed by the local port alone.
const GUESS: &str = "procfs-relaxed";

/// Whether a comment may be one of these.
pub(in super::super) fn is_claim(comment: &str) -> bool {
    comment.starts_with(PREFIX)
}

/// The owner in a comment; `None` if it names none, or guesses.
pub(in super::super) fn read(comment: &str) -> Result<Option<Verdict>, Refused> {
    let Some(words) = comment.strip_prefix(PREFIX) else {
        return Ok(None);
    };
    let value = |key: &str| {
        let mut words = words.split(' ').filter_map(|word| word.split_once('='));
        let (_, value) = words.find(|(other, _)| *other == key)?;
        (!value.is_empty()).then_some(value)
    };
    if value("attr") == Some(GUESS) {
        return Ok(None);
    }
    let Some(pid) = value("pid") else {
        return Ok(None);
    };
    let number = |key| value(key).and_then(|value| value.parse::<u32>().ok());
    let pid = pid.parse().map_err(|_| Refused)?;
    let mut process = Process::new(pid, value("process").unwrap_or_default());
    process.parent = number("ppid");
    process.user = number("uid").map(|uid| User::new(uid, None));
    let parts = [value("ns"), value("pod"), value("container")];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if !parts.is_empty() {
        process.unit = Some(Unit::new(UnitKind::Container, parts.join("/")));
    }
    Ok(Some(Verdict::Process(Arc::new(checked(process)?))))
}
