//! The processes that use a port.

use std::fmt;
use std::slice;
use std::sync::Arc;

use super::ownership::Verdict;
use super::process::Process;
use super::reason::Reason;
use super::socket::Socket;

/// The processes that use a port of this host; see
/// [`Attributor::port_owners`](crate::Attributor::port_owners).
///
/// A loop over it gives each process once. If this process may not inspect a holder, the socket is
/// [unnamed](Self::unnamed). So the port may be in use even if there are no processes here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PortOwners {
    processes: Vec<Arc<Process>>,
    sockets: Vec<Socket>,
}

impl PortOwners {
    pub(crate) fn of(sockets: impl IntoIterator<Item = Socket>) -> Self {
        // A process closed such a socket while the table read the list.
        let is_open = |socket: &Socket| socket.owner != Verdict::Unknown(Reason::Gone);
        let sockets: Vec<Socket> = sockets.into_iter().filter(is_open).collect();
        let processes = sockets.iter().flat_map(|socket| socket.owner.processes());
        let mut processes: Vec<_> = processes.map(Arc::clone).collect();
        processes.sort_by_key(|process| process.id());
        processes.dedup_by_key(|process| process.id());
        Self { processes, sockets }
    }

    /// The processes that hold the port, lowest pid first.
    pub fn processes(&self) -> &[Arc<Process>] {
        &self.processes
    }

    /// The sockets on the port, including those whose owner is unknown.
    pub fn sockets(&self) -> &[Socket] {
        &self.sockets
    }

    /// The sockets on the port whose process is unknown. [`owner`](Socket::owner) says why, and often
    /// names the user.
    pub fn unnamed(&self) -> impl Iterator<Item = &Socket> {
        self.sockets
            .iter()
            .filter(|socket| !socket.owner.is_named())
    }

    /// Whether no socket has the port, as far as the table knows. The portable table does not list the
    /// sockets of processes that this process may not inspect.
    pub fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// Each process once.
    pub fn iter(&self) -> slice::Iter<'_, Arc<Process>> {
        self.processes.iter()
    }
}

impl<'a> IntoIterator for &'a PortOwners {
    type Item = &'a Arc<Process>;
    type IntoIter = slice::Iter<'a, Arc<Process>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for PortOwners {
    type Item = Arc<Process>;
    type IntoIter = std::vec::IntoIter<Arc<Process>>;

    fn into_iter(self) -> Self::IntoIter {
        self.processes.into_iter()
    }
}

/// The processes, then the owner of each socket without one: `nginx (7), user ada`.
impl fmt::Display for PortOwners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("no visible process uses it");
        }
        let mut separator = "";
        for process in self {
            write!(f, "{separator}{process}")?;
            separator = ", ";
        }
        for socket in self.unnamed() {
            write!(f, "{separator}{}", socket.owner)?;
            separator = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::process::User;
    use crate::answer::query::Protocol;

    #[test]
    fn each_process_is_named_once_and_no_socket_is_left_out() {
        let process = |pid| Arc::new(Process::new(pid, "nginx"));
        let of = |owner| Socket::new(Protocol::Tcp, ([127, 0, 0, 1], 80).into(), owner);
        let user = Some(User::new(33, Some("ada".to_owned())));
        let owners = PortOwners::of([
            of(Verdict::Shared(vec![process(7), process(9)])),
            of(Verdict::Partial { user, unit: None }),
            of(Verdict::Process(process(8))),
            of(Verdict::Process(process(7))),
            of(Verdict::Unknown(Reason::Gone)),
        ]);
        let pids: Vec<u32> = owners.iter().map(|process| process.pid).collect();
        assert_eq!(pids, [7, 8, 9]);
        assert_eq!(owners.sockets().len(), 4);
        assert_eq!(owners.unnamed().count(), 1);
        let expected = "nginx (7), nginx (8), nginx (9), user ada";
        assert_eq!(owners.to_string(), expected);
    }

    #[test]
    fn port_without_owner() {
        let owners = PortOwners::of([]);
        assert!(owners.is_empty());
        assert_eq!(owners.to_string(), "no visible process uses it");
    }
}
