//! A look at one socket that does not keep a capturing thread from its packets.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::holders::{Holders, Wanted};
use super::namespaces::Namespaces;
use super::proc::Scratch;
use super::sockets::{self, Candidates};
use super::source::Sockets;
use super::verdicts;
use crate::snapshot::Glance;
use crate::{Ownership, Protocol, SocketQuery, Verdict};

/// What may be spent at once, and which part of the time is given back.
const PURSE: Duration = Duration::from_millis(50);
const SHARE: u32 = 4;

/// The nice value of the thread that glances: it works for microseconds, and what it
/// waits for the processor decides whether a process is still there.
const PRECEDENCE: i32 = -20;

/// Asks `sock_diag` on a socket of its own, and looks at the likely processes only.
#[derive(Debug)]
pub(super) struct LinuxGlance {
    sockets: Sockets,
    /// `None` where not even our own is told.
    namespaces: Option<Namespaces>,
    holders: Arc<Holders>,
    scratch: Scratch,
    purse: Purse,
}

impl LinuxGlance {
    pub(super) fn new(sockets: Sockets, holders: Arc<Holders>) -> Self {
        // Those of others are left to the table.
        let namespaces = Namespaces::new(holders.proc(), false).ok();
        Self {
            sockets,
            namespaces,
            holders,
            scratch: Scratch::default(),
            purse: Purse::full(Instant::now()),
        }
    }
}

impl LinuxGlance {
    /// Looks for the process that sends before it is seen who else may: that takes
    /// longer than some processes live.
    fn catch(&mut self, query: &SocketQuery) {
        if let Ok(Some(found)) = sockets::nearest(&mut self.sockets, query) {
            let wanted = Wanted {
                first_is_enough: true,
                ..found.wanted()
            };
            self.holders.quick(&wanted, &mut self.scratch);
        }
    }

    /// Who holds the sockets that `ask` finds.
    fn look(
        &mut self,
        query: &SocketQuery,
        is_accepted: bool,
        ask: fn(&mut Sockets, &SocketQuery) -> io::Result<Candidates>,
    ) -> Option<Ownership> {
        let is_own = |namespaces: &mut Namespaces| namespaces.is_own(query.local().ip());
        if !self.namespaces.as_mut().is_none_or(is_own) {
            return None;
        }
        let began = Instant::now();
        let observed_at = SystemTime::now();
        let may_look = self.purse.has_any(began);
        if may_look && query.protocol() == Protocol::Udp {
            self.catch(query);
        }
        let candidates = ask(&mut self.sockets, query).ok()?;
        let (holders, scratch) = (&self.holders, &mut self.scratch);
        let (verdict, matched) = verdicts::judge(holders, candidates, |socket| {
            let found = if may_look {
                let wanted = Wanted {
                    is_accepted,
                    ..socket.wanted()
                };
                holders.quick(&wanted, scratch)
            } else {
                Vec::new()
            };
            (found, false)
        });
        self.purse.spend(began.elapsed());
        if let Verdict::Unknown(_) = verdict {
            return None;
        }
        Some(verdicts::told(verdict, matched, observed_at, None))
    }
}

impl Glance for LinuxGlance {
    fn prepare(&mut self) {
        // Of this thread only (setpriority(2), "C library/kernel differences").
        if let Err(error) = rustix::process::setpriority_process(None, PRECEDENCE) {
            tracing::debug!(%error, "no precedence over other threads");
        }
    }

    fn glance(&mut self, query: &SocketQuery) -> Option<Ownership> {
        self.look(query, false, sockets::quick)
    }

    fn glance_closer(&mut self, query: &SocketQuery) -> Option<Ownership> {
        self.look(query, true, sockets::accepted)
    }
}

/// Time that may be spent: so much at once, and a share of what passes.
#[derive(Debug)]
struct Purse {
    left: Duration,
    filled: Instant,
}

impl Purse {
    const fn full(now: Instant) -> Self {
        Self {
            left: PURSE,
            filled: now,
        }
    }

    fn has_any(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled);
        self.left = PURSE.min(self.left + passed / SHARE);
        self.filled = now;
        !self.left.is_zero()
    }

    fn spend(&mut self, time: Duration) {
        self.left = self.left.saturating_sub(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purse_is_filled_with_time() {
        let start = Instant::now();
        let mut purse = Purse::full(start);
        purse.spend(PURSE * 2);
        assert!(!purse.has_any(start));
        assert!(purse.has_any(start + Duration::from_millis(4)));
        assert_eq!(purse.left, Duration::from_millis(1));
        assert!(purse.has_any(start + Duration::from_secs(10)));
        assert_eq!(purse.left, PURSE);
    }
}
