//! A scripted host for tests of the whole table. Its netlink sockets answer from a model, and its
//! `/proc` is a directory with the model's processes. A script makes calls fail and messages go
//! astray, and lets sockets, processes and namespaces come and go between any two calls.
//!
//! It replaces only the bare calls in `sys`. Everything else is the table itself.

mod changes;
pub(crate) mod faults;
pub(crate) mod kernel;
#[cfg(test)]
mod tests;
pub(crate) mod world;
