//! Finds the files of an icon by its name, through the icon themes of a system. A platform must
//! provide `Themes` with `read`, `of_this_user`, `with_theme`, `is_current`, `files` and `find`.

#[cfg_attr(unix, path = "unix/mod.rs")]
#[cfg_attr(not(unix), path = "other.rs")]
mod platform;

pub use platform::Themes;
