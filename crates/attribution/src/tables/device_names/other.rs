//! Platforms on which no table knows the interface of a socket.

pub(super) const fn index(_name: &str) -> Option<u32> {
    None
}

pub(super) const fn name(_index: u32) -> Option<String> {
    None
}
