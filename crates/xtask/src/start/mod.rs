//! Starting the program in the place of this one, so that Ctrl-C and the exit code are
//! its own.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod platform;

pub(crate) use platform::start;
