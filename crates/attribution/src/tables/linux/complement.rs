//! Facts that the `listeners` crate leaves out on Linux. It names one process for each socket,
//! though several may hold it. It gives neither the remote end of a socket nor the translations of
//! this host.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::SystemTime;

use super::netlink::conntrack::Conntrack;
use super::procfs::facts::{Facts, stat_of};
use super::procfs::net;
use super::procfs::proc::{Proc, ReadBuffers};
use crate::answer::surroundings::Translations;
use crate::answer::{Protocol, SocketState};
use crate::hash::NumberMap;

/// Protocol, local end as the kernel lists it, and the state of a connection.
pub(crate) type Key = (Protocol, SocketAddr, Option<SocketState>);

/// Facts about a socket that `listeners` does not give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    /// The ids of all processes that hold it, in order.
    pub(crate) pids: Vec<u32>,
    /// The end that it is connected to.
    pub(crate) remote: Option<SocketAddr>,
}

/// The holders of sockets.
#[derive(Debug, Default)]
pub(crate) struct SocketHolders {
    /// The sockets by that key.
    pub(crate) by_key: HashMap<Key, Vec<Held>>,
    /// Facts about each holder.
    pub(crate) processes: HashMap<u32, Known>,
}

/// Facts about a process that `listeners` does not give.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    /// Wall-clock start time.
    pub(crate) started: Option<SystemTime>,
    /// As [`Process::image`](crate::Process::image).
    pub(crate) image: Option<u64>,
}

/// Reads these facts.
#[derive(Debug)]
pub(crate) struct Complement {
    proc: Proc,
    facts: Facts,
    buffers: ReadBuffers,
    conntrack: Conntrack,
}

impl Complement {
    pub(crate) fn open() -> io::Result<Self> {
        let root = Path::new("/proc");
        Ok(Self {
            proc: Proc::open(root, false)?,
            facts: Facts::new(),
            buffers: ReadBuffers::default(),
            conntrack: Conntrack::new(root),
        })
    }

    /// The holders of the sockets of this network namespace: all processes that this one may
    /// inspect, by their own descriptor tables.
    ///
    /// # Errors
    ///
    /// If a read failed for another reason than permissions, such as too many open files: then
    /// other holders of a socket may exist.
    pub(crate) fn holders(&mut self) -> io::Result<SocketHolders> {
        let mut holders = SocketHolders::default();
        let by_inode = self.by_inode(&mut holders.processes)?;
        let mut sockets = Vec::new();
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            sockets.clear();
            net::read(self.proc.root(), protocol, &mut self.buffers, &mut sockets)?;
            for socket in &sockets {
                let state = socket.state.filter(|_| protocol == Protocol::Tcp);
                if let Some(pids) = by_inode.get(&socket.inode) {
                    let key = (protocol, socket.local, state);
                    let held = Held {
                        pids: pids.clone(),
                        remote: socket.remote,
                    };
                    let of_key = holders.by_key.entry(key).or_default();
                    if !of_key.contains(&held) {
                        of_key.push(held);
                    }
                }
            }
        }
        Ok(holders)
    }

    /// The translations in this network namespace.
    pub(crate) fn translations(&mut self) -> Translations {
        self.conntrack.translations()
    }

    fn by_inode(
        &mut self,
        processes: &mut HashMap<u32, Known>,
    ) -> io::Result<NumberMap<u32, Vec<u32>>> {
        let mut by_inode: NumberMap<u32, Vec<u32>> = NumberMap::default();
        let mut pids = self.proc.pids(&mut self.buffers)?;
        pids.sort_unstable();
        for pid in pids {
            let read = self.proc.process(pid).and_then(|directory| {
                let listed = self.proc.sockets(&directory, &mut self.buffers)?;
                Ok((directory, listed))
            });
            let (directory, listed) = match read {
                Ok(read) => read,
                Err(error) if is_hidden_or_gone(&error) => continue,
                Err(error) => return Err(error),
            };
            if !listed.sockets.is_empty() {
                let stat = stat_of(&directory, &mut self.buffers);
                let known = Known {
                    started: stat.map(|stat| self.facts.wall_clock(stat.started)),
                    image: Proc::image_in(&directory),
                };
                processes.insert(pid, known);
            }
            for descriptor in listed.sockets {
                let holders = by_inode.entry(descriptor.inode).or_default();
                if holders.last() != Some(&pid) {
                    holders.push(pid);
                }
            }
        }
        Ok(by_inode)
    }
}

/// Whether this process may not inspect another one, or the other one has exited (reading its files
/// gives `ESRCH`).
fn is_hidden_or_gone(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    let is_no_process = rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::SRCH);
    is_no_process || matches!(error.kind(), Kind::NotFound | Kind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unavoidable_errors_are_ignored() {
        use rustix::io::Errno;
        for (error, expected) in [
            (Errno::ACCESS, true),
            (Errno::PERM, true),
            (Errno::NOENT, true),
            (Errno::SRCH, true),
            (Errno::MFILE, false),
            (Errno::NFILE, false),
            (Errno::NOMEM, false),
        ] {
            assert_eq!(is_hidden_or_gone(&error.into()), expected, "{error}");
        }
    }
}
