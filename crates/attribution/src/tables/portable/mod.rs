//! The portable table, on the `listeners` crate: Linux, Windows, macOS, FreeBSD,
//! OpenBSD and NetBSD, without privileges.
//!
//! What the `listeners` crate does not know is `None`: sockets have no remote end (except on Linux),
//! and processes have no start time (except on Linux), no user and no arguments. Sockets of processes
//! that this process may not inspect are missing. So [`Match::FiveTuple`](crate::Match::FiveTuple)
//! occurs on Linux only, and [`Reason::NotFound`](crate::Reason::NotFound) may mean "not permitted".
//!
//! On Linux, `listeners` names one of several processes that hold a socket. Right after its list,
//! the table reads the other holders, the remote end of each socket and the start time of each
//! process from `/proc`, and the translations of this host from conntrack.
//!
//! For one port, the table reads all sockets, too. `listeners::get_process_by_port` takes half of the
//! time, but it returns the first socket on the port, whatever its address and state (0.6.1). Of two
//! servers on 127.0.0.1 and 127.0.0.2 it never finds the second one, and if the first socket is a
//! closed connection, it finds none. Nothing shows when its answer is right.
//!
//! A platform owes:
//!
//! | item | content |
//! |---|---|
//! | `Beside` | facts beside the list of `listeners`: `complete`, `translations`, and
//! `KNOWS_TRANSLATIONS` |

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod platform;
mod process;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use listeners::Listener;
use platform::Beside;
use process::to_process;

use super::SocketTable;
use crate::answer::{
    Capabilities, Error, Process, Protocol, Snapshot, Socket, SocketState, Source, Verdict,
};

/// The table on the `listeners` crate. Every lookup reads all sockets.
#[derive(Debug)]
pub struct PortableTable {
    beside: Beside,
}

impl PortableTable {
    /// Opens the table.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the `listeners` crate does not support this system.
    pub fn new() -> Result<Self, Error> {
        if listeners::IS_OS_SUPPORTED {
            Ok(Self {
                beside: Beside::default(),
            })
        } else {
            Err(Error::Unsupported {
                os: std::env::consts::OS,
            })
        }
    }
}

impl SocketTable for PortableTable {
    fn source(&self) -> Source {
        Source::Portable
    }

    fn snapshot(&mut self) -> Result<Snapshot, Error> {
        let started_at = SystemTime::now();
        // Their error cannot be sent to another thread, and does not distinguish causes.
        let listed = listeners::get_all().map_err(|error| Error::Sockets {
            request: "the list of all sockets".to_owned(),
            source: io::Error::other(error.to_string()),
        })?;
        let failed = |request: &str, source: io::Error| Error::Sockets {
            request: request.to_owned(),
            source,
        };
        let sockets = self.beside.complete(to_sockets(listed));
        let sockets = sockets.map_err(|error| failed("the holders of the sockets", error))?;
        let translations = self.beside.translations();
        let translations = translations.map_err(|error| failed("what is translated", error))?;
        let finished_at = SystemTime::now();
        let snapshot = Snapshot::new(Source::Portable, started_at, finished_at, sockets);
        Ok(snapshot.translating(translations))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new().with_translations(Beside::KNOWS_TRANSLATIONS)
    }
}

fn to_sockets(listed: impl IntoIterator<Item = Listener>) -> Vec<Socket> {
    let mut processes = HashMap::new();
    listed
        .into_iter()
        .map(|listener| to_socket(&listener, &mut processes))
        .collect()
}

fn to_socket(listener: &Listener, processes: &mut HashMap<u32, Arc<Process>>) -> Socket {
    let process = match processes.entry(listener.process.pid) {
        Entry::Occupied(known) => Arc::clone(known.get()),
        Entry::Vacant(vacant) => Arc::clone(vacant.insert(Arc::new(to_process(&listener.process)))),
    };
    Socket {
        protocol: match listener.protocol {
            listeners::Protocol::TCP => Protocol::Tcp,
            listeners::Protocol::UDP => Protocol::Udp,
        },
        local: listener.socket,
        remote: None,
        state: to_state(listener.state),
        v6_only: false,
        device: None,
        id: None,
        uid: None,
        inode: None,
        namespace: None,
        packet: None,
        owner: Verdict::Process(process),
    }
}

const fn to_state(state: listeners::SocketState) -> Option<SocketState> {
    use listeners::SocketState as Theirs;
    Some(match state {
        Theirs::Established => SocketState::Established,
        Theirs::SynSent => SocketState::SynSent,
        Theirs::SynReceived => SocketState::SynReceived,
        Theirs::FinWait1 => SocketState::FinWait1,
        Theirs::FinWait2 => SocketState::FinWait2,
        Theirs::TimeWait => SocketState::TimeWait,
        Theirs::Closed => SocketState::Closed,
        Theirs::CloseWait => SocketState::CloseWait,
        Theirs::LastAck => SocketState::LastAck,
        Theirs::Listen => SocketState::Listen,
        Theirs::Closing => SocketState::Closing,
        Theirs::Unknown => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, path: &str, expected: (&str, Option<&str>, bool)) {
        let process = to_process(&listeners::Process {
            pid: 7,
            name: name.to_owned(),
            path: path.to_owned(),
        });
        let path = process.path.as_ref().and_then(|path| path.to_str());
        assert_eq!(
            (process.name.as_str(), path, process.path_deleted),
            expected
        );
        assert_eq!((process.started, process.user), (None, None));
    }

    #[test]
    fn names_and_paths() {
        check(
            "curl",
            "/usr/bin/curl",
            ("curl", Some("/usr/bin/curl"), false),
        );
        check("curl", "", ("curl", None, false));
        check("a", "/tmp/a (deleted)", ("a", Some("/tmp/a"), true));
        // Cut by the kernel at 15 bytes.
        let path = "/usr/lib/systemd/systemd-resolved";
        check(
            "systemd-resolve",
            path,
            ("systemd-resolved", Some(path), false),
        );
        // The process renamed itself: the name says more than the file.
        let path = "/usr/bin/nginx";
        check(
            "nginx: worker p",
            path,
            ("nginx: worker p", Some(path), false),
        );
    }
}
