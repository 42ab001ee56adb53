//! Systems that report no devices.

use std::io;

use super::Link;

#[derive(Debug)]
pub(super) struct Links;

#[derive(Debug, Clone)]
pub(super) struct Waker;

impl Links {
    pub(super) fn watch() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[allow(
        clippy::unused_self,
        clippy::needless_pass_by_ref_mut,
        reason = "other platforms need it"
    )]
    pub(super) fn list(&mut self) -> io::Result<Vec<Link>> {
        Ok(Vec::new())
    }

    #[allow(
        clippy::unused_self,
        clippy::needless_pass_by_ref_mut,
        reason = "elsewhere there is something to wait for"
    )]
    pub(super) fn wait(&mut self) -> bool {
        false
    }

    #[allow(clippy::unused_self, reason = "elsewhere it wakes something")]
    pub(super) fn waker(&self) -> Waker {
        Waker
    }
}

impl Waker {
    #[allow(clippy::unused_self, reason = "elsewhere it wakes something")]
    pub(super) fn ring(&self) {}
}
