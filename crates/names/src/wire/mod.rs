//! Bytes of the network → what they say of names. Pure, and never more work than a limit that stands
//! beside each reader, whatever the bytes are.

mod cursor;
pub mod dns;
#[cfg(test)]
mod dns_tests;
pub mod http;
#[cfg(feature = "quic")]
pub mod quic;
pub mod tls;

pub(crate) use cursor::Cursor;

use crate::Name;

/// What the first bytes of a connection are, as far as they have come.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Parsed {
    /// Something else, or nothing that makes sense.
    Other,
    /// More bytes are needed.
    Partial,
    /// What the client says of the server; `None` if it does not name it.
    Complete(Option<ServerName>),
}

/// How a client names the server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ServerName {
    /// The name.
    pub name: Name,
    /// Whether the true name may be encrypted (ECH): then this is the one of the provider, for
    /// everybody to see. A client without ECH may claim it, too (GREASE, RFC 9849).
    pub may_be_outer: bool,
    /// Whether it is the name of a server that a proxy is asked for, and not that of the other end.
    pub is_proxied: bool,
}
