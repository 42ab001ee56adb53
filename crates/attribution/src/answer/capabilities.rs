//! What a socket table knows.

/// What a [`SocketTable`](crate::SocketTable) knows besides the local ends of sockets and their
/// owners. If a table knows less, the policy asks it more often and names fewer owners.
///
/// ```
/// use flowner_attribution::Capabilities;
///
/// let capabilities = Capabilities::new().with_remote_addresses(true).with_point_lookup(true);
/// assert!(capabilities.remote_addresses && !capabilities.local_addresses);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a table may have any of them without the others"
)]
pub struct Capabilities {
    /// Sockets have their remote end, so that the table distinguishes a connection from its listener.
    ///
    /// The portable table does not claim it: it knows the remote ends of most sockets on Linux, and
    /// of none elsewhere.
    pub remote_addresses: bool,
    /// The table knows which addresses are this host's own. It answers a query about an address of
    /// a container with the sockets of that container, not with those that this host has on the
    /// same port.
    pub local_addresses: bool,
    /// The table knows which packets this host translates (NAT).
    pub translations: bool,
    /// [`find`](crate::SocketTable::find) asks the system for one socket only, so that several
    /// lookups one by one cost less than a snapshot.
    pub point_lookup: bool,
}

impl Capabilities {
    /// None of them.
    pub const fn new() -> Self {
        Self {
            remote_addresses: false,
            local_addresses: false,
            translations: false,
            point_lookup: false,
        }
    }

    /// The same, with or without [`remote_addresses`](Self::remote_addresses).
    #[must_use]
    pub const fn with_remote_addresses(mut self, can: bool) -> Self {
        self.remote_addresses = can;
        self
    }

    /// The same, with or without [`local_addresses`](Self::local_addresses).
    #[must_use]
    pub const fn with_local_addresses(mut self, can: bool) -> Self {
        self.local_addresses = can;
        self
    }

    /// The same, with or without [`translations`](Self::translations).
    #[must_use]
    pub const fn with_translations(mut self, can: bool) -> Self {
        self.translations = can;
        self
    }

    /// The same, with or without [`point_lookup`](Self::point_lookup).
    #[must_use]
    pub const fn with_point_lookup(mut self, can: bool) -> Self {
        self.point_lookup = can;
        self
    }

    /// Whether answers depend on the remote end even for a socket that is not connected, because this
    /// host may translate or forward some of the packets. Then an answer is valid for one flow only.
    pub const fn answers_differ_by_remote(self) -> bool {
        self.local_addresses || self.translations
    }
}
