//! Whether other processes hold the socket of named ones, too.

use std::time::SystemTime;

use super::Confirmation;
use crate::answer::Ownership;
use crate::tables::fast_lookup::Confirmed;
use crate::tables::linux::fd_scanner::others::Others;
use crate::tables::linux::fd_scanner::{Kind, Wanted};
use crate::tables::linux::netlink::message::DiagSocket;

impl Confirmation<'_> {
    /// The result for a socket that all named processes hold: whether another one does, too.
    pub(super) fn unless_shared(
        &self,
        known: &Ownership,
        inode: u32,
        since: SystemTime,
    ) -> Confirmed {
        let (scanner, named) = (&self.lookup.scanner, known.verdict.processes());
        // What a search has found until this time is known now.
        let alone_at = scanner.searched_until(named);
        match scanner.known_others(named, inode, known.evidence.observed_at) {
            Others::Old => return Confirmed::Shared,
            Others::New => return Confirmed::Changed,
            Others::None if alone_at > since => return Confirmed::Same,
            Others::None => {}
        }
        if let Some(search) = &self.confirmer.search {
            search.want();
        }
        Confirmed::Held { alone_at }
    }

    /// As [`unless_shared`](Self::unless_shared). If the connection closes before the next lookup, the
    /// named processes were not the only ones to hold it.
    pub(super) fn unless_shared_or_forget(
        &self,
        found: &DiagSocket,
        known: &Ownership,
        since: SystemTime,
    ) -> Confirmed {
        let confirmed = self.unless_shared(known, found.inode, since);
        if matches!(confirmed, Confirmed::Changed | Confirmed::Shared) {
            self.forget(found, known);
        }
        confirmed
    }

    /// Forgets that the named processes have a connection. If it closes before a lookup finds its
    /// current holder, they were not the last ones to hold it.
    pub(super) fn forget(&self, found: &DiagSocket, known: &Ownership) {
        self.lookup
            .scanner
            .forget(found.cookie, known.verdict.processes());
    }

    /// Searches for another process that has the socket, too: one that the named processes have started
    /// since, or to which they pass connections on.
    pub(super) fn search_inheritors(
        &mut self,
        known: &Ownership,
        found: &DiagSocket,
        is_accepted: bool,
    ) {
        // This checks only the newest processes, as for a connection.
        let mut wanted = Wanted {
            first_is_enough: true,
            ..found.wanted()
        };
        if is_accepted {
            wanted.kind = Kind::Accepted;
        }
        let named = known.verdict.processes();
        self.lookup
            .scanner
            .search_inheritors(named, &wanted, &mut self.lookup.buffers);
    }
}
