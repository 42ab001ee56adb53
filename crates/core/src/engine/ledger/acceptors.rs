//! Who accepts connections and passes them on: to a process that it starts for each (inetd, fork
//! servers), or to one that it knows (`SCM_RIGHTS`).
//!
//! The first process that was seen with a connection may have had it for a moment only. To look
//! at each connection twice would cost a busy server's host much, and most servers keep what they
//! accept. So only the first connections of an end are looked at again with what they answer,
//! and those of an end that is known to pass them on.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use flowner_attribution::{Process, ProcessId};
use flowner_flows::{Flow, FlowId, Protocol};

use super::{End, Owners};

/// Connections that are to be kept before an end is trusted to keep them.
const TRIAL: u8 = 4;
/// Connections of which it is not found out whether they are kept, before an end is trusted.
const MAX_UNCLEAR: u8 = 64;
/// How long an end is known to pass on connections after it did so.
const PASSES_ON: Duration = Duration::from_secs(60);
/// Ends that are remembered. Past that, all are tried again.
const MAX: usize = 1_024;
/// Processes of an end that pass on.
const MAX_PASSERS: usize = 16;

/// Connections of an end that are looked at once more when it turns out that it passes them on.
const MAX_EARLIER: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Acceptors {
    known: HashMap<SocketAddr, Acceptor>,
    /// Connections that are over, of ends of which it was learned since that they pass them on.
    pub(super) doubted: Vec<FlowId>,
}

#[derive(Debug, Default)]
struct Acceptor {
    /// Those that were over before anybody was known to have kept them.
    earlier: Vec<FlowId>,
    kept: u8,
    /// Those that were asked about in vain.
    unclear: u8,
    /// Packet time at which a connection was passed on last.
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
    /// Whether who has a connection of an end is to be looked at again.
    pub(super) fn are_in_doubt(&self, end: SocketAddr, now: Duration) -> bool {
        let known = self.known.get(&end);
        let is_on_trial = |known: &Acceptor| known.kept < TRIAL && known.unclear < MAX_UNCLEAR;
        known.is_none_or(|known| is_on_trial(known) || known.passes_on(now))
    }

    /// Takes note that who was named for a connection of an end had it after it answered.
    pub(super) fn kept(&mut self, end: SocketAddr) {
        let known = self.entry(end);
        known.kept = known.kept.saturating_add(1);
    }

    /// Takes note that it was not found out who has a connection of an end.
    pub(super) fn unclear(&mut self, end: SocketAddr) {
        let known = self.entry(end);
        known.unclear = known.unclear.saturating_add(1);
    }

    /// Takes note that those who were named for a connection of an end passed it on.
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

    /// Takes note of a connection that is over, of which nobody is known to have kept it.
    pub(super) fn was_unconfirmed(&mut self, end: SocketAddr, flow: FlowId) {
        let known = self.entry(end);
        if known.kept < TRIAL && known.earlier.len() < MAX_EARLIER && !known.earlier.contains(&flow)
        {
            known.earlier.push(flow);
        }
    }

    /// Whether a process that is named for a connection of an end is one that passes on.
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
