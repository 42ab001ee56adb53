//! Systems without a table of their own: the portable one.

use crate::Error;
use crate::snapshot::SocketTable;
use crate::snapshot::portable::PortableTable;

/// The best table that this operating system offers.
///
/// # Errors
/// [`Error::Unsupported`] where none works.
pub fn best() -> Result<Box<dyn SocketTable>, Error> {
    Ok(Box::new(PortableTable::new()?))
}
