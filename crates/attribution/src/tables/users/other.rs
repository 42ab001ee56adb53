//! Platforms whose sockets have no user here.

pub(super) const fn name(_uid: u32) -> Option<String> {
    None
}
