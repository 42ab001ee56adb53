//! How long evidence counts: every limit of this crate on the age of what it believes, in one
//! table.
//!
//! # Right or silent
//!
//! An owner is named for a packet that was seen at time *t* by evidence about its socket from time
//! *o*. The promise is that the process held the socket at *t*. It follows from three rules:
//!
//! 1. **Evidence from before the packet names nobody**: *o* ≥ *t*. So a port that changed hands
//!    before the packet never keeps its old owner, and no limit below can break that: what a limit
//!    lets stand in for a new lookup is never the socket, only a *part* of what is asked about it
//!    (who has its descriptor, what the process executes, which namespaces there are). The
//!    exception is a [history entry](HISTORY_ENTRY), which lookups before *and* after the packet
//!    saw.
//! 2. **Evidence from after the packet may be about the next socket.** Where sockets have numbers
//!    and remote ends, the policy sees that by the packets of the next flow. Where they do not,
//!    evidence proves something only within the limits of the group *after the packet*; past them,
//!    nobody is named.
//! 3. **A part that an earlier lookup found stands in for a new one** within the limits of the
//!    group *parts of a lookup*. So the oldest part of an answer is as old as the greatest limit
//!    that applies to it: 10 ms for the holders of a listener (5 ms for who holds it, and 5 ms for
//!    what these execute), 10 ms for who inherited a socket that is confirmed, 100 ms for a holder
//!    to which the socket was passed on by a process that keeps it. A change within that time is
//!    found by the next confirmation, and what was sent since the last one belongs to nobody.
//!
//! A limit of "nobody" or "nothing" (a socket without holder, no translation, no other namespace) is
//! shorter than that of its opposite where a wrong one would name a wrong owner, and longer where
//! it only leaves an owner unknown.
//!
//! # What is not here
//!
//! Budgets (what may be spent), retries and waits (when something is tried again), and deadlines
//! (how long an operation may take) bound work, not belief. They stay beside the code that does the
//! work: `BUDGET`, `SHARE`, `REST`, `PATIENCE`, `DEADLINE`, and the waits of
//! [`PolicyConfig`](super::PolicyConfig). `cargo xtask tidy` knows their names, and refuses every
//! other `Duration` constant of this crate outside of this file.

use std::time::Duration;

// Evidence from after the packet, and answers that serve others.

/// How long an answer serves other flows of the same socket
/// ([`PolicyConfig::cache_age`](super::PolicyConfig::cache_age)). It serves only packets from the
/// time for which it is proven, so the limit is one of memory: packets wait in a queue for less.
pub(super) const CACHED_ANSWER: Duration = Duration::from_secs(60);

/// How long after it was last seen a closed socket is remembered
/// ([`PolicyConfig::history_age`](super::PolicyConfig::history_age)). It names an owner only for
/// packets between the first and the last lookup that saw it: a limit of memory, too.
pub(super) const HISTORY_ENTRY: Duration = Duration::from_secs(60);

/// How long the answer of a fast lookup stands before a complete lookup confirms it
/// ([`PolicyConfig::confirm_after`](super::PolicyConfig::confirm_after)). The fast lookup asks the
/// likely processes only, so another holder may be missing until then. One complete lookup serves
/// all flows of that time.
pub(super) const UNCONFIRMED: Duration = Duration::from_millis(100);

/// How long after a packet the lookup of an observer may begin that names the packet's sender. One
/// that begins later is no better evidence than a lookup of our own, which is made then: the same
/// ends may have another socket, whose packet the observer has seen and the thread that captures
/// has not.
pub(crate) const OBSERVED_SENDER: Duration = Duration::from_millis(20);

/// How long an observation waits for its request: for longer, a thread that captures is hardly
/// late. It answers for packets from before it only, however long it waits, so this is a limit
/// of memory.
pub(super) const UNCLAIMED_OBSERVATION: Duration = Duration::from_secs(5);

/// How long after the packet a list may end and name the *sender*, where the table tells neither
/// remote ends nor sockets apart
/// ([`PolicyConfig::sender_within`](super::PolicyConfig::sender_within)). A port that the system
/// chose is given to another process no sooner, as a rule.
pub(super) const LIST_OF_SENDER: Duration = Duration::from_millis(20);

/// The same of the *receiver*
/// ([`PolicyConfig::receiver_within`](super::PolicyConfig::receiver_within)): those who serve keep
/// their ports longer than those who ask.
pub(super) const LIST_OF_RECEIVER: Duration = Duration::from_millis(250);

/// The same of a receiver that was started well before the packet
/// ([`PolicyConfig::old_receiver_within`](super::PolicyConfig::old_receiver_within)): another one
/// that took its port would be younger, unless it waited for the port all along.
pub(super) const LIST_OF_OLD_RECEIVER: Duration = Duration::from_secs(5);

/// How long before the packet a process was started that counts as an old receiver. Nobody binds a
/// port of somebody else's sooner after its start.
pub(super) const OLD_PROCESS: Duration = Duration::from_millis(50);

/// How much later than the packet the process that sent it may seem to have started: the kernel
/// counts start times in hundredths of a second, and the wall clock advances in steps, too.
pub(super) const START_TIME_ERROR: Duration = Duration::from_millis(30);

#[cfg(target_os = "linux")]
pub(crate) use linux::*;

/// Parts of a lookup that an earlier one may stand in for, on Linux.
#[cfg(target_os = "linux")]
mod linux {
    use std::time::Duration;

    // Who holds a socket.

    /// How old the last scan for changed processes may be when an answer names the holders of a
    /// socket. One scan serves all lookups of that time. It misses a descriptor that a process has
    /// passed on since and kept; for a socket without any holder, a lookup scans anew.
    pub(crate) const HOLDERS: Duration = Duration::from_millis(100);

    /// How long each lookup scans a new process again: mostly, a process executes another program,
    /// opens its sockets and starts its workers in this time.
    pub(crate) const NEW_PROCESS_WINDOW: Duration = Duration::from_secs(2);

    /// How long no lookup searches again for the holder of a socket, if the last search found none
    /// and was not complete. The owner is unknown meanwhile. (If a complete search finds no holder,
    /// there is none, and no process can get the socket any more.)
    pub(crate) const NO_HOLDER: Duration = Duration::from_secs(1);

    /// How long the holders of a listener count. A listener stands for a connection only until a
    /// process accepts it, and hardly changes hands while connections come in. On the host of a busy
    /// server, to search for its holders for each connection costs more than all else.
    pub(crate) const LISTENER_HOLDERS: Duration = Duration::from_millis(5);

    /// How long a process counts as executing the same program while its executable stays the same
    /// file: to compare more for each of many connections of one process costs much.
    pub(crate) const PROGRAM: Duration = Duration::from_millis(5);

    /// How long a search for processes that inherited a datagram socket serves the next
    /// confirmations: a socket of many flows is confirmed with each of them.
    pub(crate) const INHERITORS: Duration = Duration::from_millis(10);

    /// How long the table remembers the owner of a closed connection. The kernel does not use the
    /// number of a socket again, so this is a limit of memory.
    pub(crate) const CLOSED_CONNECTION: Duration = Duration::from_secs(60);

    /// How far apart two start times of the same process may be. Times since boot are exact; when
    /// the boot was, moves with the clock. A pid is not used again so soon.
    pub(crate) const SAME_START: Duration = Duration::from_millis(100);

    // Which sockets there are.

    /// How long a list is believed of what waits on a port, where it has a single one and the
    /// kernel has just said that this one is there. The kernel goes through all sockets that wait
    /// on any port for a list.
    pub(crate) const WAITING_SOCKET: Duration = Duration::from_millis(100);

    /// The same of several, between which the kernel chooses: others may have been closed since.
    pub(crate) const WAITING_SOCKETS: Duration = Duration::from_millis(5);

    /// How long the lists of another namespace serve that one visit has read: the list of one
    /// protocol is asked for after that of the other.
    pub(crate) const LISTED_ELSEWHERE: Duration = Duration::from_millis(5);

    // Which network namespaces there are.

    /// How long no new namespace is believed to have an address that another one is known to have.
    /// A container is not up so soon after it was made.
    pub(crate) const NAMESPACES: Duration = Duration::from_secs(1);

    /// How old a search for namespaces may be that serves several questions of one request, of
    /// which nothing is known yet.
    pub(crate) const NAMESPACES_OF_REQUEST: Duration = Duration::from_millis(100);

    /// How long none of the many threads of a process is believed to have entered another
    /// namespace, where nothing makes that likely.
    pub(crate) const THREADS_STAY: Duration = Duration::from_secs(5);

    /// How long a cgroup that was not found is not looked for again. The owner lacks its unit
    /// meanwhile. An id may never be found, such as that of a removed group.
    pub(crate) const NO_CGROUP: Duration = Duration::from_secs(1);

    /// How long a container of which no file was found is not looked for again.
    #[cfg(feature = "containers")]
    pub(crate) const NO_CONTAINER: Duration = Duration::from_secs(5);

    // Names of users.

    /// How long a name counts that the name service has told. The uid of a dynamic user of systemd
    /// may be given to another service when its service ends.
    pub(crate) const USER_NAME: Duration = Duration::from_secs(30);

    /// How long a user is believed to have no name. The owner has the uid alone meanwhile.
    pub(crate) const NO_USER_NAME: Duration = Duration::from_secs(30);

    // What is translated (conntrack).

    /// How long nothing is believed to be tracked, where a socket has the very ends of a
    /// connection: nothing can have been translated to these before it was tracked.
    pub(crate) const UNTRACKED: Duration = Duration::from_millis(10);

    /// How long there are believed to be no other zones than those that are known.
    pub(crate) const ZONES: Duration = Duration::from_secs(1);

    /// The same, where the exact question finds a connection and only one with the same ends in
    /// another zone can be meant.
    pub(crate) const ZONES_OF_SAME_ENDS: Duration = Duration::from_secs(10);

    /// How long rules are believed to translate: if none does any more, it costs questions that are
    /// not needed.
    pub(crate) const RULES_TRANSLATE: Duration = Duration::from_secs(10);

    /// How long no rule is believed to translate: if one does, questions are missing that are
    /// needed.
    pub(crate) const NO_RULE_TRANSLATES: Duration = Duration::from_millis(100);

    // What a send watcher has looked up.

    /// How long a send watcher does not look up the sender of a connection again. It has one
    /// first packet, which may go out through several devices.
    pub(crate) const WATCHED_CONNECTION: Duration = Duration::from_millis(1);

    /// How long a send watcher does not look up the sender of the same datagrams again, which it
    /// cannot tell apart; and how long an end counts as one that answers. However long this is,
    /// what the send watcher found holds only for packets from before its lookup.
    pub(crate) const WATCHED_DATAGRAMS: Duration = Duration::from_secs(10);

    /// The same for protocols without ports: no socket has these ends for itself.
    pub(crate) const WATCHED_PORTLESS: Duration = Duration::from_millis(100);

    /// How long who sent what no socket has the ends of must be silent for another process to send the
    /// same: a process starts, opens its socket and sends no sooner.
    pub(crate) const NEXT_SENDER: Duration = Duration::from_millis(1);

    /// The same where the send watcher did not find the sender: the next packet of a flow without
    /// ports, or of frames, may show it, as long as what it shows counts for the first packet.
    pub(crate) const WATCHED_IN_VAIN: Duration = Duration::from_millis(1);

    /// How old a packet may be, when its lookup begins, of which a socket without a port may have been
    /// the sender: its process may be gone after that, and another one have run.
    pub(crate) const SENT_WITHOUT_PORT: Duration = Duration::from_millis(1);

    /// How long before the packet a thread may seem to have stopped that sent it: the clock of a CPU's
    /// scheduler leaves out the time that interrupts and a hypervisor take.
    pub(crate) const SCHEDULER_CLOCK_ERROR: Duration = Duration::from_micros(200);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::PolicyConfig;

    #[test]
    fn the_defaults_of_the_policy_are_the_limits_of_the_table() {
        let config = PolicyConfig::default();
        let defaults = [
            (config.cache_age, CACHED_ANSWER),
            (config.history_age, HISTORY_ENTRY),
            (config.confirm_after, UNCONFIRMED),
            (config.sender_within, LIST_OF_SENDER),
            (config.receiver_within, LIST_OF_RECEIVER),
            (config.old_receiver_within, LIST_OF_OLD_RECEIVER),
        ];
        for (default, limit) in defaults {
            assert_eq!(default, limit);
        }
        // A start that is in doubt is no proof of age.
        assert!(START_TIME_ERROR < OLD_PROCESS);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_promise_has_the_figures_of_the_table() {
        // What `FastLookup::lookup` says of listeners.
        assert_eq!(LISTENER_HOLDERS + PROGRAM, Duration::from_millis(10));
        assert_eq!(INHERITORS, Duration::from_millis(10));
        assert_eq!(HOLDERS, Duration::from_millis(100));
        // What proves less counts for a shorter time.
        assert!(WAITING_SOCKETS < WAITING_SOCKET);
        assert!(NO_RULE_TRANSLATES < RULES_TRANSLATE);
        assert!(LIST_OF_SENDER < LIST_OF_RECEIVER && LIST_OF_RECEIVER < LIST_OF_OLD_RECEIVER);
    }
}
