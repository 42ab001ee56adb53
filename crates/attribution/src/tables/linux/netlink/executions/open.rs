//! Opens the socket to which the kernel reports executed programs.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::netlink;

use super::events::{self, Event};
use crate::tables::linux::netlink::link::Link;
use crate::tables::linux::procfs::facts;
use crate::tables::linux::procfs::namespace_id::NamespaceId;
use crate::tables::linux::procfs::proc::{Proc, ReadBuffers};
use crate::tables::linux::sys;

/// Room for some thousands of reports.
const BUFFER: usize = 1024 * 1024;
/// Reports that may come before the answer to the request.
const MAX_BEFORE: usize = 1_024;
/// How many generations of this process are searched for one in the first namespace of networks.
const GENERATIONS: usize = 16;
/// `init` and `kthreadd`.
const FIRST: [u32; 2] = [1, 2];

/// Opens it, in the first namespace of networks.
pub(super) fn open(proc: &Proc) -> io::Result<Link> {
    // The kernel ignores requests from elsewhere without a word.
    if sys::is_scripted() || !proc.is_in_first_namespaces() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    match listen() {
        // The kernel has no such socket in this namespace.
        Err(error) if Errno::from_io_error(&error) == Some(Errno::CONNREFUSED) => {}
        opened => return opened,
    }
    let mut tried = vec![proc.own_network_namespace()?];
    for pid in candidates(proc) {
        let Ok(namespace) = proc.network_namespace(pid) else {
            continue;
        };
        if tried.contains(&namespace) {
            continue;
        }
        tried.push(namespace);
        let file = proc.open_network_namespace(pid)?;
        if NamespaceId::of(&file).is_ok_and(|found| found == namespace)
            && let Ok(link) = listen_in(file)
        {
            return Ok(link);
        }
    }
    Err(Errno::CONNREFUSED.into())
}

/// Processes that may be in the first namespace of networks: the first ones, and those that this one
/// comes from.
fn candidates(proc: &Proc) -> Vec<u32> {
    let mut buffers = ReadBuffers::default();
    let mut pids = FIRST.to_vec();
    let mut next = Some(std::process::id());
    for _ in 0..GENERATIONS {
        let directory = next.and_then(|pid| proc.process(pid).ok());
        let stat = directory.and_then(|directory| facts::stat_of(&directory, &mut buffers));
        next = stat.map(|stat| stat.parent).filter(|parent| *parent > 1);
        pids.extend(next);
    }
    pids
}

fn listen_in(namespace: OwnedFd) -> io::Result<Link> {
    let thread = std::thread::Builder::new().name("flowner-enter".to_owned());
    let thread = thread.spawn(move || {
        // Of this thread only (setns(2)), which ends here.
        sys::enter_network_namespace(&namespace)?;
        listen()
    })?;
    let opened = thread.join();
    opened.unwrap_or_else(|_panicked| Err(io::ErrorKind::Other.into()))
}

/// Opens a socket in the namespace of this thread, and asks for reports.
fn listen() -> io::Result<Link> {
    let mut link = Link::open(Some(netlink::CONNECTOR), events::GROUP)?;
    link.keep_only(events::EVENT, &[events::ACKNOWLEDGED, events::EXECUTED])?;
    link.make_room(BUFFER);
    link.send(&events::request(events::LISTEN))?;
    // The kernel answers before it takes the next request.
    let mut buffer = [0; events::MAX_LEN];
    for _ in 0..MAX_BEFORE {
        let received = link.receive(&mut buffer, true)?;
        let bytes = buffer.get(..received.length).unwrap_or_default();
        match events::event(bytes).filter(|_| received.is_from_kernel) {
            Some(Event::Acknowledged(0)) => return Ok(link),
            Some(Event::Acknowledged(error)) => {
                return Err(io::Error::from_raw_os_error(error.saturating_abs()));
            }
            Some(Event::Executed { .. }) | None => {}
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}
