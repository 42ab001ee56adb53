//! Windows: Npcap.

/// Npcap lists only networks.
pub(crate) const NO_NETWORKS: &[&str] = &[];

/// There are none.
pub(crate) const CUTS_SILENTLY: &[&str] = &[];

/// Npcap lists none.
pub(crate) const PSEUDO_DEVICES: &[&str] = &[];

/// Each device has its own capture.
pub(crate) const ALL: Option<&str> = None;

/// `AF_INET6`, by which a filter knows IPv6 on BSD loopback.
pub(crate) const AF_INET6: u8 = 23;

pub(crate) fn permission_remedy() -> String {
    "run it as Administrator; Npcap (https://npcap.com) must be installed, and if it was \
     installed for Administrators only, install it again without that option to let all users \
     capture"
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
