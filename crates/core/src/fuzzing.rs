//! The parser of comments for fuzzing: no part of the interface of this crate.

/// Any text as the comment of a packet: what it claims is refused, or can be true; and written
/// again, on one line without a character that cannot be seen, it claims the same.
///
/// # Panics
/// If that does not hold.
pub fn comment(text: &str) {
    crate::engine::comment::fuzzing::comment(text);
}
