//! Linux: its own table, else the portable one.

use crate::Error;
use crate::snapshot::linux::{LinuxOptions, LinuxTable};
use crate::snapshot::portable::PortableTable;
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
        Err(error) => {
            tracing::warn!(%error, "the portable socket table is used instead");
            let table = PortableTable::new()?;
            Ok(BestTable::new(Box::new(table), Some(error)))
        }
    }
}
