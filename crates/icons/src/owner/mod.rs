//! The owner of a file or a directory. A platform owes a function `owner`, which returns `None` if it
//! cannot find out.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "other.rs")]
mod platform;

pub(crate) use platform::owner;
