//! Text for people, in one form for all apps: sizes, rates, durations, local times, addresses,
//! owners, directions, the reasons why an owner is unknown, and the columns of lists.
//!
//! Functions here [`mask`] text from other programs. JSON and CSV are data, and
//! have forms of their own.

mod address;
mod column;
mod evidence;
mod names;
mod number;
mod owner;
mod place;
mod row;
mod time;

pub use address::{endpoint, local_end, remote_end, service, socket_protocol};
pub use column::{Column, OrderKey, Value};
pub use evidence::{coverage, matched, observed, reason_sentence, source, verdict_sentence};
pub use names::{is_weak_name, name_evidence, name_source, shortened_name};
pub use number::{DIGIT_GROUPS, Quantity, Unit, bytes, count, counted, grouped, percent, share};
pub use owner::{owner, path, pids, principal, socket_owner, unit, unknown, user, verdict};
pub use place::{country, network};
pub use row::Row;
pub use time::{clock, date, date_of, date_time, duration, load_time_zone, since};

use std::path::Path;

use crate::model::text::{mask, mask_path};

/// The text in place of an owner without a lookup.
pub const NOT_LOOKED_UP: &str = "unknown: not looked up";

/// The text in place of an owner whose lookup has no answer yet.
pub const PENDING: &str = "looking up …";

/// Text from another program, with control characters in visible form.
pub fn printable(text: &str) -> String {
    mask(text).into_owned()
}

/// As [`printable`], of a path.
pub fn printable_path(path: &Path) -> String {
    mask_path(path).into_owned()
}

/// The text with a capital first letter, as at the beginning of a sentence.
pub fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(characters).collect()
    })
}
