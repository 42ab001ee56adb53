//! The fast lookup itself. Each thread has its own.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use super::listeners::Listeners;
use super::seen::SeenSenders;
use crate::answer::devices::{Devices, Reach};
use crate::answer::matching;
use crate::answer::{NetworkNamespace, Ownership, Process, Protocol, SocketQuery, Verdict};
use crate::observers::linux::sched;
use crate::policy::time_budget::TimeBudget;
use crate::policy::{Initiator, LookupRequest};
use crate::tables::linux::candidates::Candidates;
use crate::tables::linux::fd_scanner::{FdScanner, Kind, Wanted};
use crate::tables::linux::namespaces::{self, Namespace, Namespaces, Shared};
use crate::tables::linux::netlink::conntrack::{Conntrack, Search, Translation};
use crate::tables::linux::procfs::proc::ReadBuffers;
use crate::tables::linux::sockets;
use crate::tables::linux::source::Sockets;
use crate::tables::linux::verdicts;

/// The budget of CPU time: a burst, and the share of the time that refills it. Time for which other threads
/// have the CPU costs nothing: on a busy host there would be none left.
const BUDGET: Duration = Duration::from_millis(50);
const SHARE: u32 = 4;

/// Queries `sock_diag` through its own netlink socket, and searches only the likely processes.
#[derive(Debug)]
pub(crate) struct OwnerLookup {
    pub(super) sockets: Sockets,
    /// `None` if the kernel does not even show our own namespace.
    pub(super) namespaces: Option<Namespaces>,
    pub(super) others: Shared,
    pub(super) scanner: Arc<FdScanner>,
    pub(super) buffers: ReadBuffers,
    listeners: Listeners,
    pub(super) conntrack: Conntrack,
    pub(super) budget: TimeBudget,
    pub(crate) seen: Arc<Mutex<SeenSenders>>,
}

impl OwnerLookup {
    pub(crate) fn new(
        sockets: Sockets,
        others: Shared,
        scanner: Arc<FdScanner>,
        conntrack: Conntrack,
    ) -> Self {
        // The table searches for other namespaces.
        let namespaces = Namespaces::new(scanner.proc(), false).ok();
        Self {
            sockets,
            namespaces,
            others,
            scanner,
            buffers: ReadBuffers::default(),
            listeners: Listeners::default(),
            conntrack,
            budget: TimeBudget::full(BUDGET, SHARE, Instant::now()),
            seen: Arc::default(),
        }
    }

    /// Another one, for another thread.
    pub(super) fn another(&self) -> Option<Self> {
        let (others, scanner) = (Arc::clone(&self.others), Arc::clone(&self.scanner));
        let (sockets, conntrack) = (self.sockets.another()?, self.conntrack.another());
        let another = Self::new(sockets, others, scanner, conntrack);
        Some(Self {
            seen: Arc::clone(&self.seen),
            ..another
        })
    }

    pub(super) fn first_of(&mut self, question: &LookupRequest) -> Option<Ownership> {
        let query = &question.query;
        let is_accepted_later =
            query.protocol() == Protocol::Tcp && question.initiator == Initiator::Remote;
        let listener = if is_accepted_later {
            self.lookup(query, false, sockets::listener)
        } else {
            None
        };
        // A listener that takes a single connection does not wait for another.
        listener.or_else(|| self.first(query))
    }

    /// An immediate lookup of the sender of a first packet.
    pub(crate) fn first(&mut self, query: &SocketQuery) -> Option<Ownership> {
        self.lookup(query, false, sockets::quick)
    }
}

pub(super) type Ask = fn(&mut Sockets, &SocketQuery, &Reach) -> io::Result<Candidates>;

impl OwnerLookup {
    /// Whether a query is about this namespace; `None` if that is unknown now.
    pub(super) fn is_own(&mut self, query: &SocketQuery) -> Option<bool> {
        match &mut self.namespaces {
            Some(namespaces) => namespaces.is_own(query).ok(),
            None => Some(true),
        }
    }

    /// The holders of the sockets that `ask` finds.
    pub(super) fn lookup(
        &mut self,
        query: &SocketQuery,
        is_accepted: bool,
        ask: Ask,
    ) -> Option<Ownership> {
        let began = Instant::now();
        // The senders of packets decide how many requests there are.
        if !self.budget.has_any(began) {
            return None;
        }
        let params = LookupParams {
            now: began,
            is_accepted,
            ask,
        };
        let cpu_time = sched::cpu_time();
        let found = self.find_owner(query, &params);
        self.budget
            .spend(sched::cpu_time().saturating_sub(cpu_time));
        found
    }

    fn find_owner(&mut self, query: &SocketQuery, params: &LookupParams) -> Option<Ownership> {
        if !self.is_own(query)? {
            return self.lookup_elsewhere(query, params);
        }
        let found = self.find_here(query, params)?;
        let fit = found.candidates.fit(query.protocol());
        match self.conntrack.translation(query, fit, Search::Exact) {
            Translation::None => self.resolve_here(query, found, params),
            Translation::From(from) => {
                let query = query.translated(from);
                let owner = if self.is_own(&query)? {
                    let found = self.find_here(&query, params)?;
                    self.resolve_here(&query, found, params)
                } else {
                    self.lookup_elsewhere(&query, params)
                };
                Some(owner?.translated(from))
            }
            // If conntrack has no entry, the packet may be the first of a translated connection.
            Translation::NotSeen
            | Translation::Several
            | Translation::NotTold
            | Translation::NotNow => None,
        }
    }

    pub(super) fn reach(&self, query: &SocketQuery) -> Reach {
        match &self.namespaces {
            Some(namespaces) => namespaces.reach(query, self.scanner.proc()),
            None => Devices::default().reach(query),
        }
    }

    /// The sockets of our own namespace.
    fn find_here(&mut self, query: &SocketQuery, params: &LookupParams) -> Option<Found> {
        let reach = self.reach(query);
        let (mut one_lookup, sockets) = self.one_lookup(params);
        one_lookup.find(query, &reach, sockets)
    }

    fn resolve_here(
        &mut self,
        query: &SocketQuery,
        found: Found,
        params: &LookupParams,
    ) -> Option<Ownership> {
        let (mut one_lookup, sockets) = self.one_lookup(params);
        one_lookup.resolve(query, found, sockets, None)
    }

    fn one_lookup<'a>(&'a mut self, params: &'a LookupParams) -> (OneLookup<'a>, &'a mut Sockets) {
        let one_lookup = OneLookup {
            scanner: &self.scanner,
            buffers: &mut self.buffers,
            listeners: &mut self.listeners,
            params,
        };
        (one_lookup, &mut self.sockets)
    }

    /// The holders of the sockets of the one namespace that has the local address.
    fn lookup_elsewhere(
        &mut self,
        query: &SocketQuery,
        params: &LookupParams,
    ) -> Option<Ownership> {
        let ip = query.local().ip();
        let others = namespaces::lock(&self.others).clone();
        let mut others = others.iter().map(|other| namespaces::lock(other));
        let mut has_it = others.by_ref().filter_map(|mut other| {
            let is_there = other.has_asked(ip).unwrap_or(false);
            is_there.then_some(other)
        });
        let mut other = has_it.next()?;
        // The table decides between several, because that takes time.
        if has_it.next().is_some() {
            return None;
        }
        // Or the socket may be our own, bound to that address.
        let reach = self.reach(query);
        match sockets::standing_in(&mut self.sockets, query, &reach) {
            Ok(Candidates::None) => {}
            _ => return None,
        }
        let Namespace {
            public,
            sockets,
            addresses,
            ..
        } = &mut *other;
        let reach = addresses.known().devices.any();
        let (mut one_lookup, _) = self.one_lookup(params);
        let found = one_lookup.find(query, &reach, sockets)?;
        one_lookup.resolve(query, found, sockets, Some(public))
    }
}

/// The parameters of a search.
struct LookupParams {
    now: Instant,
    is_accepted: bool,
    ask: Ask,
}

/// The matching sockets, with the times of the request.
struct Found {
    candidates: Candidates,
    /// Wall-clock times before and after.
    times: (SystemTime, SystemTime),
}

/// One search.
struct OneLookup<'a> {
    scanner: &'a FdScanner,
    buffers: &'a mut ReadBuffers,
    listeners: &'a mut Listeners,
    params: &'a LookupParams,
}

impl OneLookup<'_> {
    fn find(&mut self, query: &SocketQuery, reach: &Reach, sockets: &mut Sockets) -> Option<Found> {
        let observed_at = SystemTime::now();
        if query.protocol().is_datagram() {
            self.catch(query, reach, sockets);
        }
        let candidates = (self.params.ask)(sockets, query, reach).ok()?;
        // Only the send watcher finds these senders. For the rest, a list decides.
        if matching::beyond_sockets(query, candidates.matched()).is_some() {
            return None;
        }
        let times = (observed_at, SystemTime::now());
        Some(Found { candidates, times })
    }

    fn resolve(
        &mut self,
        query: &SocketQuery,
        found: Found,
        sockets: &mut Sockets,
        namespace: Option<&Arc<NetworkNamespace>>,
    ) -> Option<Ownership> {
        let Found { candidates, times } = found;
        let LookupParams {
            now, is_accepted, ..
        } = *self.params;
        let resolved = verdicts::resolve(self.scanner, candidates, |socket| {
            if let Some(known) = self.listeners.holders_of(socket, now)
                && !self.scanner.has_any_executed(known)
            {
                return (known.to_vec(), false);
            }
            let mut wanted = socket.wanted();
            if is_accepted {
                wanted.kind = Kind::Accepted;
            }
            let is_open = || sockets::is_open_for(sockets, query, socket);
            let found = self.scanner.quick(&wanted, now, self.buffers, is_open);
            let is_gone = |process: &Arc<Process>| self.scanner.is_gone(process);
            // It had received the socket from another process, which still has it.
            if found.iter().any(is_gone) && sockets::is_open_for(sockets, query, socket) {
                return (Vec::new(), false);
            }
            self.listeners.keep(socket, &found, now);
            (found, false)
        });
        if let Verdict::Unknown(_) = resolved.verdict {
            return None;
        }
        Some(verdicts::ownership(resolved, times, namespace))
    }

    /// Searches for the sender before the lookup knows which other processes may be it: that takes
    /// longer than some processes live.
    fn catch(&mut self, query: &SocketQuery, reach: &Reach, sockets: &mut Sockets) {
        if let Ok(Some(found)) = sockets::nearest(sockets, query, reach) {
            let wanted = Wanted {
                first_is_enough: true,
                ..found.wanted()
            };
            let is_open = || sockets::is_open_for(sockets, query, &found);
            let now = self.params.now;
            self.scanner.quick(&wanted, now, self.buffers, is_open);
        }
    }
}
