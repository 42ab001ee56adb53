//! Servers that accept connections and pass them on: to a process that they start for each (inetd,
//! forking servers), or to one that exists (`SCM_RIGHTS`).
//!
//! The process that the first lookup finds may have had the connection for a moment only. A second
//! lookup of each connection would cost the host of a busy server much, and most servers keep what
//! they accept. So only two kinds of connections get a second lookup when their end answers: the first
//! ones of an end, and those of an end that is known to pass connections on.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use flowner_attribution::{Process, ProcessId};
use flowner_flows::{Flow, FlowId, Protocol};

use super::{End, Owners};

/// How many connections an end must keep before the ledger trusts it to keep the others.
const TRIAL: u8 = 4;
/// How many lookups may fail to show whether an end keeps its connections, before the ledger trusts it.
const MAX_UNCLEAR: u8 = 64;
/// How long an end counts as passing connections on after it last did.
const PASSES_ON: Duration = Duration::from_secs(60);
/// The number of ends that are remembered. Beyond it, the ledger forgets all and tries them again.
const MAX: usize = 1_024;
/// The number of remembered processes of an end that pass connections on.
const MAX_PASSERS: usize = 16;

/// The number of ended connections of an end that are reviewed when the end turns out to pass
/// connections on.
const MAX_EARLIER: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Acceptors {
    known: HashMap<SocketAddr, Acceptor>,
    /// Ended connections of ends that turned out later to pass connections on.
    pub(super) doubted: Vec<FlowId>,
}

#[derive(Debug, Default)]
struct Acceptor {
    /// Those that ended before a lookup showed whether the process kept them.
    earlier: Vec<FlowId>,
    kept: u8,
    /// Those whose lookup showed nothing.
    unclear: u8,
    /// The packet time at which the end last passed a connection on.
    passed_on: Option<Duration>,
    passers: Vec<ProcessId>,
}

impl Acceptor {
    fn passes_on(&self, now: Duration) -> bool {
        let is_recent = |at: Duration| now.saturating_sub(at) < PASSES_ON;
        self.passed_on.is_some_and(is_recent)
    }
}

impl Acceptors {
    /// Whether a connection of an end needs a second lookup.
    pub(super) fn are_in_doubt(&self, end: SocketAddr, now: Duration) -> bool {
        let known = self.known.get(&end);
        let is_on_trial = |known: &Acceptor| known.kept < TRIAL && known.unclear < MAX_UNCLEAR;
        known.is_none_or(|known| is_on_trial(known) || known.passes_on(now))
    }

    /// Records that the named process of a connection still had it after the end answered.
    pub(super) fn kept(&mut self, end: SocketAddr) {
        let known = self.entry(end);
        known.kept = known.kept.saturating_add(1);
    }

    /// Records that no lookup showed which process has a connection of an end.
    pub(super) fn unclear(&mut self, end: SocketAddr) {
        let known = self.entry(end);
        known.unclear = known.unclear.saturating_add(1);
    }

    /// Records that the named processes of a connection passed it on.
    pub(super) fn passed_on<'a>(
        &mut self,
        end: SocketAddr,
        by: impl Iterator<Item = &'a Process>,
        now: Duration,
    ) {
        let known = self.entry(end);
        known.passed_on = Some(now);
        let earlier = std::mem::take(&mut known.earlier);
        for process in by {
            if known.passers.len() < MAX_PASSERS && !known.passers.contains(&process.id()) {
                known.passers.push(process.id());
            }
        }
        self.doubted.extend(earlier);
    }

    /// Records an ended connection of which no lookup showed which process kept it.
    pub(super) fn was_unconfirmed(&mut self, end: SocketAddr, flow: FlowId) {
        let known = self.entry(end);
        if known.kept < TRIAL && known.earlier.len() < MAX_EARLIER && !known.earlier.contains(&flow)
        {
            known.earlier.push(flow);
        }
    }

    /// Whether a named process of a connection is one that passes connections on.
    pub(super) fn is_passer(&self, end: SocketAddr, process: &Process, now: Duration) -> bool {
        let known = self.known.get(&end).filter(|known| known.passes_on(now));
        known.is_some_and(|known| known.passers.contains(&process.id()))
    }

    fn entry(&mut self, end: SocketAddr) -> &mut Acceptor {
        if self.known.len() >= MAX && !self.known.contains_key(&end) {
            self.known.clear();
        }
        self.known.entry(end).or_default()
    }
}

/// The end of a connection that accepted it.
pub(super) fn accepting_end(flow: &Flow<Owners>) -> Option<End> {
    if flow.protocol() != Protocol::TCP || !flow.initiator_certain() {
        return None;
    }
    Some(if flow.initiator() == flow.local() {
        End::Remote
    } else {
        End::Local
    })
}

pub(super) fn address_of(flow: &Flow<Owners>, end: End) -> SocketAddr {
    match end {
        End::Local => flow.local(),
        End::Remote => flow.remote(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_trusted_after_some_connections() {
        let (mut acceptors, now) = (Acceptors::default(), Duration::from_secs(1_000));
        let end: SocketAddr = "10.0.0.1:80".parse().unwrap();
        for _ in 0..TRIAL {
            assert!(acceptors.are_in_doubt(end, now));
            acceptors.kept(end);
        }
        assert!(!acceptors.are_in_doubt(end, now));
        let (acceptor, worker) = (Process::new(1, "acceptor"), Process::new(2, "worker"));
        assert!(!acceptors.is_passer(end, &acceptor, now));
        acceptors.passed_on(end, [&acceptor].into_iter(), now);
        assert!(acceptors.are_in_doubt(end, now));
        assert!(acceptors.is_passer(end, &acceptor, now));
        assert!(!acceptors.is_passer(end, &worker, now));
        let later = now + PASSES_ON;
        assert!(!acceptors.are_in_doubt(end, later) && !acceptors.is_passer(end, &acceptor, later));
    }

    #[test]
    fn an_end_of_which_nothing_is_found_out_is_not_asked_about_for_ever() {
        let (mut acceptors, now) = (Acceptors::default(), Duration::from_secs(1_000));
        let end: SocketAddr = "10.0.0.1:80".parse().unwrap();
        for _ in 0..MAX_UNCLEAR {
            assert!(acceptors.are_in_doubt(end, now));
            acceptors.unclear(end);
        }
        assert!(!acceptors.are_in_doubt(end, now));
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut acceptors = Acceptors::default();
        for port in 0..2 * u16::try_from(MAX).unwrap() {
            acceptors.kept(([10, 0, 0, 1], port).into());
            assert!(acceptors.known.len() <= MAX);
        }
    }
}
