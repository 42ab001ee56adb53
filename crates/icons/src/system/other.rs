//! None: on Linux and the BSDs executables have no icons, and `picon` would name that of
//! whichever entry mentions a program.

use std::path::Path;

use crate::Icon;

pub(crate) const fn icon(_executable: &Path, _size: u32) -> Option<Icon> {
    None
}
