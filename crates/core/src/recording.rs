//! Recording: what a monitor captures, in pcapng files that tell who owns each packet.
//!
//! # The comments
//!
//! A packet has a comment for each of its ends whose owner was looked for: one, or two where
//! both ends are on this host. Wireshark shows them; `flowner read` reads them again.
//!
//! ```text
//! flowner: program=curl pid=4242 user=ada uid=1000 started=2026-01-01T00:00:00.000000000Z
//!          path=/usr/bin/curl verdict=process match=five-tuple end=source
//! ```
//!
//! (In one line.) After `flowner:` come keys and values, each pair after a space. A value is in
//! double quotes where it is empty or has a space, a character that [`text`](crate::text) masks,
//! `"`, `\` or `=` in it;
//! `\"`, `\\`, `\n`, `\r`, `\t` and `\u{HEX}` stand for single characters there. What is no
//! UTF-8 has U+FFFD in its place. Keys are never renamed; readers skip those that they do not
//! know.
//!
//! | key | value |
//! |---|---|
//! | `verdict` | `process`, `shared`, `partial` or `unknown` |
//! | `end` | whose owner it is: that of the packet's `source` or `destination` |
//! | `reason` | why the owner is unknown, if it is: `no-such-socket`, `process-exited`, `not-permitted` …; a reader also takes the names of earlier versions (`not-found`, `gone`, `denied` …), and reads a reason that it does not know as `other-reason` |
//! | `match` | how closely the socket fits: `five-tuple`, `local-endpoint` …; a reader leaves out one that it does not know |
//! | `community-id` | the [Community ID](crate::CommunityId) of the flow, by which other monitors know it |
//! | `namespace`, `namespace-name` | the network namespace of the socket, where it is another |
//!
//! Before these are the keys of the process, of each where several share the socket (at most
//! eight; `more` counts the others, of which a reader knows nothing), beginning with its `program`, as a person calls it, and
//! `pid`; then, as far as they are known, `process` (its name, where that is not the
//! program's), `user`, `uid`, `started` (RFC 3339), `path`, `path-deleted` (`yes`), and one of
//! `service`, `container`, `flatpak` and `snap`. Where only the user or such a unit is known,
//! those keys stand alone.
//!
//! # Names in the way of Wireshark
//!
//! A Name Resolution Block before the first packet of a flow has the name of its remote address, if that is
//! known, for Wireshark. Names of hosts behind a proxy, and names that only another host asked for, are not in it.
//!
//! # Processes in the way of Wireshark
//!
//! Beside the comment, a packet says which way it went (`epb_flags`), and points by its pid
//! (`epb_processid_threadid`) to a block that describes the process, in the form of Wireshark 5.1:
//! a custom block 0x00000BAD of the enterprise 32622. The process is that of the source if it is
//! known, else that of the destination, and one alone: who shares a socket is in the comment only.
//! Arguments are left out, because they may hold secrets. Versions of Wireshark before 5.1 list such
//! a block between the packets, as a custom block, and `capinfos` of these prints no times then.
//!
//! # What a file claims
//!
//! Owners are read of Flowner's comments, and for packets without one of those: of the blocks of
//! Wireshark and of Apple's tcpdump (0x80000001, options 32769 and 32771), of the comments of
//! ptcpdump (`PID:`, `Cmd:`, `Args:`, …) and of rustnet (`rustnet process=… pid=…`, but not of its
//! guesses by the port alone, `attr=procfs-relaxed`). These do not say which end they are about. It
//! is the source of a packet that the file says was sent, and the destination of one that arrived;
//! without such a word, the end with an address of the capturing host, and the initiator where those
//! addresses are unknown. If both ends are on that host, the owner is unknown.
//!
//! A packet without an owner in the file belongs to the owner of the earlier packets of its flow. But if
//! the next owner in the file is another one, the packet has no owner. A datagram before the first owner
//! of its flow has none either.
//!
//! Any program can write all this. Owners that are read again have the source
//! [`Recorded`](flowner_attribution::Source::Recorded), which all outputs show, and nothing that
//! they name is looked up on this host. A claim is refused, and its packet kept, if it has not
//! this form, contradicts itself (as `verdict=process` with two, or with `more`), has a pid of 0 or above
//! 4,194,304, or more than 64 processes; a report counts those (`refused_claims`).
//!
//! # Files
//!
//! Packets are in the order in which they were captured. Each waits until its owners are
//! settled, for half a second at most. A file ends with what the kernel and the device have
//! dropped. Whole blocks are handed to the operating system, at least once a second, so that
//! what was recorded can be read after a crash.

pub use crate::sinks::record::{
    Account, Output, Recording, RecordingConfig, RecordingStats, Rotation,
};
