//! Linux: its own table, else the portable one.

use crate::Error;
use crate::snapshot::SocketTable;
use crate::snapshot::linux::LinuxTable;
use crate::snapshot::portable::PortableTable;

/// The best table that this operating system offers.
///
/// # Errors
/// [`Error::Unsupported`] where none works.
pub fn best() -> Result<Box<dyn SocketTable>, Error> {
    match LinuxTable::new() {
        Ok(table) => Ok(Box::new(table)),
        Err(error) => {
            tracing::warn!(%error, "the portable socket table is used instead");
            Ok(Box::new(PortableTable::new()?))
        }
    }
}
