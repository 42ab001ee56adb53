//! Starts the program in place of this one, so that the program itself gets Ctrl-C and returns the
//! exit code. A platform must provide `start()`.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "other.rs")]
mod platform;

pub(crate) use platform::start;
