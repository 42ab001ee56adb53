//! The answer: who owns the socket, how that was found out, or why not.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::process::{NetworkNamespace, Process, Unit, User};
use super::reason::Reason;
use super::socket_id::SocketId;
use super::text::displayed;

/// An answer with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Ownership {
    /// Who owns the socket, or why that is not known.
    pub verdict: Verdict,
    /// How the answer was reached.
    pub evidence: Evidence,
}

/// The verdict: `curl (4242)`.
impl fmt::Display for Ownership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.verdict.fmt(f)
    }
}

impl Ownership {
    /// An answer.
    pub const fn new(verdict: Verdict, evidence: Evidence) -> Self {
        Self { verdict, evidence }
    }

    /// An answer that names nobody.
    pub const fn unknown(reason: Reason, observed_at: SystemTime, source: Source) -> Self {
        Self {
            verdict: Verdict::Unknown(reason),
            evidence: Evidence {
                matched: None,
                observed_at,
                source,
                namespace: None,
                socket: None,
            },
        }
    }

    /// Whether this answer may take the place of `other`.
    ///
    /// More named beats less, then the closer match wins, then the one that names
    /// everybody whom the other names and somebody more: a holder that was found later.
    /// An equal answer never replaces the one that is there: what was seen nearer to
    /// the first packet stays.
    pub fn is_better_than(&self, other: &Self) -> bool {
        self.rank() > other.rank()
            || (self.rank() == other.rank()
                && self.names_all_of(other)
                && !other.names_all_of(self))
    }

    fn names_all_of(&self, other: &Self) -> bool {
        let ours = self.verdict.processes();
        let is_ours = |theirs: &Arc<Process>| ours.iter().any(|ours| ours.id() == theirs.id());
        other.verdict.is_named() && other.verdict.processes().iter().all(is_ours)
    }

    fn rank(&self) -> (u8, Option<Match>) {
        (self.verdict.rank(), self.evidence.matched)
    }
}

/// Who owns a socket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Verdict {
    /// One process holds the socket.
    Process(Arc<Process>),
    /// Several processes hold the very same socket, or several sockets fit equally
    /// well. All of them, lowest pid first; the order is no guess at the right one.
    Shared(Vec<Arc<Process>>),
    /// The process cannot be seen or is gone, but something about it was told.
    Partial {
        /// The user who opened the socket.
        user: Option<User>,
        /// The service, container or sandbox that opened it.
        unit: Option<Unit>,
    },
    /// Nobody can be named, for this reason.
    Unknown(Reason),
}

impl Verdict {
    /// The processes that are named: one, several, or none.
    pub fn processes(&self) -> &[Arc<Process>] {
        match self {
            Self::Process(process) => std::slice::from_ref(process),
            Self::Shared(processes) => processes,
            Self::Partial { .. } | Self::Unknown(_) => &[],
        }
    }

    /// Why nobody is named; `None` where at least a user or a unit is.
    pub const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Process(_) | Self::Shared(_) | Self::Partial { .. } => None,
            Self::Unknown(reason) => Some(*reason),
        }
    }

    /// The user of the owner, where known: of several processes, that of the first.
    pub fn user(&self) -> Option<&User> {
        match self {
            Self::Process(process) => process.user.as_ref(),
            Self::Shared(processes) => processes.first()?.user.as_ref(),
            Self::Partial { user, .. } => user.as_ref(),
            Self::Unknown(_) => None,
        }
    }

    /// The service, container or sandbox of the owner, where known: of several processes, that of
    /// the first.
    pub fn unit(&self) -> Option<&Unit> {
        match self {
            Self::Process(process) => process.unit.as_ref(),
            Self::Shared(processes) => processes.first()?.unit.as_ref(),
            Self::Partial { unit, .. } => unit.as_ref(),
            Self::Unknown(_) => None,
        }
    }

    /// Whether at least one process is named.
    pub const fn is_named(&self) -> bool {
        matches!(self, Self::Process(_) | Self::Shared(_))
    }

    /// The kind of verdict in lower case, as JSON writes it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Process(_) => "process",
            Self::Shared(_) => "shared",
            Self::Partial { .. } => "partial",
            Self::Unknown(_) => "unknown",
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            // Above all that `Reason::rank` gives.
            Self::Process(_) | Self::Shared(_) => 5,
            Self::Partial { unit: Some(_), .. } => 4,
            Self::Partial { unit: None, .. } => 3,
            Self::Unknown(reason) => reason.rank(),
        }
    }
}

/// In words, as far as one line tells it: `curl (4242)`, `nginx (7), nginx (8)`, `user ada,
/// service sshd.service`, or why nobody can be named.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(process) => process.fmt(f),
            Self::Shared(processes) => {
                for (index, process) in processes.iter().enumerate() {
                    let separator = if index > 0 { ", " } else { "" };
                    write!(f, "{separator}{process}")?;
                }
                Ok(())
            }
            Self::Partial { user, unit } => match (user, unit) {
                (Some(user), Some(unit)) => write!(f, "user {user}, {unit}"),
                (Some(user), None) => write!(f, "user {user}"),
                (None, Some(unit)) => unit.fmt(f),
                (None, None) => f.write_str("a process that cannot be seen"),
            },
            Self::Unknown(reason) => reason.fmt(f),
        }
    }
}

/// How an answer was reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Evidence {
    /// How closely the socket fits the question; `None` where no socket fits.
    pub matched: Option<Match>,
    /// Wall-clock time from which the facts are: the reading of the socket list
    /// began then, or this is when the socket was last seen.
    pub observed_at: SystemTime,
    /// Which socket table told.
    pub source: Source,
    /// The network namespace that the socket is in, if it is not the one that was
    /// asked in.
    ///
    /// `None` stands for that one, or says that there is no single one: no socket fits, or
    /// several fit in several namespaces. Where one socket fits, [`socket`](Self::socket) tells
    /// which of these it is, by [`SocketNamespace::Own`](super::SocketNamespace::Own).
    /// [`Snapshot::sockets_of`](crate::Snapshot::sockets_of) lists each socket with its own.
    pub namespace: Option<Arc<NetworkNamespace>>,
    /// The socket that the answer is about, where exactly one fits and the table can tell
    /// sockets apart.
    pub socket: Option<SocketId>,
}

impl Evidence {
    /// What a table told at a wall-clock time, of no certain socket in the namespace that was
    /// asked in.
    pub const fn new(matched: Option<Match>, observed_at: SystemTime, source: Source) -> Self {
        Self {
            matched,
            observed_at,
            source,
            namespace: None,
            socket: None,
        }
    }
}

/// How closely a socket fits a question; a later variant is a closer match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Match {
    /// An earlier look saw a socket that fits, alive when the packet was captured.
    History,
    /// A socket bound to the port on all addresses.
    WildcardAddress,
    /// A socket bound to exactly this local address and port.
    LocalEndpoint,
    /// Protocol, both addresses and both ports are the same.
    FiveTuple,
}

impl Match {
    /// Every way to match, from the least close to the closest.
    pub const ALL: [Self; 4] = [
        Self::History,
        Self::WildcardAddress,
        Self::LocalEndpoint,
        Self::FiveTuple,
    ];

    /// The name in lower case, as JSON writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::History => "history",
            Self::WildcardAddress => "wildcard-address",
            Self::LocalEndpoint => "local-endpoint",
            Self::FiveTuple => "five-tuple",
        }
    }
}

displayed!(Match, "match");

/// Which socket table told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// The portable table, on the `listeners` crate.
    Portable,
    /// The native table of Linux: `sock_diag` and `/proc`.
    SockDiag,
    /// A record of what some table told before, such as a capture file.
    Recorded,
    /// A script, in tests.
    Scripted,
    /// No table: what is said follows from the flow itself, or nothing can be known.
    None,
}

impl Source {
    /// Every source.
    pub const ALL: [Self; 5] = [
        Self::Portable,
        Self::SockDiag,
        Self::Recorded,
        Self::Scripted,
        Self::None,
    ];

    /// The name in lower case, as JSON writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::SockDiag => "sock-diag",
            Self::Recorded => "recorded",
            Self::Scripted => "scripted",
            Self::None => "none",
        }
    }

    /// Whether this source tells a socket from the next one with the same ends, as by
    /// [a number of the kernel](SocketId). If not, nothing shows that what comes after an answer
    /// still is of the same socket, until another answer says so.
    ///
    /// False for the portable table: the `listeners` crate gives no such number.
    pub const fn identifies_sockets(self) -> bool {
        match self {
            Self::Portable => false,
            Self::SockDiag | Self::Recorded | Self::Scripted | Self::None => true,
        }
    }
}

displayed!(Source, "source");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::process::UnitKind;

    fn answer(verdict: Verdict, matched: Option<Match>) -> Ownership {
        Ownership {
            verdict,
            evidence: Evidence {
                matched,
                observed_at: SystemTime::UNIX_EPOCH,
                source: Source::Scripted,
                namespace: None,
                socket: None,
            },
        }
    }

    #[test]
    fn verdicts_are_told_in_one_line() {
        let check = |verdict: Verdict, expected: &str| assert_eq!(verdict.to_string(), expected);
        let process = |pid| Arc::new(Process::new(pid, "nginx"));
        let user = || {
            let name = Some("ada".to_owned());
            Some(User::new(7, name))
        };
        let unit = || Some(Unit::new(UnitKind::Service, "sshd.service"));
        let partial = |user, unit| Verdict::Partial { user, unit };
        check(Verdict::Process(process(7)), "nginx (7)");
        check(
            Verdict::Shared(vec![process(7), process(8)]),
            "nginx (7), nginx (8)",
        );
        check(partial(user(), unit()), "user ada, service sshd.service");
        check(partial(user(), None), "user ada");
        check(partial(None, unit()), "service sshd.service");
        check(partial(None, None), "a process that cannot be seen");
        check(
            Verdict::Unknown(Reason::NotFound),
            "no such socket was found",
        );
    }

    #[test]
    fn only_better_answers_replace() {
        let process = |pid| Verdict::Process(Arc::new(Process::new(pid, "p")));
        let shared = |pids: &[u32]| {
            let processes = pids.iter().map(|pid| Arc::new(Process::new(*pid, "p")));
            Verdict::Shared(processes.collect())
        };
        let partial = Verdict::Partial {
            user: None,
            unit: None,
        };
        // From worst to best: each replaces all before it and none from itself on.
        let ladder = [
            answer(Verdict::Unknown(Reason::Failed), None),
            answer(Verdict::Unknown(Reason::NotFound), None),
            answer(Verdict::Unknown(Reason::Gone), None),
            answer(partial, Some(Match::FiveTuple)),
            answer(process(1), Some(Match::History)),
            answer(process(2), Some(Match::WildcardAddress)),
            answer(process(3), Some(Match::LocalEndpoint)),
            answer(process(4), Some(Match::FiveTuple)),
            answer(shared(&[3, 4]), Some(Match::FiveTuple)),
            answer(shared(&[3, 4, 5]), Some(Match::FiveTuple)),
        ];
        for (i, a) in ladder.iter().enumerate() {
            for (j, b) in ladder.iter().enumerate() {
                assert_eq!(a.is_better_than(b), i > j, "{a:?} over {b:?}");
            }
        }
        // Others are no more.
        let others = answer(shared(&[6, 7]), Some(Match::FiveTuple));
        for rung in &ladder[ladder.len() - 3..] {
            assert!(!others.is_better_than(rung) && !rung.is_better_than(&others));
        }
    }
}
