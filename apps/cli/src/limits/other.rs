//! Where there are no such limits.

#[expect(clippy::unnecessary_wraps, reason = "other platforms have limits")]
pub(super) const fn check() -> Result<(), String> {
    Ok(())
}
