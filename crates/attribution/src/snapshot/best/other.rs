//! Systems without a table of their own: the portable one.

use crate::Error;
use crate::snapshot::portable::PortableTable;
use crate::snapshot::{SocketTable, TableOptions};

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
pub fn best_with(_options: &TableOptions) -> Result<Box<dyn SocketTable>, Error> {
    Ok(Box::new(PortableTable::new()?))
}
