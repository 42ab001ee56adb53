//! From the name of an icon to files, through the icon themes of a system. A platform owes
//! `Themes` with `read`, `of_this_user`, `with_theme`, `is_current`, `files` and `find`.

#[cfg_attr(unix, path = "unix/mod.rs")]
#[cfg_attr(not(unix), path = "other.rs")]
mod platform;

pub use platform::Themes;
