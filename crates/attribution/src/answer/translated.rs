//! The original ends of a socket whose packets the host translates.

use std::fmt;
use std::net::SocketAddr;

/// The ends that the socket of a flow has, where this host translates the addresses or ports of its
/// packets (NAT).
///
/// A program in a container connects from 172.17.0.2:5000, and the packets leave the host from
/// 192.0.2.1:61000. The flow on the outer device has the latter end, its socket the former.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TranslatedFrom {
    /// The local end of the socket.
    pub local: SocketAddr,
    /// The end with which the socket exchanges packets. It differs from the remote end of the flow
    /// if the host translates that one as well.
    pub remote: SocketAddr,
}

impl TranslatedFrom {
    /// The ends of a socket.
    pub const fn new(local: SocketAddr, remote: SocketAddr) -> Self {
        Self { local, remote }
    }

    /// The same, from the point of view of the other end.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self {
            local: self.remote,
            remote: self.local,
        }
    }
}

/// `172.17.0.2:5000 -> 192.0.2.9:443`
impl fmt::Display for TranslatedFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.local, self.remote)
    }
}
