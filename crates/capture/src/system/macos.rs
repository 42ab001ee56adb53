//! macOS: the devices /dev/bpf*.

/// USB controllers, which are listed if they are monitored.
pub(crate) const NO_NETWORKS: &[&str] = &["XHC"];

/// There are none.
pub(crate) const CUTS_SILENTLY: &[&str] = &[];

/// Devices that would be chosen by mistake; others carry less.
pub(crate) const PSEUDO_DEVICES: &[&str] = &["pktap", "iptap"];

/// Each device has its own capture.
pub(crate) const ALL: Option<&str> = None;

/// `AF_INET6`, by which a filter knows IPv6 on BSD loopback.
pub(crate) const AF_INET6: u8 = 30;

pub(crate) fn permission_remedy() -> String {
    "run it with sudo, or install ChmodBPF, which comes with Wireshark, to let users of the \
     group access_bpf capture (`sudo dseditgroup -o edit -a \"$USER\" -t user access_bpf`, \
     then log in again)"
        .to_owned()
}

/// Not available on this system.
pub(crate) fn traffic(_device: &str) -> Option<u64> {
    None
}

/// Not available on this system.
pub(crate) fn index(_device: &str) -> Option<u32> {
    None
}
