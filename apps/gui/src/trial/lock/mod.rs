//! Files that one process holds at a time. The system lets go of them when it ends, however
//! it ends.
//!
//! Each platform owes `create`, a new file that is held, and `open_if_free`, a file that is
//! there and that nobody holds.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
#[cfg_attr(not(any(unix, windows)), path = "other.rs")]
mod platform;

pub(super) use platform::{create, open_if_free};
