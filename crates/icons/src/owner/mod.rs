//! Whom a file or a directory belongs to: a platform owes a function `owner`, which is `None` where
//! that cannot be told.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "other.rs")]
mod platform;

pub(crate) use platform::owner;
