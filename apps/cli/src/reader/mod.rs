//! Whether anybody reads what is written. A platform owes `when_gone()`, which calls something
//! once, when nobody reads standard output any more: who has nothing to write would not notice.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "other.rs")]
mod platform;

pub(crate) use platform::when_gone;
