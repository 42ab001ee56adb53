//! A network of its own for what is measured.

use std::io;
use std::process::Command;

use rustix::thread::UnshareFlags;

/// Puts this process, which must have one thread only, into a network with nothing in it
/// but a loopback device.
///
/// # Errors
/// Without the privilege, and without `ip`.
pub fn enter_own() -> io::Result<()> {
    #[expect(
        unsafe_code,
        reason = "rustix cannot know that there are no other threads yet"
    )]
    // SAFETY: no other thread was started; a new network takes nothing away from this one.
    let entered = unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) };
    entered
        .map_err(|error| io::Error::other(format!("a network namespace: {error}; run as root")))?;
    let up = Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .status()?;
    if !up.success() {
        return Err(io::Error::other("the loopback device could not be started"));
    }
    Ok(())
}
