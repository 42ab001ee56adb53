//! A lookup of one socket that is fast enough for the capture thread.

mod confirm;
mod listeners;
mod others;
mod seen;
mod senders;
mod worker;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::netlink::closings::Closings;
use super::netlink::executions::ExecutionWatcher;
use super::sockets;
use crate::answer::{Ownership, Protocol, SocketQuery};
use crate::observers::linux::sched;
use crate::observers::linux::send_watcher::{SenderLookup, SentHere};
use crate::policy::LookupRequest;
use crate::tables::fast_lookup::{Closed, Confirmed, FastLookup, FastResult};
use confirm::Confirmer;
use others::OthersSearch;
pub(crate) use seen::SeenSenders;
pub(crate) use worker::OwnerLookup;

/// The lookup of the capture thread.
#[derive(Debug)]
pub(crate) struct LinuxFastLookup {
    lookup: OwnerLookup,
    confirmer: Confirmer,
    closings: Option<Closings>,
    executions: Option<ExecutionWatcher>,
}

impl LinuxFastLookup {
    pub(crate) fn new(lookup: OwnerLookup) -> Self {
        Self {
            lookup,
            confirmer: Confirmer::new(Instant::now()),
            closings: None,
            executions: None,
        }
    }
}

impl LinuxFastLookup {
    /// What the kernel has reported since this was called last. `now`: including what no thread has
    /// taken from it yet, of executed programs.
    fn reported(&self, now: bool) -> Closed {
        let closed = self.closings.as_ref().map(Closings::take);
        let mut reported = closed.unwrap_or_default();
        if let Some(executions) = &self.executions {
            let news = executions.take(now);
            reported.executed = news.executed;
            reported.is_incomplete |= news.is_incomplete;
        }
        reported
    }
}

impl SenderLookup for OwnerLookup {
    fn another(&self) -> Option<Self> {
        Self::another(self)
    }

    fn sender(&mut self, query: &SocketQuery, sent: SentHere) -> Option<Ownership> {
        let found = match query.protocol() {
            Protocol::Raw => None,
            _ => self.first(query),
        };
        found.or_else(|| self.other_sender(query, sent))
    }

    fn is_sent_here(&mut self, query: &SocketQuery) -> bool {
        self.is_own(query) == Some(true)
    }
}

impl FastLookup for LinuxFastLookup {
    fn init_thread(&mut self) {
        // Before this thread gets its priority, which that one inherits.
        self.confirmer.search = OthersSearch::start(Arc::clone(&self.lookup.scanner))
            .inspect_err(|error| tracing::debug!(%error, "no search for further holders"))
            .ok();
        sched::raise_priority();
        if self.lookup.sockets.finds_listeners() {
            let closings = Closings::watch();
            let closings = closings.inspect_err(|error| {
                tracing::debug!(%error, "sockets are closed unseen");
            });
            self.closings = closings.ok();
        }
        let executions = self.lookup.scanner.executions().map(Arc::clone);
        self.executions = executions.and_then(|executions| {
            let watcher = ExecutionWatcher::start(executions);
            let watcher = watcher.inspect_err(|error| {
                tracing::debug!(%error, "programs are executed unseen");
            });
            watcher.ok()
        });
    }

    fn lookup(&mut self, question: &LookupRequest) -> FastResult {
        self.lookup.first_of(question).into()
    }

    fn lookup_accepted(&mut self, query: &SocketQuery) -> Option<Ownership> {
        self.lookup.lookup(query, true, sockets::accepted)
    }

    fn confirm(&mut self, query: &SocketQuery, known: &Ownership, since: SystemTime) -> Confirmed {
        self.confirmer
            .confirm(&mut self.lookup, query, known, since)
    }

    fn closed(&mut self) -> Closed {
        self.reported(false)
    }

    fn closed_at_last(&mut self) -> Closed {
        self.reported(true)
    }
}
