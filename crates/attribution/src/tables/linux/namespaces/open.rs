//! Enters a network namespace for as long as it takes to open sockets in it.

use std::io;
use std::os::fd::OwnedFd;

use crate::tables::linux::netlink::addresses::Addresses;
use crate::tables::linux::netlink::exchange::Location;
use crate::tables::linux::source::Sockets;
use crate::tables::linux::sys;

/// Opens sockets in a namespace, `copies` times.
pub(super) fn open(file: OwnedFd, copies: usize) -> io::Result<Vec<(Sockets, Addresses)>> {
    let opening = std::thread::Builder::new().name("flowner-enter".to_owned());
    let system = sys::System::of_this_thread();
    let opening = opening.spawn(move || {
        system.take_over();
        // This affects only this thread (setns(2)), which ends here.
        sys::enter_network_namespace(&file)?;
        let copy = |_| {
            Ok((
                Sockets::open_elsewhere(file.try_clone()?)?,
                Addresses::open(Location::Entered)?,
            ))
        };
        (0..copies).map(copy).collect()
    })?;
    let opened = opening.join();
    opened.unwrap_or_else(|_panicked| Err(io::ErrorKind::Other.into()))
}
