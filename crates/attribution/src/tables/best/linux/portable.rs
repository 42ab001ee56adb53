//! The portable table replaces the native one.

use crate::answer::Error;
use crate::tables::BestTable;
use crate::tables::portable::PortableTable;

/// The replacement for a native table that could not be opened.
pub(super) fn in_place_of_native(error: Error) -> Result<BestTable, Error> {
    tracing::warn!(%error, "the portable socket table is used instead");
    let table = PortableTable::new()?;
    Ok(BestTable::new(Box::new(table), Some(error)))
}
