//! What the system lets this program use. A platform owes `check()`, which says what is too little
//! to work with; less would show in the middle of the work, as owners that are missing or as the
//! end of the program.

#[cfg(not(unix))]
#[path = "other.rs"]
mod platform;
#[cfg(unix)]
#[path = "unix.rs"]
mod platform;

use crate::error::Failure;

/// Sees whether that is enough.
pub(crate) fn check() -> Result<(), Failure> {
    platform::check().map_err(Failure::Message)
}
