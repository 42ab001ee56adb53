//! Notices when the reader of the output is gone. A platform owes `when_gone()`, which calls a
//! function once, when no one reads standard output any more: a program that has nothing to write
//! would not notice.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "other.rs")]
mod platform;

pub(crate) use platform::when_gone;
