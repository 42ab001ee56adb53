//! Unix: a file without a name.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

/// A file that was moved still has a name; one that cannot be asked is left alone.
pub(crate) fn is_removed(file: &File) -> bool {
    file.metadata()
        .is_ok_and(|it| it.is_file() && it.nlink() == 0)
}
