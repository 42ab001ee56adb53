//! Platforms whose sockets have no interface here.

pub(super) const fn index(_name: &str) -> Option<u32> {
    None
}

pub(super) const fn name(_index: u32) -> Option<String> {
    None
}
