//! Without the portable table: there is no other.

use crate::answer::Error;
use crate::tables::BestTable;

/// The table to use, as the native one could not be opened: none.
pub(super) const fn in_place_of_native(error: Error) -> Result<BestTable, Error> {
    Err(error)
}
