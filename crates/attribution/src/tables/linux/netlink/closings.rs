//! Receives the kernel's reports of closed sockets.
//!
//! The kernel sends a message for each destroyed socket to the members of some groups
//! (`sock_diag_broadcast_destroy` in `net/core/sock_diag.c`, since Linux 4.4). Sockets of this
//! network namespace need no privilege; those of namespaces to which devices lead need
//! `CAP_NET_BROADCAST`. The message identifies the socket by its cookie and has no time, so a
//! thread receives it at once.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::SystemTime;

use rustix::io::Errno;
use rustix::net::netlink;

use super::link::Link;
use super::message::{self, DiagSocket, Message};
use crate::answer::{Protocol, SocketId, SocketNamespace};
use crate::observers::linux::sched;
use crate::observers::linux::wake_fd::WakeFd;
use crate::tables::fast_lookup::{Closed, ClosedSocket};
use crate::tables::linux::source;

/// `SKNLGRP_INET_UDP_DESTROY` and `SKNLGRP_INET6_UDP_DESTROY` (`linux/sock_diag.h`), as bits.
const GROUPS: u32 = 1 << 1 | 1 << 3;
/// The number of closed sockets that wait for the caller.
const MAX: usize = 4_096;

/// Receives reports of closed sockets. Dropping this ends its thread.
#[derive(Debug)]
pub(crate) struct Closings {
    shared: Arc<Shared>,
    wake_fd: WakeFd,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Whether any report waits: this check costs nothing.
    has_any: AtomicBool,
    closed: Mutex<Closed>,
}

impl Closings {
    /// Joins the groups, and starts the thread.
    pub(crate) fn watch() -> io::Result<Self> {
        let (shared, wake_fd) = (Arc::<Shared>::default(), WakeFd::new()?);
        let watcher = Watcher::new(Arc::clone(&shared), wake_fd.clone())?;
        let thread = std::thread::Builder::new()
            .name("flowner-closed".to_owned())
            .spawn(move || watcher.run())?;
        Ok(Self {
            shared,
            wake_fd,
            thread: Some(thread),
        })
    }

    /// The sockets that closed since the last call.
    pub(crate) fn take(&self) -> Closed {
        self.shared.take()
    }
}

impl Drop for Closings {
    fn drop(&mut self) {
        self.wake_fd.wake();
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            tracing::error!("the thread that watches sockets being closed has panicked");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Closed> {
        // Between calls the guarded data is consistent, even after a panic elsewhere.
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Closed {
        // A write costs more than a read, and the caller comes here with each packet.
        if !self.has_any.load(Ordering::Relaxed) || !self.has_any.swap(false, Ordering::Acquire) {
            return Closed::default();
        }
        std::mem::take(&mut *self.lock())
    }

    fn add(&self, sockets: impl Iterator<Item = ClosedSocket>) {
        let mut closed = self.lock();
        for socket in sockets {
            if closed.sockets.len() >= MAX {
                closed.sockets.clear();
                closed.is_incomplete = true;
            }
            closed.sockets.push(socket);
        }
        drop(closed);
        self.has_any.store(true, Ordering::Release);
    }

    fn lose(&self) {
        self.lock().is_incomplete = true;
        self.has_any.store(true, Ordering::Release);
    }
}

struct Watcher {
    link: Link,
    buffer: Vec<u8>,
    shared: Arc<Shared>,
    wake_fd: WakeFd,
}

impl Watcher {
    fn new(shared: Arc<Shared>, wake_fd: WakeFd) -> io::Result<Self> {
        /// More than the message about one socket has.
        const BUFFER: usize = 32 * 1024;
        let link = Link::open(Some(netlink::SOCK_DIAG), GROUPS)?;
        if source::are_cookies_counted_once()
            && let Err(error) = link.listen_to_all()
        {
            tracing::debug!(%error, "sockets of containers are closed unseen");
        }
        Ok(Self {
            link,
            buffer: vec![0; BUFFER],
            shared,
            wake_fd,
        })
    }

    fn run(mut self) {
        // The sooner it takes what the kernel tells, the closer is the time that it notes.
        sched::raise_priority();
        while self.wake_fd.waits_for(&self.link) {
            if let Err(error) = self.take() {
                tracing::warn!(%error, "sockets are closed unseen from now on");
                return self.shared.lose();
            }
        }
    }

    /// Receives the reports of the kernel, and records when more came than there was room for.
    fn take(&mut self) -> io::Result<()> {
        match self.link.receive(&mut self.buffer, false) {
            // Another process may send any message.
            Ok(received) if !received.is_from_kernel => {}
            Ok(received) => match self.buffer.get(..received.length) {
                Some(bytes) => {
                    let namespace = if received.is_from_elsewhere {
                        SocketNamespace::AnyOther
                    } else {
                        SocketNamespace::Own
                    };
                    self.shared.add(closed(bytes, namespace, SystemTime::now()));
                }
                None => self.shared.lose(),
            },
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            Err(error) if Errno::from_io_error(&error) == Some(Errno::NOBUFS) => {
                tracing::debug!("more sockets were closed than the kernel could report");
                self.shared.lose();
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// The closed sockets in these messages. Messages that it does not understand have none.
fn closed(
    bytes: &[u8],
    namespace: SocketNamespace,
    at: SystemTime,
) -> impl Iterator<Item = ClosedSocket> {
    let messages = message::messages(bytes).map_while(Result::ok);
    messages.filter_map(move |message| match message {
        Message::Socket(socket) => closed_socket(&socket, namespace, at),
        _ => None,
    })
}

fn closed_socket(
    socket: &DiagSocket,
    namespace: SocketNamespace,
    at: SystemTime,
) -> Option<ClosedSocket> {
    let closed = ClosedSocket::new(SocketId::new(namespace, socket.cookie)?, at);
    // In another namespace, devices have different indexes.
    let device = socket.device.filter(|_| namespace == SocketNamespace::Own);
    let socket = DiagSocket { device, ..*socket };
    Some(closed.between(socket.ends(Protocol::Udp)))
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::answer::SocketQuery;

    /// The kernel's number of a socket of this test.
    fn cookie(socket: &UdpSocket) -> SocketId {
        let cookie = rustix::net::sockopt::socket_cookie(socket).unwrap();
        SocketId::own(cookie).unwrap()
    }

    #[test]
    fn the_kernel_reports_a_closed_socket() {
        let closings = Closings::watch().unwrap();
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(socket) = UdpSocket::bind(address) else {
                continue;
            };
            let (id, before) = (cookie(&socket), SystemTime::now());
            let local = socket.local_addr().unwrap();
            drop(socket);
            let deadline = Instant::now() + Duration::from_secs(10);
            let report = loop {
                let closed = closings.take().sockets;
                if let Some(found) = closed.into_iter().find(|closed| closed.id == id) {
                    break found;
                }
                assert!(Instant::now() < deadline, "{address} was not reported");
                std::thread::sleep(Duration::from_millis(1));
            };
            assert!(before <= report.at && report.at <= SystemTime::now());
            // The message has the ends, though the socket has none any more.
            assert_eq!(report.port(), Some(local.port()));
            let query = SocketQuery::udp(local, "192.0.2.1:53".parse().unwrap());
            assert!(report.may_have_served(&query), "{report:?}");
            let mut other = local;
            other.set_port(local.port().wrapping_add(1));
            let query = SocketQuery::udp(other, "192.0.2.1:53".parse().unwrap());
            assert!(!report.may_have_served(&query), "{report:?}");
        }
    }

    #[test]
    fn an_overflow_is_reported_as_incomplete() {
        // No thread receives the messages, and there is hardly room for them.
        let mut watcher = Watcher::new(Arc::default(), WakeFd::new().unwrap()).unwrap();
        rustix::net::sockopt::set_socket_recv_buffer_size(&watcher.link, 1).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while !watcher.shared.take().is_incomplete {
            for _ in 0..100 {
                drop(UdpSocket::bind("127.0.0.1:0").unwrap());
            }
            watcher.take().unwrap();
            assert!(Instant::now() < deadline, "nothing was lost");
        }
        // A caller that does not collect the reports gets no more than there is room for.
        let id = SocketId::own(7).unwrap();
        let one = ClosedSocket::new(id, SystemTime::now());
        watcher.shared.add(std::iter::repeat_n(one, MAX + 1));
        let closed = watcher.shared.take();
        assert!(closed.is_incomplete && closed.sockets.len() <= MAX);
        assert_eq!(watcher.shared.take(), Closed::default());
    }
}
