//! Reports changes of this host's addresses.
//!
//! Each platform's file exports the same names: `Notices` with `Notices::open() ->
//! io::Result<Self>`; `Notices::drain(&mut self) -> Option<Vec<OwnAddress>>`, which takes the
//! waiting notifications without blocking; and `Notices::list(&mut self) ->
//! io::Result<Vec<OwnAddress>>`, which lists all addresses.

#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod platform;

use std::io;
use std::net::IpAddr;

use platform::Notices;
#[cfg(all(feature = "fuzzing", target_os = "linux"))]
pub use platform::fuzzing;

/// Reports when a device or a route adds or removes an address of this host. Then the caller should
/// list [`devices`](crate::devices()) again.
///
/// On Linux the kernel sends a notification before the program that adds an address continues
/// (rtnetlink(7)), so it arrives before the first packet from the address. Routes need Linux 4.20.
/// Other systems report nothing.
#[derive(Debug)]
pub struct AddressChanges(Notices);

impl AddressChanges {
    /// Watches the network namespace of this thread from now on.
    ///
    /// # Errors
    ///
    /// If the system does not report changes.
    pub fn watch() -> io::Result<Self> {
        Notices::open().map(Self)
    }

    /// The addresses that were added or removed since the last call, as far as known; `None` if
    /// nothing changed. Does not wait.
    pub fn take(&mut self) -> Option<Vec<OwnAddress>> {
        self.0.drain()
    }

    /// The current addresses, in microseconds. ([`devices`](crate::devices()) takes milliseconds.)
    ///
    /// # Errors
    ///
    /// If the system fails to list them.
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
    /// The broadcast address of its network; IPv4 only.
    pub broadcast: Option<IpAddr>,
    /// The index of the device that has it.
    pub device: u32,
    /// The prefix length, if a route makes all addresses with this prefix the host's own though no
    /// device has them (Linux: routes of the type `local` in the local table).
    pub network: Option<u8>,
}
