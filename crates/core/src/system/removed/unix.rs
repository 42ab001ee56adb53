//! Unix: a file without a name.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

/// A moved file still has a name; if the system does not answer, the file counts as present.
pub(crate) fn is_removed(file: &File) -> bool {
    file.metadata()
        .is_ok_and(|it| it.is_file() && it.nlink() == 0)
}
