//! A socket for whose holders a search runs.

/// A socket for whose holders a search runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) inode: u32,
    /// The user who opened it.
    pub(crate) uid: u32,
    pub(crate) kind: Kind,
    /// Whether the search may end with the first holder: a connection seldom has a second one at
    /// its first packet.
    pub(crate) first_is_enough: bool,
}

/// How a socket came to be: a process often has its next socket of a kind at the descriptor of the
/// one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It has no peer.
    Waiting,
    /// It may also be an accepted one, which is not known.
    Connection,
    Accepted,
}
