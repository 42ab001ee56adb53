//! Systems on which a directory says who may read what is in it.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

pub(super) fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

pub(super) fn replace(path: &Path) -> io::Result<File> {
    File::create(path)
}
