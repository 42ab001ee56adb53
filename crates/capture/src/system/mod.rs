//! The differences between operating systems.
//!
//! Each file exports the same names:
//!
//! * `NO_NETWORKS: &[&str]`: name prefixes of devices that libpcap lists but that are no networks;
//! * `PSEUDO_DEVICES: &[&str]`: the same for devices that stand for others;
//! * `CUTS_SILENTLY: &[&str]`: the same for devices whose packets are cut to the snap length
//!   without their length;
//! * `ALL: Option<&str>`: the device that stands for all others, whose packets have the index of
//!   their device; `None` if there is none;
//! * `AF_INET6: u8`: the number of that address family;
//! * `permission_remedy() -> String`: what helps a user who may not capture, with the exact
//!   command;
//! * `traffic(device: &str) -> Option<u64>`: the bytes that a device has carried since
//!   it came up;
//! * `index(device: &str) -> Option<u32>`: the kernel's index of a device.

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
#[cfg_attr(windows, path = "windows.rs")]
#[cfg_attr(
    any(
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd"
    ),
    path = "bsd.rs"
)]
#[cfg_attr(
    not(any(
        windows,
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "linux",
        target_os = "macos",
        target_os = "netbsd",
        target_os = "openbsd"
    )),
    path = "other.rs"
)]
mod platform;

pub(crate) use platform::{
    AF_INET6, ALL, CUTS_SILENTLY, NO_NETWORKS, PSEUDO_DEVICES, index, permission_remedy, traffic,
};
