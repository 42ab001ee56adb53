//! Whether this user may trust a file that decides what the program does. A platform owes
//! `why_not(&File) -> io::Result<Option<&'static str>>`.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "other.rs")]
mod platform;

pub(crate) use platform::why_not;
