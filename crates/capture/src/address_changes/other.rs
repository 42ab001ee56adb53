//! Systems that report no changes.

use std::io;

use super::OwnAddress;

#[derive(Debug)]
pub(super) struct Notices;

impl Notices {
    pub(super) fn open() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[allow(
        clippy::unused_self,
        clippy::needless_pass_by_ref_mut,
        reason = "other platforms use a socket"
    )]
    pub(super) fn list(&mut self) -> io::Result<Vec<OwnAddress>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[allow(
        clippy::unused_self,
        clippy::needless_pass_by_ref_mut,
        reason = "other platforms use a socket"
    )]
    pub(super) const fn drain(&mut self) -> Option<Vec<OwnAddress>> {
        None
    }
}
