//! The addresses of this host.

use std::fmt;
use std::net::IpAddr;

/// Whether an address is one of this host.
pub(super) struct Own(pub(super) Box<dyn Fn(IpAddr) -> bool + Send + Sync>);

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Own")
    }
}
