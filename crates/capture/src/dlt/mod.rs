//! The `DLT_` numbers that libpcap gives on this operating system, where files have others
//! (`pcap/dlt.h` of libpcap).
//!
//! Each platform's file exports the same names:
//!
//! * `in_files(number: i32) -> Option<i32>`: the `LINKTYPE_` number that files have in place of a
//!   `DLT_` number;
//! * `of_files(number: i32) -> Option<i32>`: the other way.

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
