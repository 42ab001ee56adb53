//! Elsewhere: nobody lists them.

use std::io;

#[derive(Debug)]
pub(super) struct Senders;

impl Senders {
    pub(super) fn open() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[allow(
        clippy::unused_self,
        clippy::needless_pass_by_ref_mut,
        reason = "elsewhere there is a socket to ask"
    )]
    pub(super) fn may_send_on(&mut self, _device: Option<u32>) -> io::Result<bool> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
