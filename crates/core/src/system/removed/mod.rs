//! Whether an open file was removed. A platform provides `is_removed()`.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "other.rs")]
mod platform;

pub(crate) use platform::is_removed;
