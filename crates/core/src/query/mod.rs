//! Queries on the model: filters, orders, and the owners of sockets. Pure.

pub(crate) mod changes;
pub mod filter;
pub(crate) mod nearest;
pub(crate) mod process_tree;
pub(crate) mod select;
pub(crate) mod services;
pub(crate) mod sockets;
pub(crate) mod sort;
pub mod who;
