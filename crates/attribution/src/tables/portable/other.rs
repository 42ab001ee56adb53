//! Other systems: `listeners` is the only source.
//!
//! On macOS and OpenBSD it lists a socket once for each process that has it. On FreeBSD and NetBSD
//! it names one of them, and on Windows it names the process that bound the socket, and none that
//! got the handle later. The translations of such a host are unknown.

use std::io;

use crate::answer::Socket;
use crate::answer::surroundings::Translations;

/// This system has no other facts.
#[derive(Debug, Default)]
pub(super) struct Beside;

#[allow(
    clippy::unnecessary_wraps,
    clippy::unused_self,
    reason = "on Linux there is more to be read, which may fail"
)]
impl Beside {
    pub(super) const KNOWS_TRANSLATIONS: bool = false;

    pub(super) fn complete(&mut self, listed: Vec<Socket>) -> io::Result<Vec<Socket>> {
        Ok(listed)
    }

    pub(super) fn translations(&mut self) -> io::Result<Translations> {
        Ok(Translations::default())
    }
}
