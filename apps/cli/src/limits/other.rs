//! Systems without such limits.

#[expect(clippy::unnecessary_wraps, reason = "other platforms have limits")]
pub(super) const fn check_stack() -> Result<(), String> {
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "other platforms have limits")]
pub(super) const fn check(_: u64) -> Result<(), String> {
    Ok(())
}

pub(super) const fn memory() -> Option<u64> {
    None
}
