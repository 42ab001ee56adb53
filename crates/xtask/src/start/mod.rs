//! Starting the program in the place of this one, so that Ctrl-C and the exit code are
//! its own. A platform owes `start()`.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "other.rs")]
mod platform;

pub(crate) use platform::start;
