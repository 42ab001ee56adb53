//! Linux: its own table, else the portable one, where that is built in.

#[cfg_attr(feature = "portable", path = "linux/portable.rs")]
#[cfg_attr(not(feature = "portable"), path = "linux/none.rs")]
mod lesser;

use crate::Error;
use crate::snapshot::linux::{LinuxOptions, LinuxTable};
use crate::snapshot::{BestTable, SocketTable, TableOptions};

/// The best table that this operating system offers.
///
/// # Errors
/// [`Error::Unsupported`] where none works.
pub fn best() -> Result<Box<dyn SocketTable>, Error> {
    best_with(&TableOptions::default())
}

/// As [`best`], with options.
///
/// # Errors
/// As for [`best`].
pub fn best_with(options: &TableOptions) -> Result<Box<dyn SocketTable>, Error> {
    open_best(options).map(|best| best.table)
}

/// As [`best_with`], and says whether it is a lesser table than this system has.
///
/// # Errors
/// As for [`best`].
pub fn open_best(options: &TableOptions) -> Result<BestTable, Error> {
    let options = LinuxOptions {
        realtime: options.realtime,
        ..LinuxOptions::default()
    };
    match LinuxTable::with_options(&options) {
        Ok(table) => Ok(BestTable::new(Box::new(table), None)),
        Err(error) => lesser::in_place_of_native(error),
    }
}
