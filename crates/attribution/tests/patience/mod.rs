//! Fast lookups on a busy machine, where one may use up the time budget and a later one succeeds.
#![allow(dead_code, reason = "not every test program needs both")]

use std::time::{Duration, Instant, SystemTime};

use flowner_attribution::capture::{Confirmed, FastLookup};
use flowner_attribution::{LookupRequest, Ownership, SocketQuery};

const PATIENCE: Duration = Duration::from_secs(10);

/// The answer of a fast lookup that must have one.
///
/// # Panics If there is no answer for a long time.
#[track_caller]
pub(crate) fn fast_answer(fast: &mut dyn FastLookup, request: &LookupRequest) -> Ownership {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = fast.lookup(request).ownership() {
            return answer;
        }
        assert!(Instant::now() < deadline, "no answer: {request:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The confirmation of an answer, once the time budget allows it. No search for further holders can have
/// begun since then.
pub(crate) fn confirmed(
    fast: &mut dyn FastLookup,
    query: &SocketQuery,
    known: &Ownership,
) -> Confirmed {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let confirmed = match fast.confirm(query, known, SystemTime::now()) {
            Confirmed::Held { .. } => Confirmed::Same,
            other => other,
        };
        if confirmed != Confirmed::Unanswered || Instant::now() > deadline {
            return confirmed;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
