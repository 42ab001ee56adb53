//! Signals whose default action is not what this program does. A platform owes
//! `tell_limits()`, which makes the limit of a file's size an error of writing, which is told.

#[cfg(not(unix))]
#[path = "other.rs"]
mod platform;
#[cfg(unix)]
#[path = "unix.rs"]
mod platform;

pub(crate) use platform::tell_limits;
