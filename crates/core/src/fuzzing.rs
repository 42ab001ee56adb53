//! The parser of comments for fuzzing: no part of the interface of this crate.

pub use crate::recording::fuzzing::comment;
