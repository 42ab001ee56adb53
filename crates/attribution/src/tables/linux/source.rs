//! The source of sockets: `sock_diag`, or `/proc/net` if that is missing.

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
use crate::answer::{Protocol, SocketState, TcpInfo};
use crate::policy::freshness::{WAITING_SOCKET, WAITING_SOCKETS};

/// The sockets of one network namespace.
#[derive(Debug)]
pub(crate) struct Sockets {
    diag: Option<Diag>,
    /// `None` for another namespace: the lists are those of our own.
    files: Option<Files>,
    /// For another namespace, access to its lists.
    elsewhere: Option<Elsewhere>,
    /// Whether the kernel did not list raw sockets at the last request: each request would make it
    /// search for a module (`sock_load_diag_module` in `net/core/sock_diag.c`).
    lacks_raw: bool,
    /// The sockets that waited for peers on a port, by protocol and port, with the time.
    waiting: HashMap<(Protocol, u16), (Instant, Vec<DiagSocket>)>,
    /// Whether no socket of another namespace has the same cookie.
    has_cookies: bool,
}

/// The number of ports whose lists are kept.
const MAX_WAITING: usize = 64;

/// The lists in `/proc/net`, read anew for each query.
#[derive(Debug)]
struct Files {
    proc: Arc<Proc>,
    buffers: ReadBuffers,
}

impl Sockets {
    /// Uses `sock_diag` if it is wanted and answers.
    pub(crate) fn open(proc: &Arc<Proc>, sock_diag: bool) -> io::Result<Self> {
        let diag = match sock_diag.then(|| Diag::open(Location::Own)) {
            None => None,
            Some(Ok(diag)) => Some(diag),
            // A limit was reached. The other lists would show less, for the lifetime of this.
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
    pub(crate) const fn finds_listeners(&self) -> bool {
        self.diag.is_some()
    }

    /// The socket that exchanges packets between these ends, or one that would accept them; `None`
    /// if there is none. The packets are of the interface with this index; 0 for one to which no
    /// socket is bound.
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

    /// The sockets that wait for peers on a port. Requests a new list unless a recent one contains
    /// the witness, which is one of them: then no other has replaced it.
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

    /// What the kernel says of TCP connections besides their ends, by cookie. Nothing where it does
    /// not, or where another namespace may have the same cookies.
    pub(crate) fn tcp_info(&mut self) -> io::Result<Vec<(u64, TcpInfo)>> {
        match &mut self.diag {
            Some(diag) if self.has_cookies => diag.tcp_info(),
            _ => Ok(Vec::new()),
        }
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
        let is_listed = match &mut self.diag {
            Some(diag) if !is_left_out => diag.dump(protocol, which, sockets)?,
            _ => false,
        };
        self.lacks_raw |= protocol == Protocol::Raw && !is_listed;
        if protocol == Protocol::Tcp {
            // The kernel lists a closed socket only if it is bound, and with that state
            // (`inet_diag_dump_icsk` in `net/ipv4/inet_diag.c`).
            let listed = sockets.iter_mut().skip(start);
            let closed = listed.filter(|one| one.state == Some(SocketState::Closed));
            closed.for_each(|one| one.state = Some(SocketState::Bound));
        }
        let has_cookies = self.has_cookies;
        match (&mut self.files, &mut self.elsewhere) {
            (Some(files), _) if !is_listed => files.list(protocol, which, sockets),
            (_, Some(elsewhere)) if !is_listed => elsewhere.list(protocol, which, sockets),
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

/// Whether memory or descriptors ran out: that may pass, or an administrator can raise the limit.
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
/// cannot accept its connections, and may have closed since. The wildcards of one family and of
/// both count the same.
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
        // The namespace of this thread, which may differ from that of the process.
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
    fn a_list_for_a_group_is_valid_for_a_moment() {
        let group = [listener("127.0.0.1:80", 1), listener("127.0.0.1:80", 2)];
        let good = |age| still_good(Protocol::Tcp, &group, &group[1], age);
        assert_eq!(good(Duration::ZERO), Some(group.to_vec()));
        assert_eq!(good(WAITING_SOCKETS), None);
    }

    #[test]
    fn a_socket_missing_in_the_list_causes_a_new_request() {
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
