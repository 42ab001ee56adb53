//! Closed sockets and their last holders.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::answer::Process;
use crate::answer::matching::distinct;
use crate::hash::NumberMap;
use crate::policy::freshness::CLOSED_CONNECTION;

/// The number of closed sockets whose holders are remembered.
const MAX_RECENT: usize = 1_024;
/// The number of closed connections whose owner is remembered.
const MAX_CLOSED: usize = 32_768;

/// The holders of sockets that closed recently.
#[derive(Debug, Default)]
pub(crate) struct RecentOwners {
    recent: VecDeque<RecentOwner>,
    closed: NumberMap<u64, Owners>,
    closed_order: VecDeque<(u64, Instant)>,
}

/// A socket that a process held at that time, and does not hold any more.
#[derive(Debug)]
struct RecentOwner {
    inode: u32,
    seen: Instant,
    /// When a scan noticed that it does not hold the socket any more, if that may have been seen later,
    /// too: its descriptors are read in parts.
    last_seen: Instant,
    process: Arc<Process>,
}

/// Few connections have more than one owner.
#[derive(Debug)]
enum Owners {
    One(Arc<Process>),
    More(Box<[Arc<Process>]>),
}

impl From<&[Arc<Process>]> for Owners {
    fn from(owners: &[Arc<Process>]) -> Self {
        match owners {
            [owner] => Self::One(Arc::clone(owner)),
            owners => Self::More(owners.into()),
        }
    }
}

impl RecentOwners {
    /// Forgets that a process held a socket until just now.
    pub(super) fn evict_owner(&mut self, pid: u32, inode: u32) {
        self.recent
            .retain(|recent| (recent.process.pid, recent.inode) != (pid, inode));
    }

    pub(super) fn add(&mut self, inode: u32, process: Arc<Process>, seen: Instant, is_cut: bool) {
        if self.recent.len() == MAX_RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(RecentOwner {
            inode,
            seen,
            last_seen: if is_cut { Instant::now() } else { seen },
            process,
        });
    }

    /// The processes that a scan found with a socket since then, and that have closed it or exited.
    /// A process that only an earlier scan found may have passed the socket on before the packet.
    pub(crate) fn of_socket(&self, inode: u32, since: Instant) -> Vec<Arc<Process>> {
        let is_of = |recent: &&RecentOwner| recent.inode == inode && recent.seen >= since;
        let holders = self.recent.iter().filter(is_of);
        let holders = holders.map(|recent| Arc::clone(&recent.process));
        distinct(holders.collect())
    }

    /// The processes that may have had a socket since then, and have closed it or exited.
    pub(crate) fn since(&self, inode: u32, since: Instant) -> impl Iterator<Item = &Arc<Process>> {
        let is_of = move |recent: &&RecentOwner| recent.inode == inode && recent.last_seen >= since;
        let holders = self.recent.iter().filter(is_of);
        holders.map(|recent| &recent.process)
    }

    /// Remembers the owners of a connection by the cookie of its socket, which stays the same until the
    /// end of `TIME_WAIT`.
    pub(crate) fn remember(&mut self, cookie: u64, owners: &[Arc<Process>], now: Instant) {
        if cookie == 0 || owners.is_empty() || self.remembered(cookie) == owners {
            return;
        }
        let is_over = |(_, since): &(u64, Instant)| now.duration_since(*since) > CLOSED_CONNECTION;
        while self.closed_order.len() >= MAX_CLOSED
            || self.closed_order.front().is_some_and(is_over)
        {
            if let Some((old, _)) = self.closed_order.pop_front() {
                self.closed.remove(&old);
            }
        }
        self.closed_order.push_back((cookie, now));
        self.closed.insert(cookie, Owners::from(owners));
    }

    /// Forgets the owners of the connection with this cookie if all of them are among these
    /// processes, which do not hold it any more, or not alone.
    pub(crate) fn forget(&mut self, cookie: u64, owners: &[Arc<Process>]) {
        let is_one = |owner: &Arc<Process>| owners.iter().any(|one| one.id() == owner.id());
        if self.remembered(cookie).iter().all(is_one) {
            self.closed.remove(&cookie);
        }
    }

    /// The owners of the connection with this cookie.
    pub(crate) fn remembered(&self, cookie: u64) -> &[Arc<Process>] {
        match self.closed.get(&cookie) {
            None => &[],
            Some(Owners::One(owner)) => std::slice::from_ref(owner),
            Some(Owners::More(owners)) => owners,
        }
    }
}
