//! Whether a device is up, during a capture.
//!
//! On Linux, libpcap 1.10 continues to wait when a device goes down, and returns its packets when
//! it is up again: nothing shows why there are none.
//!
//! Each platform's file exports `is_up(device: &str) -> Option<bool>`.

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod platform;

/// Whether the device with this name is up; `None` if that is unknown. Linux only: elsewhere a
/// capture fails when its device goes down.
pub fn is_up(device: &str) -> Option<bool> {
    platform::is_up(device)
}
