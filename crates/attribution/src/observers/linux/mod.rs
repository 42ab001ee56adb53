//! What watches a Linux host.

pub(crate) mod send_watcher;
