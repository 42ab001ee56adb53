//! The fast lookup itself, of which each thread that looks has its own.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::listeners::Listeners;
use crate::answer::devices::{Devices, Reach};
use crate::answer::{NetworkNamespace, Ownership, Process, Protocol, SocketQuery, Verdict};
use crate::policy::time_budget::TimeBudget;
use crate::policy::{Initiator, LookupRequest};
use crate::tables::linux::fd_scanner::{FdScanner, Kind, Wanted};
use crate::tables::linux::namespaces::{self, Namespace, Namespaces, Shared};
use crate::tables::linux::netlink::conntrack::{Conntrack, Search, Translation};
use crate::tables::linux::procfs::proc::ReadBuffers;
use crate::tables::linux::sockets::{self, Candidates};
use crate::tables::linux::source::Sockets;
use crate::tables::linux::verdicts;

/// What may be spent at once, and which part of the time is given back.
const BUDGET: Duration = Duration::from_millis(50);
const SHARE: u32 = 4;

/// Asks `sock_diag` on a socket of its own, and looks at the likely processes only.
#[derive(Debug)]
pub(crate) struct OwnerLookup {
    pub(super) sockets: Sockets,
    /// `None` if the kernel does not even show our own.
    namespaces: Option<Namespaces>,
    pub(super) others: Shared,
    pub(super) scanner: Arc<FdScanner>,
    pub(super) buffers: ReadBuffers,
    listeners: Listeners,
    pub(super) conntrack: Conntrack,
    budget: TimeBudget,
}

impl OwnerLookup {
    pub(crate) fn new(
        sockets: Sockets,
        others: Shared,
        scanner: Arc<FdScanner>,
        conntrack: Conntrack,
    ) -> Self {
        // Others are looked for by the table.
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
        }
    }

    /// Another one, for another thread.
    pub(super) fn another(&self) -> Option<Self> {
        let (others, scanner) = (Arc::clone(&self.others), Arc::clone(&self.scanner));
        let (sockets, conntrack) = (self.sockets.another()?, self.conntrack.another());
        Some(Self::new(sockets, others, scanner, conntrack))
    }

    pub(super) fn first_of(&mut self, question: &LookupRequest) -> Option<Ownership> {
        let query = &question.query;
        let is_accepted_later =
            query.protocol() == Protocol::Tcp && question.initiator == Initiator::Remote;
        let listener = if is_accepted_later {
            self.look(query, false, sockets::listener)
        } else {
            None
        };
        // One that takes a single connection does not wait for another.
        listener.or_else(|| self.first(query))
    }

    /// What is seen of the sender of a first packet.
    pub(crate) fn first(&mut self, query: &SocketQuery) -> Option<Ownership> {
        self.look(query, false, sockets::quick)
    }
}

pub(super) type Ask = fn(&mut Sockets, &SocketQuery, &Reach) -> io::Result<Candidates>;

impl OwnerLookup {
    /// Whether a question is about this namespace; `None` if that is unknown now.
    pub(super) fn is_own(&mut self, query: &SocketQuery) -> Option<bool> {
        match &mut self.namespaces {
            Some(namespaces) => namespaces.is_own(query).ok(),
            None => Some(true),
        }
    }

    /// Who holds the sockets that `ask` finds.
    pub(super) fn look(
        &mut self,
        query: &SocketQuery,
        is_accepted: bool,
        ask: Ask,
    ) -> Option<Ownership> {
        let ip = query.local().ip();
        let began = Instant::now();
        // Who sends the packets decides how many questions there are.
        if !self.budget.has_any(began) {
            return None;
        }
        let is_own = self.is_own(query)?;
        let mut looker = Looker {
            scanner: &self.scanner,
            buffers: &mut self.buffers,
            listeners: &mut self.listeners,
            now: began,
            is_accepted,
            conntrack: None,
        };
        let found = if is_own {
            let reach = match &self.namespaces {
                Some(namespaces) => namespaces.reach(query),
                None => Devices::default().reach(query),
            };
            looker.conntrack = Some(&mut self.conntrack);
            looker.look(query, &reach, &mut self.sockets, None, ask)
        } else {
            let others = namespaces::lock(&self.others).clone();
            let mut others = others.iter().map(|other| namespaces::lock(other));
            let mut has_it = others.by_ref().filter_map(|mut other| {
                let is_there = other.has_asked(ip).unwrap_or(false);
                is_there.then_some(other)
            });
            let mut other = has_it.next()?;
            // Which of several it is, is decided with time.
            if has_it.next().is_some() {
                return None;
            }
            // Or our own, by a socket that is bound to that address.
            let reach = match &self.namespaces {
                Some(namespaces) => namespaces.reach(query),
                None => Devices::default().reach(query),
            };
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
            looker.look(query, &reach, sockets, Some(public), ask)
        };
        self.budget.spend(began.elapsed());
        found
    }
}

/// One look.
struct Looker<'a> {
    scanner: &'a FdScanner,
    buffers: &'a mut ReadBuffers,
    listeners: &'a mut Listeners,
    now: Instant,
    is_accepted: bool,
    /// Of our own namespace.
    conntrack: Option<&'a mut Conntrack>,
}

impl Looker<'_> {
    fn look(
        &mut self,
        query: &SocketQuery,
        reach: &Reach,
        sockets: &mut Sockets,
        namespace: Option<&Arc<NetworkNamespace>>,
        ask: Ask,
    ) -> Option<Ownership> {
        let observed_at = SystemTime::now();
        if query.protocol() == Protocol::Udp {
            self.catch(query, reach, sockets);
        }
        let candidates = ask(sockets, query, reach).ok()?;
        let found_by = SystemTime::now();
        // What it has not seen may be the first packet of what is translated.
        if let Some(conntrack) = &mut self.conntrack
            && let Some(fit) = candidates.fit(query.protocol())
            && conntrack.translation(query, fit, Search::Exact) != Translation::None
        {
            return None;
        }
        let resolved = verdicts::resolve(self.scanner, candidates, |socket| {
            if let Some(known) = self.listeners.holders_of(socket, self.now) {
                return (known.to_vec(), false);
            }
            let mut wanted = socket.wanted();
            if self.is_accepted {
                wanted.kind = Kind::Accepted;
            }
            let is_open = || sockets::is_open_for(sockets, query, socket);
            let found = self.scanner.quick(&wanted, self.now, self.buffers, is_open);
            let is_gone = |process: &Arc<Process>| self.scanner.is_gone(process);
            // It had the socket from another, who still has it.
            if found.iter().any(is_gone) && sockets::is_open_for(sockets, query, socket) {
                return (Vec::new(), false);
            }
            self.listeners.keep(socket, &found, self.now);
            (found, false)
        });
        if let Verdict::Unknown(_) = resolved.verdict {
            return None;
        }
        Some(verdicts::told(resolved, (observed_at, found_by), namespace))
    }

    /// Looks for the process that sends before it is seen who else may: that takes
    /// longer than some processes live.
    fn catch(&mut self, query: &SocketQuery, reach: &Reach, sockets: &mut Sockets) {
        if let Ok(Some(found)) = sockets::nearest(sockets, query, reach) {
            let wanted = Wanted {
                first_is_enough: true,
                ..found.wanted()
            };
            let is_open = || sockets::is_open_for(sockets, query, &found);
            self.scanner.quick(&wanted, self.now, self.buffers, is_open);
        }
    }
}
