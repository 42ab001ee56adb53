//! Whether a device is up, asked while it is captured from.
//!
//! libpcap 1.10 goes on waiting on Linux when a device goes down, and gives its packets when
//! it is up again: nothing says why there are none.
//!
//! Each platform's file exports `is_up(device: &str) -> Option<bool>`.

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod platform;

/// Whether the device of this name is up; `None` where that is not known. On Linux; elsewhere
/// a capture fails when its device goes down.
pub fn is_up(device: &str) -> Option<bool> {
    platform::is_up(device)
}
