//! Which files of a crate import from which, read from their text.
//!
//! What counts as an import:
//!
//! * A name that `use` brings, and a path in the code, of this crate. It leads to the file that
//!   *defines* what it names: names that another module only hands on (`pub use`) are followed.
//! * Not a module by itself: what the code takes from it counts.
//! * Not `mod name;`, and not what a module hands on from its own children, unless it uses it.
//! * Not what a file takes from a module that it is in (`super::Ledger` in `ledger/view.rs`). A
//!   child is a part of its parent, cut off for length, and no other module imports it. But what
//!   the parent takes from a child counts, and so does what a child takes from its siblings: a
//!   circle through other files is found.
//! * Nothing of tests.
//!
//! Methods are invisible here: a call names no file.

mod circles;
mod graph;
mod source;
mod tokens;

pub(crate) use circles::circles;
pub(crate) use graph::{Graph, folder};

#[cfg(test)]
mod tests;
