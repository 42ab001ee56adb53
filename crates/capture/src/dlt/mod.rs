//! The `DLT_` numbers that libpcap uses on this operating system, where files use others
//! (`pcap/dlt.h` of libpcap).
//!
//! Each platform's file exports the same names:
//!
//! * `in_files(number: i32) -> Option<i32>`: the `LINKTYPE_` number in files for a `DLT_` number;
//! * `of_files(number: i32) -> Option<i32>`: the reverse.

#[cfg_attr(target_os = "openbsd", path = "openbsd.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
#[cfg_attr(
    not(any(target_os = "openbsd", target_os = "macos")),
    path = "other.rs"
)]
mod platform;

pub(crate) use platform::in_files;
#[cfg(feature = "pcap")]
pub(crate) use platform::of_files;
