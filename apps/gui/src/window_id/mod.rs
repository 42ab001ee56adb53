//! By which name the desktop knows the window. A platform owes `settings()`.

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod platform;

pub(crate) use platform::settings;
