//! What is measured is measured on Linux.

use std::error::Error;

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    Err("this is for Linux".into())
}
