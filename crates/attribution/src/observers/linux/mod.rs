//! The observers of a Linux host.

pub(crate) mod sched;
pub(crate) mod send_watcher;
pub(crate) mod wake_fd;
