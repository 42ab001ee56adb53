//! Files that one process holds at a time. The system releases them when the process ends, however it
//! ends.
//!
//! Each platform owes `create`, which makes a file and holds it, and `open_if_free`, which opens an
//! existing file that no process holds.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
#[cfg_attr(not(any(unix, windows)), path = "other.rs")]
mod platform;

pub(super) use platform::{create, open_if_free};
