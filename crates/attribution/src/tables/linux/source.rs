//! Where the sockets come from: `sock_diag`, or `/proc/net` if that is missing.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::elsewhere::Elsewhere;
use super::netlink::diag::Diag;
use super::netlink::exchange::Location;
use super::netlink::message::{DiagSocket, Which};
use super::procfs::net;
use super::procfs::proc::{Proc, ReadBuffers};
use super::sys::openat;
use crate::answer::query::normalize;
use crate::answer::{Protocol, SocketState};
use crate::policy::freshness::{WAITING_SOCKET, WAITING_SOCKETS};

/// The sockets of one network namespace.
#[derive(Debug)]
pub(crate) struct Sockets {
    diag: Option<Diag>,
    /// `None` for another namespace: the lists are of our own.
    files: Option<Files>,
    /// Of another namespace, the way to its lists.
    elsewhere: Option<Elsewhere>,
    /// Whether the kernel has not listed raw sockets when it was asked: each question would have it
    /// look for a module (`sock_load_diag_module` in `net/core/sock_diag.c`).
    lacks_raw: bool,
    /// What waited for peers on a port, by protocol and port, and when.
    waiting: HashMap<(Protocol, u16), (Instant, Vec<DiagSocket>)>,
    /// Whether no socket of another namespace has the same cookie.
    has_cookies: bool,
}

/// Ports whose lists are kept.
const MAX_WAITING: usize = 64;

/// The lists in `/proc/net`, each read anew for each question.
#[derive(Debug)]
struct Files {
    proc: Arc<Proc>,
    buffers: ReadBuffers,
}

impl Sockets {
    /// `sock_diag` if it is wanted and answers.
    pub(crate) fn open(proc: &Arc<Proc>, sock_diag: bool) -> io::Result<Self> {
        let diag = match sock_diag.then(|| Diag::open(Location::Own)) {
            None => None,
            Some(Ok(diag)) => Some(diag),
            // A limit was reached: the other lists would tell less, for as long as this lives.
            Some(Err(error)) if is_exhausted(&error) => return Err(error),
            Some(Err(error)) => {
                tracing::warn!(%error, "sock_diag does not answer: /proc/net is read");
                None
            }
        };
        let mut files = Files {
            proc: Arc::clone(proc),
            buffers: ReadBuffers::default(),
        };
        if diag.is_none() {
            files.list(Protocol::Tcp, Which::All, &mut Vec::new())?;
        }
        Ok(Self {
            diag,
            files: Some(files),
            elsewhere: None,
            lacks_raw: false,
            waiting: HashMap::new(),
            has_cookies: true,
        })
    }

    /// `sock_diag` of another namespace, by the thread that has entered it through this file.
    pub(crate) fn open_elsewhere(namespace: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            diag: Some(Diag::open(Location::Entered)?),
            files: None,
            elsewhere: Some(Elsewhere::new(namespace)),
            lacks_raw: false,
            waiting: HashMap::new(),
            has_cookies: are_cookies_counted_once(),
        })
    }

    /// A second one of the same kind, for another thread; `None` if the kernel refuses it.
    pub(crate) fn another(&self) -> Option<Self> {
        let diag = match &self.diag {
            Some(_) => Some(Diag::open(Location::Own).ok()?),
            None => None,
        };
        let files = self.files.as_ref().map(|files| Files {
            proc: Arc::clone(&files.proc),
            buffers: ReadBuffers::default(),
        });
        Some(Self {
            diag,
            files,
            elsewhere: None,
            lacks_raw: self.lacks_raw,
            waiting: HashMap::new(),
            has_cookies: self.has_cookies,
        })
    }

    /// Whether [`exact_on`](Self::exact_on) also finds sockets that wait for peers.
    pub(crate) const fn tells_listeners(&self) -> bool {
        self.diag.is_some()
    }

    /// The socket that a packet between these ends belongs to, or one that would take
    /// it; `None` where there is none. The packet is of an interface, by its number; 0 for one
    /// that no socket is bound to.
    pub(crate) fn exact_on(
        &mut self,
        interface: u32,
        protocol: Protocol,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> io::Result<Option<DiagSocket>> {
        match (&mut self.diag, &mut self.files) {
            (Some(diag), _) if self.has_cookies => diag.exact(interface, protocol, local, remote),
            (Some(diag), _) => {
                let found = diag.exact(interface, protocol, local, remote)?;
                Ok(found.map(without_cookie))
            }
            (None, Some(files)) => files.exact(protocol, local, remote),
            (None, None) => Ok(None),
        }
    }

    /// What waits for peers on a port. Asked anew unless the witness, one of them, was among
    /// those of a moment ago: then none has taken their place.
    pub(crate) fn waiting(
        &mut self,
        protocol: Protocol,
        port: u16,
        witness: Option<&DiagSocket>,
    ) -> io::Result<Vec<DiagSocket>> {
        let key = (protocol, port);
        if let Some(witness) = witness
            && let Some((listed, sockets)) = self.waiting.get(&key)
            && let Some(sockets) = still_good(protocol, sockets, witness, listed.elapsed())
        {
            return Ok(sockets);
        }
        let mut sockets = Vec::new();
        let now = Instant::now();
        self.list(protocol, Which::Waiting(port), &mut sockets)?;
        if self.waiting.len() >= MAX_WAITING {
            self.waiting.clear();
        }
        self.waiting.insert(key, (now, sockets.clone()));
        Ok(sockets)
    }

    /// Adds the sockets of both families.
    pub(crate) fn list(
        &mut self,
        protocol: Protocol,
        which: Which,
        sockets: &mut Vec<DiagSocket>,
    ) -> io::Result<()> {
        let start = sockets.len();
        let is_left_out = protocol == Protocol::Raw && self.lacks_raw;
        let is_told = match &mut self.diag {
            Some(diag) if !is_left_out => diag.dump(protocol, which, sockets)?,
            _ => false,
        };
        self.lacks_raw |= protocol == Protocol::Raw && !is_told;
        if protocol == Protocol::Tcp {
            // What is closed is listed only if it is bound, and listed as what it is to the
            // kernel (`inet_diag_dump_icsk` in `net/ipv4/inet_diag.c`).
            let listed = sockets.iter_mut().skip(start);
            let closed = listed.filter(|one| one.state == Some(SocketState::Closed));
            closed.for_each(|one| one.state = Some(SocketState::Bound));
        }
        let has_cookies = self.has_cookies;
        match (&mut self.files, &mut self.elsewhere) {
            (Some(files), _) if !is_told => files.list(protocol, which, sockets),
            (_, Some(elsewhere)) if !is_told => elsewhere.list(protocol, which, sockets),
            _ if has_cookies => Ok(()),
            _ => {
                for socket in &mut sockets[start..] {
                    *socket = without_cookie(*socket);
                }
                Ok(())
            }
        }
    }
}

/// Whether no two namespaces give the same cookie (`sock_gen_cookie` in
/// `net/core/sock_diag.c`, since Linux 5.10).
pub(crate) fn are_cookies_counted_once() -> bool {
    let name = rustix::system::uname();
    let mut numbers = name.release().to_str().unwrap_or_default().split('.');
    let mut number = || numbers.next()?.parse::<u32>().ok();
    (number(), number()) >= (Some(5), Some(10))
}

/// Whether there is no room, or no number for another file: that passes, or a limit can be
/// raised.
fn is_exhausted(error: &io::Error) -> bool {
    let error = Errno::from_io_error(error);
    matches!(
        error,
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS)
    )
}

const fn without_cookie(socket: DiagSocket) -> DiagSocket {
    DiagSocket {
        cookie: 0,
        ..socket
    }
}

/// The sockets of a list of that age that still count beside one that the kernel has just found.
///
/// Of TCP listeners, the kernel finds the one with the best address. Those on other addresses
/// cannot take its connections, and may have been closed since. All addresses of one family and of
/// both are as good.
fn still_good(
    protocol: Protocol,
    listed: &[DiagSocket],
    witness: &DiagSocket,
    age: Duration,
) -> Option<Vec<DiagSocket>> {
    let is_witness = |one: &&DiagSocket| one.cookie != 0 && one.cookie == witness.cookie;
    let known = listed.iter().find(is_witness)?;
    let is_dual = |one: &DiagSocket| one.local.ip().is_unspecified() && !one.v6_only;
    let competes = |one: &&DiagSocket| {
        protocol != Protocol::Tcp || one.local == known.local || (is_dual(one) && is_dual(known))
    };
    let good: Vec<_> = listed.iter().filter(competes).copied().collect();
    let good_for = if good.len() == 1 {
        WAITING_SOCKET
    } else {
        WAITING_SOCKETS
    };
    (age < good_for).then_some(good)
}

impl Files {
    fn exact(
        &mut self,
        protocol: Protocol,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> io::Result<Option<DiagSocket>> {
        let mut sockets = Vec::new();
        self.list(protocol, Which::OnPort(local.port()), &mut sockets)?;
        let (local, remote) = (normalize(local), normalize(remote));
        let is_it = |socket: &DiagSocket| {
            normalize(socket.local) == local && socket.remote.map(normalize) == Some(remote)
        };
        Ok(sockets.into_iter().find(is_it))
    }

    fn list(
        &mut self,
        protocol: Protocol,
        which: Which,
        sockets: &mut Vec<DiagSocket>,
    ) -> io::Result<()> {
        let start = sockets.len();
        if which == Which::Bound {
            return Ok(());
        }
        // The namespace of this thread, which may have entered another than the process.
        let (flags, root) = (
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            self.proc.root(),
        );
        match openat(root, c"thread-self", flags, Mode::empty()) {
            Ok(thread) => net::read(thread, protocol, &mut self.buffers, sockets)?,
            Err(_) => net::read(root, protocol, &mut self.buffers, sockets)?,
        }
        which.keep(protocol, start, sockets);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(address: &str, cookie: u64) -> DiagSocket {
        DiagSocket {
            local: address.parse().unwrap(),
            remote: None,
            state: Some(SocketState::Listen),
            inode: 1,
            uid: 0,
            cookie,
            v6_only: false,
            device: None,
            packet: None,
            cgroup: None,
            unaccepted: None,
        }
    }

    #[test]
    fn a_listener_on_another_address_neither_answers_nor_shortens_a_list() {
        let here = listener("127.0.0.1:80", 1);
        let other = listener("[::1]:80", 2);
        let after = WAITING_SOCKETS * 2;
        let good = still_good(Protocol::Tcp, &[other, here], &here, after);
        assert_eq!(good, Some(vec![here]));
        assert_eq!(
            still_good(Protocol::Tcp, &[other, here], &here, WAITING_SOCKET),
            None
        );
        // Each of these may have sent a datagram.
        let good = still_good(Protocol::Udp, &[other, here], &here, Duration::ZERO);
        assert_eq!(good, Some(vec![other, here]));
        assert_eq!(
            still_good(Protocol::Udp, &[other, here], &here, after),
            None
        );
    }

    #[test]
    fn a_list_of_a_group_is_good_for_a_moment() {
        let group = [listener("127.0.0.1:80", 1), listener("127.0.0.1:80", 2)];
        let good = |age| still_good(Protocol::Tcp, &group, &group[1], age);
        assert_eq!(good(Duration::ZERO), Some(group.to_vec()));
        assert_eq!(good(WAITING_SOCKETS), None);
    }

    #[test]
    fn a_socket_that_was_not_listed_is_looked_for_anew() {
        let (old, new) = (listener("127.0.0.1:80", 1), listener("127.0.0.1:80", 2));
        assert_eq!(
            still_good(Protocol::Tcp, &[old], &new, Duration::ZERO),
            None
        );
        let unnumbered = listener("127.0.0.1:80", 0);
        let good = still_good(Protocol::Tcp, &[unnumbered], &unnumbered, Duration::ZERO);
        assert_eq!(good, None);
    }
}
