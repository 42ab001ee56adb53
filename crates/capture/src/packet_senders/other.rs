//! Systems that do not list such sockets.

use std::io;

use super::FrameSenders;

#[derive(Debug)]
pub(super) struct Senders;

impl Senders {
    pub(super) fn open() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[allow(
        clippy::unused_self,
        clippy::needless_pass_by_ref_mut,
        reason = "other platforms use a socket"
    )]
    pub(super) fn may_send_on(&mut self, _device: Option<u32>) -> io::Result<FrameSenders> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
