//! Chooses the best table of this system.
//!
//! A platform owes:
//!
//! | item | content |
//! |---|---|
//! | `open` | the best table of this system, and the error of the better one if it is only a
//! replacement |

#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod platform;

use crate::answer::Error;
use crate::tables::{BestTable, SocketTable, TableOptions};

/// The best table that this operating system offers.
///
/// # Errors
/// [`Error::Unsupported`] where none works.
pub fn best() -> Result<Box<dyn SocketTable>, Error> {
    best_with(&TableOptions::default())
}

/// As [`best`], with options, which have an effect on Linux only.
///
/// # Errors
/// As for [`best`].
pub fn best_with(options: &TableOptions) -> Result<Box<dyn SocketTable>, Error> {
    open_best(options).map(|best| best.table)
}

/// As [`best_with`], with the reason if the better table of this system could not be opened. Only
/// Linux has a better table than the portable one.
///
/// # Errors
/// As for [`best`].
pub fn open_best(options: &TableOptions) -> Result<BestTable, Error> {
    platform::open(*options)
}
