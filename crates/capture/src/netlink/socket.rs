//! Netlink sockets: one for requests, one for notifications. Both belong to the network namespace
//! of the thread that opened them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::{Errno, retry_on_intr};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::answer::{Expected, Progress, read};
use super::frame::{Malformed, request};
use super::options;

/// `NLM_F_DUMP`.
const DUMP: u16 = 0x300;
/// The kernel fills at most 32 KiB at a time (`netlink_recvmsg`).
const BUFFER: usize = 32 * 1024;
/// How long the kernel may take for the next part of an answer. It writes each part before the
/// request returns, so a wait is this long only if an answer is lost.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long a whole answer may take.
const DEADLINE: Duration = Duration::from_secs(2);
/// The largest number of parts or notifications that one call takes.
const MOST_DRAINED: usize = 4_096;
/// What a list is of may change meanwhile.
const ATTEMPTS: usize = 5;

/// Makes lists until one is whole. `list` fills a list, and returns false if it may lack entries.
///
/// # Errors
///
/// The error of `list`; [`io::ErrorKind::Interrupted`] if no list is whole.
pub(crate) fn whole_list<T>(
    mut list: impl FnMut(&mut Vec<T>) -> io::Result<bool>,
) -> io::Result<Vec<T>> {
    for _ in 0..ATTEMPTS {
        let mut listed = Vec::new();
        if list(&mut listed)? {
            return Ok(listed);
        }
    }
    Err(io::ErrorKind::Interrupted.into())
}

/// A socket for requests, one at a time.
#[derive(Debug)]
pub(crate) struct Netlink {
    socket: OwnedFd,
    buffer: Vec<u8>,
    sequence: u32,
    /// Whether the socket may still contain the rest of an answer.
    has_rest: bool,
}

impl Netlink {
    /// Opens a socket to a part of the kernel; `None` is `NETLINK_ROUTE`, which is 0.
    pub(crate) fn open(part: Option<Protocol>) -> io::Result<Self> {
        let socket = open(part)?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        Ok(Self {
            socket,
            buffer: vec![0; BUFFER],
            sequence: 0,
            has_rest: false,
        })
    }

    /// Makes the kernel list only what a request asks for.
    ///
    /// # Errors
    ///
    /// On kernels before Linux 4.20.
    pub(crate) fn strict(self) -> io::Result<Self> {
        options::set_strict(&self.socket)?;
        Ok(self)
    }

    /// Requests one message, and passes its type and the bytes after its header to `take`.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub(crate) fn one<T>(
        &mut self,
        kind: u16,
        body: &[u8],
        mut take: impl FnMut(u16, &[u8]) -> Result<T, Malformed>,
    ) -> io::Result<T> {
        let mut found = None;
        self.ask(kind, 0, body, Expected::One, |kind, body| {
            found = Some(take(kind, body)?);
            Ok(())
        })?;
        found.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Requests a list, and passes the type of each message and the bytes after its header to
    /// `take`. False if the list changed meanwhile, so some entries may be missing.
    ///
    /// # Errors
    ///
    /// The error of the kernel; [`io::ErrorKind::InvalidData`] for malformed answers; and
    /// [`io::ErrorKind::WouldBlock`] or [`io::ErrorKind::TimedOut`] if the answer does not end.
    pub(crate) fn list(
        &mut self,
        kind: u16,
        body: &[u8],
        take: impl FnMut(u16, &[u8]) -> Result<(), Malformed>,
    ) -> io::Result<bool> {
        let is_disturbed = self.ask(kind, DUMP, body, Expected::List, take)?;
        Ok(!is_disturbed)
    }

    /// Sends a request and reads the whole answer. Returns whether the dump was interrupted.
    fn ask(
        &mut self,
        kind: u16,
        flags: u16,
        body: &[u8],
        expected: Expected,
        take: impl FnMut(u16, &[u8]) -> Result<(), Malformed>,
    ) -> io::Result<bool> {
        if self.has_rest {
            self.drain();
        }
        self.sequence = self.sequence.wrapping_add(1);
        let request = request(kind, flags, self.sequence, body);
        let kernel = SocketAddrNetlink::new(0, 0);
        retry_on_intr(|| rustix::net::sendto(&self.socket, &request, SendFlags::empty(), &kernel))?;
        self.has_rest = true;
        let is_disturbed = self.receive_all(expected, take)?;
        self.has_rest = false;
        Ok(is_disturbed)
    }

    fn receive_all(
        &mut self,
        expected: Expected,
        mut take: impl FnMut(u16, &[u8]) -> Result<(), Malformed>,
    ) -> io::Result<bool> {
        let until = Instant::now() + DEADLINE;
        let mut is_disturbed = false;
        loop {
            let waits = RecvFlags::empty();
            let length = retry_on_intr(|| receive(&self.socket, &mut self.buffer, waits))?;
            let progress: Progress =
                read(&self.buffer[..length], self.sequence, expected, &mut take)?;
            is_disturbed |= progress.is_disturbed;
            if progress.is_over {
                return Ok(is_disturbed);
            }
            if Instant::now() > until {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }

    /// Discards the rest of an answer: during a list, the kernel begins no other.
    fn drain(&mut self) {
        for _ in 0..MOST_DRAINED {
            match receive(&self.socket, &mut self.buffer, RecvFlags::DONTWAIT) {
                Ok(_) | Err(Errno::INTR | Errno::NOBUFS) => {}
                Err(_) => return,
            }
        }
    }
}

/// A socket for notifications of `NETLINK_ROUTE`.
#[derive(Debug)]
pub(crate) struct Notices {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Notices {
    /// Receives notifications of these groups from now on.
    pub(crate) fn open(groups: u32) -> io::Result<Self> {
        let socket = open(None)?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, groups))?;
        Ok(Self {
            socket,
            buffer: vec![0; BUFFER],
        })
    }

    /// Passes the bytes of each datagram to `take` without waiting, or `None` if messages were
    /// lost.
    pub(crate) fn drain(&mut self, mut take: impl FnMut(Option<&[u8]>)) {
        for _ in 0..MOST_DRAINED {
            match receive(&self.socket, &mut self.buffer, RecvFlags::DONTWAIT) {
                // 0 means that another process sent it.
                Ok(0) | Err(Errno::INTR) => {}
                Ok(length) => take(Some(&self.buffer[..length])),
                // There was no room for them.
                Err(Errno::NOBUFS) => take(None),
                Err(_) => return,
            }
        }
    }
}

/// Readable when there are notifications.
impl AsFd for Notices {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn open(part: Option<Protocol>) -> io::Result<OwnedFd> {
    Ok(rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        part,
    )?)
}

/// The length of a datagram from the kernel: 0 if another process sent it.
fn receive(socket: &OwnedFd, buffer: &mut [u8], flags: RecvFlags) -> Result<usize, Errno> {
    let (length, _, sender) = rustix::net::recvfrom(socket, buffer, flags)?;
    let sender = sender.and_then(|sender| SocketAddrNetlink::try_from(sender).ok());
    let is_kernel = sender.is_some_and(|sender| sender.pid() == 0);
    Ok(if is_kernel { length } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `RTM_NEWLINK`, `RTM_GETLINK`.
    const NEW: u16 = 16;
    const GET: u16 = 18;

    fn of_link(index: u32) -> [u8; 16] {
        let mut body = [0; 16];
        body[4..8].copy_from_slice(&index.to_ne_bytes());
        body
    }

    #[test]
    fn a_refusal_or_half_an_answer_does_not_disturb_the_next() {
        let mut netlink = Netlink::open(None).unwrap();
        for _ in 0..3 {
            let error = netlink.one(GET, &of_link(u32::MAX >> 1), |_, _| Ok(()));
            assert!(error.is_err());
            let index = netlink.one(GET, &of_link(1), |kind, body| {
                assert_eq!(kind, NEW);
                crate::netlink::u32_at(body, 4).ok_or(Malformed)
            });
            assert_eq!(index.unwrap(), 1);
            // The caller does not read the list to its end.
            let error = netlink.list(GET, &of_link(0), |_, _| Err(Malformed));
            assert_eq!(error.unwrap_err().kind(), io::ErrorKind::InvalidData);
            let mut links = 0;
            let listed = netlink.list(GET, &of_link(0), |kind, _| {
                links += usize::from(kind == NEW);
                Ok(())
            });
            assert!(listed.is_ok() && links > 0);
        }
    }

    #[test]
    fn an_answer_that_does_not_come_is_not_awaited() {
        let mut netlink = Netlink::open(None).unwrap();
        // The kernel does not answer `NLMSG_NOOP`.
        let started = Instant::now();
        let error = netlink.one(1, &[], |_, _| Ok(())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(started.elapsed() >= PATIENCE / 2);
    }

    #[test]
    fn there_may_be_no_notices() {
        let mut notices = Notices::open(1).unwrap();
        notices.drain(|_| {});
    }
}
