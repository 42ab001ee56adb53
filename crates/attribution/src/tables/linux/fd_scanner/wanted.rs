//! A socket whose holders are looked for.

/// A socket whose holders are looked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) inode: u32,
    /// Of the user who opened it.
    pub(crate) uid: u32,
    pub(crate) kind: Kind,
    /// Whether the search may end with the first holder: a connection hardly has
    /// another one when its first packet is seen.
    pub(crate) first_is_enough: bool,
}

/// How a socket came to be: a process mostly has the next one of a kind in the place of the
/// one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of no peer.
    Waiting,
    /// Or accepted, which is not known.
    Connection,
    Accepted,
}
