//! Linux: the native table, or else the portable one if it is built in.

#[cfg_attr(feature = "portable", path = "portable.rs")]
#[cfg_attr(not(feature = "portable"), path = "none.rs")]
mod fallback;

use crate::answer::Error;
use crate::tables::linux::{LinuxOptions, LinuxTable};
use crate::tables::{BestTable, TableOptions};

pub(super) fn open(options: TableOptions) -> Result<BestTable, Error> {
    let options = LinuxOptions {
        realtime: options.realtime,
        ..LinuxOptions::default()
    };
    match LinuxTable::with_options(&options) {
        Ok(table) => Ok(BestTable::new(Box::new(table), None)),
        Err(error) => fallback::in_place_of_native(error),
    }
}
