//! A system on which this crate was never tried.

/// None that are known.
pub(crate) const NO_NETWORKS: &[&str] = &[];

/// There are none.
pub(crate) const CUTS_SILENTLY: &[&str] = &[];

/// None that are known.
pub(crate) const PSEUDO_DEVICES: &[&str] = &[];

/// Each device has its own capture.
pub(crate) const ALL: Option<&str> = None;

/// `AF_INET6`, by which a filter knows IPv6 on BSD loopback: that of System V.
pub(crate) const AF_INET6: u8 = 26;

pub(crate) fn permission_remedy() -> String {
    "run it as the administrator; `man pcap` says what else allows capturing on this system"
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
