//! The reasons why an answer names no process: their words, and what follows from each.

use std::fmt;

use super::text::named;

/// Why an answer names no process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// No socket matches.
    NotFound,
    /// The socket closed before the lookup. A lookup that finds no socket gives this reason if a
    /// socket must have existed, such as the one that sent a SYN.
    Gone,
    /// The socket belongs to a process of another user, which this process may not inspect.
    Denied,
    /// The kernel holds the socket itself (NFS, in-kernel VPNs). Or the kernel itself exchanges
    /// such packets: replies to echo requests, other ICMP messages, IGMP.
    Kernel,
    /// The socket is in another network namespace.
    OtherNamespace,
    /// Neither end of the flow is on this host.
    Forwarded,
    /// This host translates the packets (NAT): they belong to another end, such as a container, and to
    /// no socket of this host.
    Translated,
    /// This host translates addresses, and this process may not ask whether it translates these
    /// packets.
    MayBeTranslated,
    /// This platform offers no way to know, or not for this protocol.
    Unsupported,
    /// The socket or its holder changed at about the time of the packet. The packet belongs to one
    /// of two owners, and no evidence shows to which.
    Changed,
    /// No process of this host sent the packet: it arrived with a source address of this host, or in
    /// a frame for another host.
    NotSentHere,
    /// No socket is connected to both ends, and a process of this host has a packet socket, or a raw
    /// socket that only sends. Such a socket can send packets with any addresses, so it may have sent
    /// this one.
    /// Or a process has a raw socket for the protocol of the packet, which has no ports, and no
    /// send watcher observed the sender.
    /// watcher saw who sent it.
    PacketSocket,
    /// The lookup failed, or the resolver refused it because too many others waited. Such a socket
    /// may exist. An [`Error`](crate::Error) says what failed.
    Failed,
    /// A reason that this version does not know, from a recording by a later version.
    Other,
}

impl Reason {
    /// Every reason, in the order in which reports list them.
    pub const ALL: [Self; 14] = [
        Self::NotFound,
        Self::Gone,
        Self::Denied,
        Self::Kernel,
        Self::OtherNamespace,
        Self::Forwarded,
        Self::Translated,
        Self::MayBeTranslated,
        Self::Unsupported,
        Self::Changed,
        Self::NotSentHere,
        Self::PacketSocket,
        Self::Failed,
        Self::Other,
    ];

    /// The name in lower case, as JSON writes it: [`words`](Self::words) with `-` between them.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotFound => "no-such-socket",
            Self::Gone => "process-exited",
            Self::Denied => "not-permitted",
            Self::Kernel => "kernel-socket",
            Self::OtherNamespace => "other-network-namespace",
            Self::Forwarded => "forwarded",
            Self::Translated => "address-translated",
            Self::MayBeTranslated => "address-may-be-translated",
            Self::Unsupported => "unsupported",
            Self::Changed => "owner-changed",
            Self::NotSentHere => "not-sent-here",
            Self::PacketSocket => "packet-socket-in-use",
            Self::Failed => "lookup-failed",
            Self::Other => "other-reason",
        }
    }

    /// The name in words, as tables show it behind `unknown: `.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NotFound => "no such socket",
            Self::Gone => "process exited",
            Self::Denied => "not permitted",
            Self::Kernel => "kernel socket",
            Self::OtherNamespace => "other network namespace",
            Self::Forwarded => "forwarded",
            Self::Translated => "address translated",
            Self::MayBeTranslated => "address may be translated",
            Self::Unsupported => "unsupported",
            Self::Changed => "owner changed",
            Self::NotSentHere => "not sent here",
            Self::PacketSocket => "packet socket in use",
            Self::Failed => "lookup failed",
            Self::Other => "other reason",
        }
    }

    /// The reason with this name, or with a name that earlier recordings and filters use.
    fn by_name(name: &str) -> Option<Self> {
        let now = Self::ALL.into_iter().find(|reason| reason.name() == name);
        now.or_else(|| {
            let mut earlier = EARLIER_NAMES.into_iter();
            earlier
                .find(|(earlier, _)| *earlier == name)
                .map(|(_, reason)| reason)
        })
    }

    /// What the reader can do, if anything helps.
    pub const fn advice(self) -> Option<&'static str> {
        match self {
            Self::Denied => Some(
                "run as the owner of the process or as administrator (Linux: with \
                 CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH)",
            ),
            Self::MayBeTranslated => Some("run as administrator (Linux: with CAP_NET_ADMIN)"),
            Self::OtherNamespace => Some("run as administrator, or inside that network namespace"),
            Self::Failed => Some("a warning says what failed; the lookup is tried again"),
            Self::NotFound
            | Self::Gone
            | Self::Kernel
            | Self::Forwarded
            | Self::Translated
            | Self::Unsupported
            | Self::Changed
            | Self::NotSentHere
            | Self::PacketSocket
            | Self::Other => None,
        }
    }

    /// Whether a later lookup may find an owner without any change by the reader. The policy then
    /// repeats the lookup before it gives up, and searches its history.
    pub const fn may_pass(self) -> bool {
        match self {
            // The list may have the socket a moment later; or another socket may open at the same
            // end; or the system may answer.
            Self::NotFound | Self::Gone | Self::Failed => true,
            Self::Denied
            | Self::Kernel
            | Self::OtherNamespace
            | Self::Forwarded
            | Self::Translated
            | Self::MayBeTranslated
            | Self::Unsupported
            | Self::Changed
            | Self::NotSentHere
            | Self::PacketSocket
            | Self::Other => false,
        }
    }

    /// Whether the reason says that no socket is open there. A socket that opens later is a
    /// different one, and an open socket beside a closed one decides the answer alone.
    pub const fn is_of_no_open_socket(self) -> bool {
        match self {
            Self::NotFound | Self::Gone => true,
            Self::Denied
            | Self::Kernel
            | Self::OtherNamespace
            | Self::Forwarded
            | Self::Translated
            | Self::MayBeTranslated
            | Self::Unsupported
            | Self::Changed
            | Self::NotSentHere
            | Self::PacketSocket
            | Self::Failed
            | Self::Other => false,
        }
    }

    /// How much an answer with this reason is worth beside others that name no owner. A higher rank
    /// replaces a lower one.
    pub(super) const fn rank(self) -> u8 {
        match self {
            // A lookup that failed says nothing: any other answer takes its place.
            Self::Failed => 0,
            // Any explanation is better than "not found".
            Self::NotFound => 1,
            Self::Gone
            | Self::Denied
            | Self::Kernel
            | Self::OtherNamespace
            | Self::Forwarded
            | Self::Translated
            | Self::MayBeTranslated
            | Self::Unsupported
            | Self::Changed
            | Self::NotSentHere
            | Self::PacketSocket
            | Self::Other => 2,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "no such socket was found",
            Self::Gone => {
                "the process exited, or closed the socket, before its owner could be read"
            }
            Self::Denied => "the owner may not be inspected",
            Self::Kernel => "the kernel itself holds the socket",
            Self::OtherNamespace => "the socket is in another network namespace",
            Self::Forwarded => "neither end is on this host",
            Self::Translated => "this host translates it: another end stands behind the address",
            Self::MayBeTranslated => "this host translates addresses, perhaps this one",
            Self::Unsupported => "this cannot be known here",
            Self::Changed => "the owner changed about then",
            Self::NotSentHere => "it was not sent here",
            Self::PacketSocket => "a packet socket may have sent it",
            Self::Failed => "the lookup failed",
            Self::Other => "for a reason that this version does not know",
        })
    }
}

/// Names that recordings and filters of earlier versions use.
const EARLIER_NAMES: [(&str, Reason); 11] = [
    ("not-found", Reason::NotFound),
    ("gone", Reason::Gone),
    ("denied", Reason::Denied),
    ("kernel", Reason::Kernel),
    ("other-namespace", Reason::OtherNamespace),
    ("translated", Reason::Translated),
    ("may-be-translated", Reason::MayBeTranslated),
    ("changed", Reason::Changed),
    ("packet-socket", Reason::PacketSocket),
    ("failed", Reason::Failed),
    ("other", Reason::Other),
];

named!(Reason, "reason", Reason::by_name);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_words_of_its_own() {
        let words: [fn(Reason) -> String; 3] = [
            |reason| reason.name().to_owned(),
            |reason| reason.words().to_owned(),
            |reason| reason.to_string(),
        ];
        for words in words {
            let mut all = Reason::ALL.map(words);
            assert!(all.iter().all(|text| !text.is_empty()));
            all.sort_unstable();
            for pair in all.windows(2) {
                assert_ne!(pair[0], pair[1]);
            }
        }
    }

    /// A person who reads the words in a table can type them in a filter.
    #[test]
    fn the_name_is_the_words() {
        for reason in Reason::ALL {
            assert_eq!(reason.name(), reason.words().replace(' ', "-"));
        }
    }

    #[test]
    fn earlier_names_are_read_and_mean_nothing_else() {
        for (name, reason) in EARLIER_NAMES {
            assert_eq!(name.parse(), Ok(reason));
            assert!(Reason::ALL.iter().all(|now| now.name() != name), "{name}");
        }
    }

    /// A reason that a later lookup may lift must not outrank an explanation.
    #[test]
    fn a_failure_gives_way_to_every_other_reason() {
        for reason in Reason::ALL {
            assert_eq!(reason.rank() == 0, reason == Reason::Failed, "{reason:?}");
            assert!(reason.may_pass() || reason.rank() == 2, "{reason:?}");
            assert!(reason.may_pass() || !reason.is_of_no_open_socket());
        }
    }
}
