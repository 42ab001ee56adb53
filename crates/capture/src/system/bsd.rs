//! The BSDs: the devices /dev/bpf*.

/// USB monitors of FreeBSD, the packet filter's log.
pub(crate) const NO_NETWORKS: &[&str] = &["usbus", "pflog"];

/// There are none.
pub(crate) const CUTS_SILENTLY: &[&str] = &[];

/// There are none.
pub(crate) const PSEUDO_DEVICES: &[&str] = &[];

/// Each device has its own capture.
pub(crate) const ALL: Option<&str> = None;

/// `AF_INET6`, by which a filter knows IPv6 on BSD loopback.
#[cfg(any(target_os = "freebsd", target_os = "dragonfly"))]
pub(crate) const AF_INET6: u8 = 28;
/// `AF_INET6`, by which a filter knows IPv6 on BSD loopback.
#[cfg(not(any(target_os = "freebsd", target_os = "dragonfly")))]
pub(crate) const AF_INET6: u8 = 24;

pub(crate) fn permission_remedy() -> String {
    "run it as root (`doas` or `sudo`), or let your group read the capture devices with \
     `chmod g+r /dev/bpf*`"
        .to_owned()
}

/// Not available on these systems.
pub(crate) fn traffic(_device: &str) -> Option<u64> {
    None
}

/// Not available on this system.
pub(crate) fn index(_device: &str) -> Option<u32> {
    None
}
