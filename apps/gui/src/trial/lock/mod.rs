//! Files that one process holds at a time. The system lets go of them when it ends, however
//! it ends.
//!
//! Each platform owes `create`, a new file that is held, and `open_if_free`, a file that is
//! there and that nobody holds.

#[cfg(not(any(unix, windows)))]
mod other;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(not(any(unix, windows)))]
pub(super) use other::{create, open_if_free};
#[cfg(unix)]
pub(super) use unix::{create, open_if_free};
#[cfg(windows)]
pub(super) use windows::{create, open_if_free};
