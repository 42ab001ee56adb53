//! The devices of this host and their stacking, with reports of changes.
//!
//! Each platform's file exports the same names: `Links` with `Links::watch() ->
//! io::Result<Self>`, `Links::list(&mut self) -> io::Result<Vec<Link>>`,
//! `Links::wait(&mut self) -> bool` and `Links::waker(&self) -> Waker`; and `Waker`, which can be
//! cloned, with `Waker::ring(&self)`.

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod platform;

use std::io;

#[cfg(all(feature = "fuzzing", target_os = "linux"))]
pub use platform::fuzzing;

/// Reports the devices of this host and their changes (Linux: rtnetlink(7)).
#[derive(Debug)]
pub struct Links(platform::Links);

/// Ends a [`Links::wait`], from any thread.
#[derive(Debug, Clone)]
pub struct LinksStopper(platform::Waker);

/// A device, as the system knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Link {
    /// Its index, as in [`RawPacket::device`](crate::RawPacket::device).
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its kind: `veth`, `bridge`, `bond`, `vlan`, `tun`, `wireguard` and others
    /// (`IFLA_INFO_KIND`); `None` for hardware and for the loopback device.
    pub kind: Option<String>,
    /// The index of the bridge, bond or similar device that it is a port of (`IFLA_MASTER`).
    pub master: Option<u32>,
    /// The index of the device below it, such as the parent of a VLAN; for a veth device, that of
    /// its other end (`IFLA_LINK`). It is in another network namespace if
    /// [`namespace`](Self::namespace) is set, and 0 if it is unknown.
    pub link: Option<u32>,
    /// This network namespace's number for the one of [`link`](Self::link); `None` if that is in
    /// this one (`IFLA_LINK_NETNSID`).
    pub namespace: Option<i32>,
}

impl Link {
    /// A device with this index and name; all else is unknown.
    pub fn new(index: u32, name: impl Into<String>) -> Self {
        Self {
            index,
            name: name.into(),
            kind: None,
            master: None,
            link: None,
            namespace: None,
        }
    }
}

impl Links {
    /// Watches the devices in the network namespace of this thread from now on.
    ///
    /// # Errors
    ///
    /// If the system does not report them: all but Linux.
    pub fn watch() -> io::Result<Self> {
        platform::Links::watch().map(Self)
    }

    /// The current devices.
    ///
    /// # Errors
    ///
    /// If the system fails to list them.
    pub fn list(&mut self) -> io::Result<Vec<Link>> {
        self.0.list()
    }

    /// Waits until some device has changed; false if a [stopper](Self::stopper) has ended the wait.
    pub fn wait(&mut self) -> bool {
        self.0.wait()
    }

    /// A handle that ends a [`wait`](Self::wait).
    pub fn stopper(&self) -> LinksStopper {
        LinksStopper(self.0.waker())
    }
}

impl LinksStopper {
    /// Ends the wait, and each later one.
    pub fn stop(&self) {
        self.0.ring();
    }
}
