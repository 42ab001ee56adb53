//! Elsewhere: a file that is open stays.

use std::fs::File;

pub(crate) const fn is_removed(_: &File) -> bool {
    false
}
