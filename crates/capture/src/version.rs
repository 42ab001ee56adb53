//! The version of the capturing library.
#![allow(
    unsafe_code,
    reason = "the pcap crate links the library, but does not offer this function"
)]

use std::ffi::{CStr, c_char};

unsafe extern "C" {
    /// `pcap_lib_version(3PCAP)`.
    fn pcap_lib_version() -> *const c_char;
}

/// The library and its version in its own words, such as `libpcap version 1.10.4 (with
/// TPACKET_V3)`.
pub fn library_version() -> String {
    // SAFETY: the function takes nothing, and returns a string that is never freed.
    let version = unsafe { CStr::from_ptr(pcap_lib_version()) };
    version.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_has_a_version() {
        let version = library_version();
        assert!(version.to_lowercase().contains("pcap"), "{version}");
        assert!(version.chars().any(|c| c.is_ascii_digit()), "{version}");
    }
}
