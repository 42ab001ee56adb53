//! Reads the lists in `/proc/net` of another network namespace, for sockets that `sock_diag` does
//! not list.
//!
//! The kernel shows the lists of the namespace of the reading thread (`get_proc_task_net` in
//! `fs/proc/proc_net.c`). So a thread enters the namespace for each query.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::fs::{CWD, Mode, OFlags};

use super::netlink::message::{DiagSocket, Which};
use super::procfs::net;
use super::procfs::proc::ReadBuffers;
use super::sys;
use crate::answer::Protocol;
use crate::policy::freshness::LISTED_ELSEWHERE;

/// The protocols that one visit reads.
const LISTED: [Protocol; 2] = [Protocol::Icmp, Protocol::Raw];

/// Access to the lists of a namespace.
#[derive(Debug)]
pub(crate) struct Elsewhere {
    namespace: OwnedFd,
    /// The result of the last visit, and when it began: a list of all sockets requests one protocol
    /// after the other.
    last: Option<(Instant, [Vec<DiagSocket>; 2])>,
}

impl Elsewhere {
    pub(crate) const fn new(namespace: OwnedFd) -> Self {
        Self {
            namespace,
            last: None,
        }
    }

    /// Adds the sockets of a protocol. Adds none if the lists do not contain it.
    pub(crate) fn list(
        &mut self,
        protocol: Protocol,
        which: Which,
        sockets: &mut Vec<DiagSocket>,
    ) -> io::Result<()> {
        let Some(place) = LISTED.iter().position(|one| *one == protocol) else {
            return Ok(());
        };
        let is_old = |(at, _): &(Instant, _)| at.elapsed() >= LISTED_ELSEWHERE;
        if self.last.as_ref().is_none_or(is_old) {
            self.last = Some((Instant::now(), self.visit()?));
        }
        let start = sockets.len();
        if let Some((_, lists)) = &mut self.last {
            // Each list serves one request.
            sockets.append(&mut lists[place]);
            if lists.iter().all(Vec::is_empty) {
                self.last = None;
            }
        }
        which.keep(protocol, start, sockets);
        Ok(())
    }

    fn visit(&self) -> io::Result<[Vec<DiagSocket>; 2]> {
        let namespace = self.namespace.try_clone()?;
        let visiting = std::thread::Builder::new().name("flowner-enter".to_owned());
        let system = sys::System::of_this_thread();
        let visiting = visiting.spawn(move || {
            system.take_over();
            // This affects only this thread (setns(2)), which ends here.
            sys::enter_network_namespace(&namespace)?;
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let thread = sys::openat(CWD, sys::own_directory(), flags, Mode::empty())?;
            let mut buffers = ReadBuffers::default();
            let mut lists = [Vec::new(), Vec::new()];
            for (protocol, list) in LISTED.into_iter().zip(&mut lists) {
                net::read(&thread, protocol, &mut buffers, list)?;
            }
            Ok(lists)
        })?;
        let visited = visiting.join();
        visited.unwrap_or_else(|_panicked| Err(io::ErrorKind::Other.into()))
    }
}
