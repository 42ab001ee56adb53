//! Other systems keep an open file in place.

use std::fs::File;

pub(crate) const fn is_removed(_: &File) -> bool {
    false
}
