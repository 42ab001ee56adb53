//! Linux (netdevice(7)).

use std::os::fd::OwnedFd;

use rustix::net::netdevice::{index_to_name, name_to_index};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

pub(super) fn index(name: &str) -> Option<u32> {
    name_to_index(any_socket()?, name).ok()
}

pub(super) fn name(index: u32) -> Option<String> {
    index_to_name(any_socket()?, index).ok()
}

/// A socket for the requests about interfaces.
fn any_socket() -> Option<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_the_first() {
        assert_eq!(index("lo"), Some(1));
        assert_eq!(name(1).as_deref(), Some("lo"));
        assert_eq!(index("no such device"), None);
        assert_eq!(name(u32::MAX / 2), None);
    }
}
