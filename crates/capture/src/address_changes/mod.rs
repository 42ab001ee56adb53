//! Whether the addresses of this host have changed.
//!
//! Each platform's file exports the same names: `Notices` with
//! `Notices::open() -> io::Result<Self>`; `Notices::drain(&mut self) ->
//! Option<Vec<OwnAddress>>`, which takes the notices that are there, without waiting; and
//! `Notices::list(&mut self) -> io::Result<Vec<OwnAddress>>`, all addresses.

#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod platform;

use std::io;
use std::net::IpAddr;

use platform::Notices;
#[cfg(all(feature = "fuzzing", target_os = "linux"))]
pub use platform::fuzzing;

/// Tells when an address of this host was added or removed, by a device or a route, so that [`devices`](crate::devices())
/// are to be listed again.
///
/// On Linux the kernel writes a notice before the program that adds an address goes on
/// (rtnetlink(7)): it is there before the first packet from the address is. Routes are read since
/// Linux 4.20. Other systems are not asked.
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

    /// Whether there was a change since this was asked last, and the addresses that were added or
    /// removed, as far as they are known. Does not wait.
    pub fn take(&mut self) -> Option<Vec<OwnAddress>> {
        self.0.drain()
    }

    /// The addresses that there are now: in microseconds, where
    /// [`devices`](crate::devices()) takes milliseconds.
    ///
    /// # Errors
    ///
    /// Where the system fails to tell.
    pub fn addresses(&mut self) -> io::Result<Vec<OwnAddress>> {
        self.0.list()
    }
}

/// An address of this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct OwnAddress {
    /// The address itself.
    pub ip: IpAddr,
    /// The address of everyone in its network; IPv4 only.
    pub broadcast: Option<IpAddr>,
    /// The index of the device that has it.
    pub device: u32,
    /// For all addresses that begin with so many bits of this one, where a route makes them this
    /// host's own though no device has them (Linux: routes of the type `local` in the local
    /// table).
    pub network: Option<u8>,
}
