//! Systems on which users have other names, and no desktop entries.

use std::path::Path;

pub(crate) const fn owner(_path: &Path) -> Option<u32> {
    None
}
