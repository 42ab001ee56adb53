//! The devices of this host and how they hang together, and that this has changed.
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

/// Tells of the devices of this host as they come, go and change (Linux: rtnetlink(7)).
#[derive(Debug)]
pub struct Links(platform::Links);

/// Ends a [`Links::wait`], from any thread.
#[derive(Debug, Clone)]
pub struct LinksStopper(platform::Waker);

/// A device, as the system knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Link {
    /// Its index, as [`RawPacket::device`](crate::RawPacket::device) tells it.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// What made it: `veth`, `bridge`, `bond`, `vlan`, `tun`, `wireguard` and others
    /// (`IFLA_INFO_KIND`); `None` for hardware and for the loopback device.
    pub kind: Option<String>,
    /// The index of the bridge, bond or the like that it is a port of (`IFLA_MASTER`).
    pub master: Option<u32>,
    /// The index of the device below it, as the parent of a VLAN; of a veth device, of its other
    /// end (`IFLA_LINK`). It is of another network namespace where
    /// [`namespace`](Self::namespace) says so, and 0 where it is not known.
    pub link: Option<u32>,
    /// The number by which this network namespace knows that in which
    /// [`link`](Self::link) is; `None` where it is in this one (`IFLA_LINK_NETNSID`).
    pub namespace: Option<i32>,
}

impl Link {
    /// A device of which only this is known.
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
    /// Tells of the devices in the network namespace of this thread, from now on.
    ///
    /// # Errors
    ///
    /// Where the system does not tell: anywhere but on Linux.
    pub fn watch() -> io::Result<Self> {
        platform::Links::watch().map(Self)
    }

    /// The devices that there are now.
    ///
    /// # Errors
    ///
    /// Where the system fails to tell.
    pub fn list(&mut self) -> io::Result<Vec<Link>> {
        self.0.list()
    }

    /// Waits until some device has changed; false when a [stopper](Self::stopper) has ended it.
    pub fn wait(&mut self) -> bool {
        self.0.wait()
    }

    /// What ends a [`wait`](Self::wait).
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
