//! A scripted host for tests of the whole table: its netlink sockets answer from a model, its
//! `/proc` is a directory with the model's processes, and a script lets calls fail, messages go
//! astray, and sockets, processes and namespaces come and go between any two calls.
//!
//! Nothing of the table is copied or replaced but the bare calls in `sys`.

mod changes;
pub(crate) mod faults;
pub(crate) mod kernel;
#[cfg(test)]
mod tests;
pub(crate) mod world;
