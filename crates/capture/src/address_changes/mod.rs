//! Whether the addresses of this host have changed.
//!
//! Each platform's file exports the same names: `Notices` with
//! `Notices::open() -> io::Result<Self>` and `Notices::drain(&self) -> bool`, which takes the
//! notices that are there, without waiting, and says whether there were any.

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod current;

use std::io;

use current::Notices;

/// Tells when an address of this host was added or removed, so that [`devices`](crate::devices())
/// are to be listed again.
///
/// On Linux the kernel writes a notice before the program that adds an address goes on
/// (rtnetlink(7)): it is there before the first packet from the address is. Other systems are not
/// asked.
#[derive(Debug)]
pub struct AddressChanges(Notices);

impl AddressChanges {
    /// Tells of changes in the network namespace of this thread, from now on.
    ///
    /// # Errors
    ///
    /// Where the system does not tell.
    pub fn watch() -> io::Result<Self> {
        Notices::open().map(Self)
    }

    /// Whether there was a change since this was asked last. Does not wait.
    pub fn take(&self) -> bool {
        self.0.drain()
    }
}
