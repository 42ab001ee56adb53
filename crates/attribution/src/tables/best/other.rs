//! Systems without a table of their own: the portable one.

use crate::answer::Error;
use crate::tables::portable::PortableTable;
use crate::tables::{BestTable, TableOptions};

pub(super) fn open(_options: TableOptions) -> Result<BestTable, Error> {
    Ok(BestTable::new(Box::new(PortableTable::new()?), None))
}
