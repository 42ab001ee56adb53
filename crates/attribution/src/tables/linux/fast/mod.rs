//! A look at one socket that does not keep a capturing thread from its packets.

mod confirm;
mod listeners;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::holders::{Holders, Kind, Wanted};
use super::namespaces::{Namespace, Namespaces, Shared};
use super::netlink::closings::Closings;
use super::netlink::conntrack::{Conntrack, Search, Translation};
use super::procfs::proc::Scratch;
use super::sockets::Candidates;
use super::source::Sockets;
use super::{namespaces, sockets, verdicts};
use crate::answer::devices::{Devices, Reach};
use crate::answer::{NetworkNamespace, Ownership, Process, Protocol, SocketQuery, Verdict};
use crate::observers::linux::send_watcher::{Lookouts, Told};
use crate::policy::time_budget::Purse;
use crate::policy::{Opened, Question};
use crate::tables::{Closed, Confirmed, Glance, Glanced};
use confirm::Confirmer;
use listeners::Listeners;

/// What may be spent at once, and which part of the time is given back.
const PURSE: Duration = Duration::from_millis(50);
const SHARE: u32 = 4;

/// The nice value of the thread that glances: it works for microseconds, and what it
/// waits for the processor decides whether a process is still there.
const PRECEDENCE: i32 = -20;

/// Asks `sock_diag` on a socket of its own, and looks at the likely processes only.
#[derive(Debug)]
pub(crate) struct LinuxGlance {
    sockets: Sockets,
    /// `None` where not even our own is told.
    namespaces: Option<Namespaces>,
    others: Shared,
    holders: Arc<Holders>,
    scratch: Scratch,
    listeners: Listeners,
    conntrack: Conntrack,
    purse: Purse,
    lookouts: Option<Lookouts>,
    may_look_out: bool,
    /// Whether those who look out take real-time priority.
    realtime: bool,
    confirmer: Confirmer,
    closings: Option<Closings>,
}

impl LinuxGlance {
    /// Alone, or with [`Lookouts`] from when it is [prepared](Glance::prepare), where that is
    /// permitted.
    pub(crate) fn new(
        sockets: Sockets,
        others: Shared,
        holders: Arc<Holders>,
        conntrack: Conntrack,
        may_look_out: bool,
        realtime: bool,
    ) -> Self {
        // Others are looked for by the table.
        let namespaces = Namespaces::new(holders.proc(), false).ok();
        Self {
            sockets,
            namespaces,
            others,
            holders,
            scratch: Scratch::default(),
            listeners: Listeners::default(),
            conntrack,
            purse: Purse::full(PURSE, SHARE, Instant::now()),
            lookouts: None,
            may_look_out,
            realtime,
            confirmer: Confirmer::new(Instant::now()),
            closings: None,
        }
    }

    /// Another one, for another thread.
    fn another(&self) -> Option<Self> {
        let (others, holders) = (Arc::clone(&self.others), Arc::clone(&self.holders));
        let (sockets, conntrack) = (self.sockets.another()?, self.conntrack.another());
        Some(Self::new(sockets, others, holders, conntrack, false, false))
    }

    /// What the others have seen of the sender of a first packet, or are about to.
    fn seen(&mut self, question: &Question) -> Told {
        let query = &question.query;
        let told = match &self.lookouts {
            Some(lookouts) if question.opened == Opened::ByUs => {
                lookouts.take(query, question.seen_at)
            }
            Some(lookouts) if question.opened == Opened::ByPeer => {
                lookouts.note_server(query);
                Told::Seen(None)
            }
            _ => Told::Seen(None),
        };
        match told {
            // They see what this network sends.
            Told::NotYet if self.is_own(query) != Some(true) => Told::Seen(None),
            told => told,
        }
    }

    fn first_of(&mut self, question: &Question) -> Option<Ownership> {
        let query = &question.query;
        let is_accepted_later =
            query.protocol() == Protocol::Tcp && question.opened == Opened::ByPeer;
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

/// Has this thread run before others, if that is permitted.
pub(crate) fn take_precedence() {
    // Of this thread only (setpriority(2), "C library/kernel differences").
    if let Err(error) = rustix::process::setpriority_process(None, PRECEDENCE) {
        tracing::debug!(%error, "no precedence over other threads");
    }
}

type Ask = fn(&mut Sockets, &SocketQuery, &Reach) -> io::Result<Candidates>;

impl LinuxGlance {
    /// Whether a question is about this namespace; `None` where that cannot be told now.
    fn is_own(&mut self, query: &SocketQuery) -> Option<bool> {
        match &mut self.namespaces {
            Some(namespaces) => namespaces.is_own(query).ok(),
            None => Some(true),
        }
    }

    /// Who holds the sockets that `ask` finds.
    fn look(&mut self, query: &SocketQuery, is_accepted: bool, ask: Ask) -> Option<Ownership> {
        let ip = query.local().ip();
        let began = Instant::now();
        // Who sends the packets decides how many questions there are.
        if !self.purse.has_any(began) {
            return None;
        }
        let is_own = self.is_own(query)?;
        let mut looker = Looker {
            holders: &self.holders,
            scratch: &mut self.scratch,
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
        self.purse.spend(began.elapsed());
        found
    }
}

/// One look.
struct Looker<'a> {
    holders: &'a Holders,
    scratch: &'a mut Scratch,
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
        // What it has not seen may be the first packet of what is translated.
        if let Some(conntrack) = &mut self.conntrack
            && let Some(fit) = candidates.fit(query.protocol())
            && conntrack.translation(query, fit, Search::Exact) != Translation::None
        {
            return None;
        }
        let judged = verdicts::judge(self.holders, candidates, |socket| {
            if let Some(known) = self.listeners.holders_of(socket, self.now) {
                return (known.to_vec(), false);
            }
            let mut wanted = socket.wanted();
            if self.is_accepted {
                wanted.kind = Kind::Accepted;
            }
            let is_open = || sockets::is_open_for(sockets, query, socket);
            let found = self.holders.quick(&wanted, self.now, self.scratch, is_open);
            let is_gone = |process: &Arc<Process>| self.holders.is_gone(process);
            // It had the socket from another, who still has it.
            if found.iter().any(is_gone) && sockets::is_open_for(sockets, query, socket) {
                return (Vec::new(), false);
            }
            self.listeners.keep(socket, &found, self.now);
            (found, false)
        });
        if let Verdict::Unknown(_) = judged.verdict {
            return None;
        }
        Some(verdicts::told(judged, observed_at, namespace))
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
            self.holders.quick(&wanted, self.now, self.scratch, is_open);
        }
    }
}

impl Glance for LinuxGlance {
    fn prepare(&mut self) {
        take_precedence();
        if self.may_look_out {
            self.lookouts = Lookouts::post(self.realtime, || self.another());
        }
        if self.sockets.tells_listeners() {
            let closings = Closings::watch();
            let closings = closings.inspect_err(|error| {
                tracing::debug!(%error, "sockets are closed unseen");
            });
            self.closings = closings.ok();
        }
    }

    fn glance(&mut self, question: &Question) -> Glanced {
        match self.seen(question) {
            Told::NotYet | Told::Looking => Glanced::Later,
            Told::Seen(Some(seen)) if seen.verdict.is_named() => Glanced::Told(seen),
            // Who was just being started may be found by now.
            Told::Seen(seen) => self.first_of(question).or(seen).into(),
        }
    }

    fn glance_closer(&mut self, query: &SocketQuery) -> Option<Ownership> {
        self.look(query, true, sockets::accepted)
    }

    fn confirm(&mut self, query: &SocketQuery, known: &Ownership, since: SystemTime) -> Confirmed {
        self.confirm_within_budget(query, known, since)
    }

    fn closed(&mut self) -> Closed {
        self.closings
            .as_ref()
            .map_or_else(Closed::default, Closings::take)
    }
}
