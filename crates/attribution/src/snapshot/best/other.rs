//! Systems without a table of their own: the portable one.

use crate::Error;
use crate::snapshot::portable::PortableTable;
use crate::snapshot::{BestTable, SocketTable, TableOptions};

/// The best table that this operating system offers.
///
/// # Errors
/// [`Error::Unsupported`] where none works.
pub fn best() -> Result<Box<dyn SocketTable>, Error> {
    best_with(&TableOptions::default())
}

/// As [`best`], with options, none of which means anything here.
///
/// # Errors
/// As for [`best`].
pub fn best_with(options: &TableOptions) -> Result<Box<dyn SocketTable>, Error> {
    open_best(options).map(|best| best.table)
}

/// As [`best_with`]. There is no better table on this system.
///
/// # Errors
/// As for [`best`].
pub fn open_best(_options: &TableOptions) -> Result<BestTable, Error> {
    Ok(BestTable::new(Box::new(PortableTable::new()?), None))
}
