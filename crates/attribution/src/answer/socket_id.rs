//! The identity of a socket.

/// Identifies a socket, even beside a later one with the same ends.
///
/// Linux only: the kernel numbers sockets (`SO_COOKIE`, socket(7)). Since Linux 5.10 no two
/// network namespaces give the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SocketId {
    /// The network namespace that the socket is in.
    pub namespace: SocketNamespace,
    /// The kernel's number of the socket; never 0.
    pub cookie: u64,
}

/// The network namespace of a [`SocketId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum SocketNamespace {
    /// The one that the table was opened in.
    Own,
    /// Another one, by the inode of `/proc/PID/ns/net`.
    Other(u64),
    /// Another one, and the kernel did not say which.
    AnyOther,
}

impl SocketId {
    /// The socket with that number in a network namespace; `None` for the number 0, which no
    /// socket has.
    pub fn new(namespace: SocketNamespace, cookie: u64) -> Option<Self> {
        (cookie != 0).then_some(Self { namespace, cookie })
    }

    /// The socket with that number in the namespace that the table was opened in; `None` for the
    /// number 0.
    pub fn own(cookie: u64) -> Option<Self> {
        Self::new(SocketNamespace::Own, cookie)
    }

    /// The same, without saying in which other namespace it is, so that it can be compared with one
    /// in [`AnyOther`](SocketNamespace::AnyOther).
    #[must_use]
    pub const fn of_any_other(self) -> Self {
        let namespace = match self.namespace {
            SocketNamespace::Own => SocketNamespace::Own,
            SocketNamespace::Other(_) | SocketNamespace::AnyOther => SocketNamespace::AnyOther,
        };
        Self { namespace, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_of_another_namespace_is_compared_without_it() {
        let id = |namespace| SocketId::new(namespace, 7).unwrap();
        let (own, any) = (id(SocketNamespace::Own), id(SocketNamespace::AnyOther));
        assert_eq!(own.of_any_other(), own);
        assert_eq!(any.of_any_other(), any);
        assert_eq!(id(SocketNamespace::Other(4)).of_any_other(), any);
        assert_eq!(SocketId::own(0), None);
    }
}
