//! The answer: who owns the socket and how the table found that out, or why the owner is unknown.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::process::{NetworkNamespace, Process, Unit, User};
use super::reason::Reason;
use super::socket_id::SocketId;
use super::text::displayed;
use super::translated::TranslatedFrom;

/// An answer with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Ownership {
    /// The owner of the socket, or why the owner is unknown.
    pub verdict: Verdict,
    /// How the table found the answer.
    pub evidence: Evidence,
}

/// The verdict: `curl (4242)`.
impl fmt::Display for Ownership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.verdict.fmt(f)
    }
}

impl Ownership {
    /// An answer with its evidence.
    pub const fn new(verdict: Verdict, evidence: Evidence) -> Self {
        Self { verdict, evidence }
    }

    /// An answer that names no process.
    pub const fn unknown(reason: Reason, observed_at: SystemTime, source: Source) -> Self {
        Self {
            verdict: Verdict::Unknown(reason),
            evidence: Evidence {
                matched: None,
                observed_at,
                source,
                namespace: None,
                socket: None,
                found_by: None,
                translated_from: None,
            },
        }
    }

    /// Turns an answer about the original ends of a socket into one about packets that this host
    /// translates.
    #[must_use]
    pub fn translated(mut self, from: TranslatedFrom) -> Self {
        self.evidence.translated_from = Some(Box::new(from));
        // Behind this host is another host or a virtual machine.
        if self.verdict == Verdict::Unknown(Reason::Forwarded) {
            self.verdict = Verdict::Unknown(Reason::Translated);
        }
        self
    }

    /// Whether this answer may take the place of `other`.
    ///
    /// An answer that names processes beats one that names a unit or a user, and that beats one that
    /// names nothing. Then the closer match wins. Then an answer wins that names all processes of the
    /// other one and more, because the lookup found another holder. Of equal answers the first one
    /// stays, because its evidence is nearer to the first packet.
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
    /// Several processes hold the same socket, or several sockets match equally well. This lists all
    /// of the processes, lowest pid first; the order says nothing about the right one.
    Shared(Vec<Arc<Process>>),
    /// The process is unknown, but not its user or its unit.
    Partial {
        /// The user who opened the socket.
        user: Option<User>,
        /// The service, container or sandbox that opened it.
        unit: Option<Unit>,
    },
    /// The owner is unknown, for this reason.
    Unknown(Reason),
}

impl Verdict {
    /// The processes that the verdict names: one, several, or none.
    pub fn processes(&self) -> &[Arc<Process>] {
        match self {
            Self::Process(process) => std::slice::from_ref(process),
            Self::Shared(processes) => processes,
            Self::Partial { .. } | Self::Unknown(_) => &[],
        }
    }

    /// Why the owner is unknown; `None` if the verdict names a process, a user or a unit.
    pub const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Process(_) | Self::Shared(_) | Self::Partial { .. } => None,
            Self::Unknown(reason) => Some(*reason),
        }
    }

    /// The user of the owner, if it is known; of several processes, only if all have the same user.
    pub fn user(&self) -> Option<&User> {
        match self {
            Self::Process(process) => process.user.as_ref(),
            Self::Shared(processes) => common(processes, |process| process.user.as_ref()),
            Self::Partial { user, .. } => user.as_ref(),
            Self::Unknown(_) => None,
        }
    }

    /// The service, container or sandbox of the owner, if it is known; of several processes, only if
    /// all are in the same one.
    pub fn unit(&self) -> Option<&Unit> {
        match self {
            Self::Process(process) => process.unit.as_ref(),
            Self::Shared(processes) => common(processes, |process| process.unit.as_ref()),
            Self::Partial { unit, .. } => unit.as_ref(),
            Self::Unknown(_) => None,
        }
    }

    /// Whether the verdict names at least one process.
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
            // Above every value of `Reason::rank`.
            Self::Process(_) | Self::Shared(_) => 5,
            Self::Partial { unit: Some(_), .. } => 4,
            Self::Partial { unit: None, .. } => 3,
            Self::Unknown(reason) => reason.rank(),
        }
    }
}

/// The value that all of these processes have in common, if there is one.
fn common<T: PartialEq>(
    processes: &[Arc<Process>],
    of: impl Fn(&Process) -> Option<&T>,
) -> Option<&T> {
    let (first, others) = processes.split_first()?;
    let value = of(first)?;
    let is_same = |other: &Arc<Process>| of(other) == Some(value);
    others.iter().all(is_same).then_some(value)
}

/// In one line: `curl (4242)`, `nginx (7), nginx (8)`, `user ada, service sshd.service`, or why the
/// owner is unknown.
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
                (None, None) => f.write_str("an unknown process"),
            },
            Self::Unknown(reason) => reason.fmt(f),
        }
    }
}

/// How a table found an answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Evidence {
    /// How closely the socket matches the query; `None` if no socket matches.
    pub matched: Option<Match>,
    /// Wall-clock time of the facts: when the table began to read them or, for
    /// [`Match::History`], when a lookup last saw the socket.
    pub observed_at: SystemTime,
    /// The socket table that gave the answer.
    pub source: Source,
    /// The network namespace that the socket is in.
    ///
    /// `None` for the one that the table was opened in, and if there is no single one: no socket
    /// matches, or sockets of several namespaces do. If one socket matches, [`socket`](Self::socket)
    /// says whether it is in the table's own namespace, by [`SocketNamespace::Own`](super::SocketNamespace::Own).
    /// [`Snapshot::sockets_of`](crate::Snapshot::sockets_of) lists each socket with its own.
    pub namespace: Option<Arc<NetworkNamespace>>,
    /// The socket that the answer is about, if exactly one matches and the
    /// [source](Source::identifies_sockets) identifies sockets.
    pub socket: Option<SocketId>,
    /// Wall-clock time by which the table had found the socket. `None` if the table does not report
    /// it, or found the socket at [`observed_at`](Self::observed_at).
    ///
    /// The socket existed at some time between the two. It may belong to a later connection with
    /// the same five-tuple, if a process had opened that one by then.
    #[cfg_attr(feature = "serde", serde(default))]
    pub found_by: Option<SystemTime>,
    /// The original ends of the socket, if this host translates the packets of the query (NAT). The
    /// table looked up these, and reports them even if no socket matches. `None` if the host does
    /// not translate the packets, or if the table does not know.
    #[cfg_attr(feature = "serde", serde(default))]
    pub translated_from: Option<Box<TranslatedFrom>>,
}

impl Evidence {
    /// Evidence from a table at a wall-clock time, without a namespace and a socket.
    pub const fn new(matched: Option<Match>, observed_at: SystemTime, source: Source) -> Self {
        Self {
            matched,
            observed_at,
            source,
            namespace: None,
            socket: None,
            found_by: None,
            translated_from: None,
        }
    }

    /// Whether the evidence is that a process ran when the packet was sent: no socket has the ends
    /// of the packet.
    pub(crate) const fn is_by_run(&self) -> bool {
        matches!(self.matched, Some(Match::Protocol | Match::PacketSocket))
    }
}

/// How closely a socket matches a query; a later variant is a closer match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Match {
    /// Lookups before and after the packet saw a socket that matches.
    History,
    /// A packet socket on the device, whose process ran when the packet was sent. No socket of the
    /// packet's own protocol matches.
    PacketSocket,
    /// A socket for all packets of the protocol, which has no ports, where the addresses and the device
    /// fit. If it sent the packet, its process ran then.
    Protocol,
    /// A socket bound to the port on all addresses.
    WildcardAddress,
    /// A socket bound to exactly this local address and port.
    LocalEndpoint,
    /// A socket with this protocol and both of these ends.
    FiveTuple,
}

impl Match {
    /// Every way to match, from the least close to the closest.
    pub const ALL: [Self; 6] = [
        Self::History,
        Self::PacketSocket,
        Self::Protocol,
        Self::WildcardAddress,
        Self::LocalEndpoint,
        Self::FiveTuple,
    ];

    /// The name in lower case, as JSON writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::History => "history",
            Self::PacketSocket => "packet-socket",
            Self::Protocol => "protocol",
            Self::WildcardAddress => "wildcard-address",
            Self::LocalEndpoint => "local-endpoint",
            Self::FiveTuple => "five-tuple",
        }
    }
}

displayed!(Match, "match");

/// The socket table that gave an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// The portable table, on the `listeners` crate.
    Portable,
    /// The native table of Linux: `sock_diag` and `/proc`.
    SockDiag,
    /// A recording of earlier answers, such as a capture file.
    Recorded,
    /// A script, in tests.
    Scripted,
    /// No table: the answer follows from the flow itself, or no table can know it.
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

    /// Whether this source distinguishes a socket from a later one with the same ends, as by
    /// [the kernel's number](SocketId). If not, packets after an answer may belong to another socket,
    /// until the next answer names the same owner.
    ///
    /// False for the portable table, because the `listeners` crate gives no such number.
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
                found_by: None,
                translated_from: None,
            },
        }
    }

    #[test]
    fn verdicts_display_in_one_line() {
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
        check(partial(None, None), "an unknown process");
        check(
            Verdict::Unknown(Reason::NotFound),
            "no such socket was found",
        );
    }

    #[test]
    fn several_processes_have_a_user_if_all_have_the_same() {
        let of = |uid: Option<u32>| {
            let mut process = Process::new(uid.unwrap_or_default(), "nginx");
            process.user = uid.map(|uid| User::new(uid, None));
            Arc::new(process)
        };
        for (uids, expected) in [
            ([Some(7), Some(7)], Some(7)),
            ([Some(0), Some(7)], None),
            ([Some(7), None], None),
            ([None, Some(7)], None),
        ] {
            let shared = Verdict::Shared(uids.map(of).to_vec());
            assert_eq!(shared.user().and_then(User::uid), expected, "{uids:?}");
        }
        assert_eq!(Verdict::Shared(Vec::new()).unit(), None);
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
