//! How long evidence counts: every limit of this crate on the age of evidence, in one table.
//!
//! # Right or silent
//!
//! The policy names an owner for a packet of time *t* by evidence about its socket from time *o*.
//! It promises that the process held the socket at *t*. This follows from three rules:
//!
//! 1. **Evidence from before the packet names no owner**: *o* ≥ *t*. So a port that changed hands
//!    before the packet never keeps its old owner, and no limit below can break that. A limit lets
//!    earlier evidence replace only a *part* of a lookup (which process has the descriptor, which
//!    program it executes, which namespaces exist), never the socket itself. The exception is a
//!    [history entry](HISTORY_ENTRY), which lookups before *and* after the packet found.
//! 2. **Evidence from after the packet may be about the next socket.** If the table identifies
//!    sockets and knows remote ends, the packets of the next flow show this to the policy. If it
//!    does not, evidence is valid only within the limits of the group *after the packet*. After
//!    these, the policy names no owner.
//! 3. **A part that an earlier lookup found may replace a new search** within the limits of the
//!    group *parts of a lookup*. So the oldest part of an answer is as old as the greatest limit
//!    that applies to it: 5 ms for the holders of a listener, 10 ms for processes that inherited a
//!    confirmed socket, 100 ms for a holder that received the socket from a process that keeps it. The
//!    next confirmation finds a change within that time, and packets since the last confirmation get no
//!    owner.
//!
//! Some limits are on evidence of absence (a socket without holder, no translation, no other
//! namespace). Such a limit is shorter than its opposite if a wrong value could name a wrong owner,
//! and longer if it only leaves an owner unknown.
//!
//! # What is not in the table
//!
//! Budgets (how much work is allowed), waits and retries (when a lookup runs again), and deadlines
//! (how long an operation may take) limit work, not evidence. They stay beside the code that does
//! the work: `BUDGET`, `SHARE`, `REST`, `PATIENCE`, `DEADLINE`, and the waits of
//! [`PolicyConfig`](super::PolicyConfig). `cargo xtask tidy` knows their names, and refuses every
//! other `Duration` constant of this crate outside of this file.

use std::time::Duration;

// Evidence from after the packet, and answers that serve other flows.

/// How long an answer serves other flows of the same socket
/// ([`PolicyConfig::cache_age`](super::PolicyConfig::cache_age)). It serves only packets from the
/// time that it covers, so this limits only memory: packets wait in a queue for less.
pub(super) const CACHED_ANSWER: Duration = Duration::from_secs(60);

/// How long the history keeps a closed socket after the last snapshot that had it
/// ([`PolicyConfig::history_age`](super::PolicyConfig::history_age)). It names an owner only for
/// packets between the first and the last snapshot with the socket, so this limits only memory,
/// too.
pub(super) const HISTORY_ENTRY: Duration = Duration::from_secs(60);

/// How long the answer of a fast lookup stands before a complete lookup confirms it
/// ([`PolicyConfig::confirm_after`](super::PolicyConfig::confirm_after)). The fast lookup reads
/// only the likely processes, so it may miss another holder. One complete lookup serves all flows
/// of that time.
pub(super) const UNCONFIRMED: Duration = Duration::from_millis(100);

/// How long after a packet an observer may begin the lookup that names its sender. A later one is
/// no better evidence than our own lookup, which runs instead: another socket may have the same
/// ends by then, and its packet may have reached the observer but not the capture thread.
pub(crate) const OBSERVED_SENDER: Duration = Duration::from_millis(20);

/// How long an observation waits for its request. The capture thread is hardly ever later. An
/// observation answers only for packets from before it, so this limits only memory.
pub(super) const UNCLAIMED_OBSERVATION: Duration = Duration::from_secs(5);

/// How long after the packet a list may end and name the *sender*, if the table knows no remote
/// ends and does not identify sockets
/// ([`PolicyConfig::sender_within`](super::PolicyConfig::sender_within)). As a rule, the system
/// does not give a port that it chose to another process sooner.
pub(super) const LIST_OF_SENDER: Duration = Duration::from_millis(20);

/// The same for the *receiver*
/// ([`PolicyConfig::receiver_within`](super::PolicyConfig::receiver_within)): servers keep their
/// ports longer than clients.
pub(super) const LIST_OF_RECEIVER: Duration = Duration::from_millis(250);

/// The same for a receiver that started well before the packet
/// ([`PolicyConfig::old_receiver_within`](super::PolicyConfig::old_receiver_within)): another
/// process that took its port would be younger, unless it had waited for the port all along.
pub(super) const LIST_OF_OLD_RECEIVER: Duration = Duration::from_secs(5);

/// How long before the packet a process must have started to count as an old receiver. No process
/// binds a port that another one held sooner after its start.
pub(super) const OLD_PROCESS: Duration = Duration::from_millis(50);

/// How much later than the packet its sender may appear to have started: the kernel counts start
/// times in hundredths of a second, and the wall clock advances in steps, too.
pub(crate) const START_TIME_ERROR: Duration = Duration::from_millis(30);

#[cfg(target_os = "linux")]
pub(crate) use linux::*;

/// Parts of a lookup that may come from an earlier one, on Linux.
#[cfg(target_os = "linux")]
mod linux {
    use std::time::Duration;

    // The holders of a socket.

    /// How old the last scan for changed processes may be when an answer names the holders of a
    /// socket. One scan serves all lookups of that time. It misses a descriptor that a process has
    /// passed on since and kept. For a socket without any holder, a lookup scans anew.
    pub(crate) const HOLDERS: Duration = Duration::from_millis(100);

    /// How long each lookup scans a new process again. In this time most processes execute another
    /// program, open their sockets and start their workers.
    pub(crate) const NEW_PROCESS_WINDOW: Duration = Duration::from_secs(2);

    /// How long no lookup searches again for the holder of a socket, if the last search found none
    /// and was not complete. The owner is unknown meanwhile. (If a complete search finds no holder,
    /// there is none, and no process can get the socket any more.)
    pub(crate) const NO_HOLDER: Duration = Duration::from_secs(1);

    /// How long the holders of a listener count. A listener stands for a connection only until a
    /// process accepts it, and hardly changes hands while connections come in. On a busy server, a
    /// search for the holders for each connection would cost more than all else.
    pub(crate) const LISTENER_HOLDERS: Duration = Duration::from_millis(5);

    /// How long a search for processes that inherited a datagram socket serves the next
    /// confirmations: each flow of a socket confirms it.
    pub(crate) const INHERITORS: Duration = Duration::from_millis(10);

    /// How often a search for further holders of sockets begins, at most: for processes to which a
    /// named one has passed a socket, and that it shares it with. What a flow has counted since the
    /// last search belongs to its owner only if the next one finds no other holder.
    pub(crate) const OTHER_HOLDERS: Duration = Duration::from_millis(100);

    /// How long the table remembers the owner of a closed connection. The kernel does not reuse the
    /// number of a socket, so this limits only memory.
    pub(crate) const CLOSED_CONNECTION: Duration = Duration::from_secs(60);

    /// How far apart two start times of the same process may be. Times since boot are exact, but
    /// the time of the boot moves with the clock. The system does not reuse a pid so soon.
    pub(crate) const SAME_START: Duration = Duration::from_millis(100);

    // The sockets that exist.

    /// How long a list of the sockets that wait on a port is valid, if it has a single one and the
    /// kernel has just confirmed it. For a list, the kernel visits all sockets that wait on any
    /// port.
    pub(crate) const WAITING_SOCKET: Duration = Duration::from_millis(100);

    /// The same for several sockets, among which the kernel chooses: others may have closed since.
    pub(crate) const WAITING_SOCKETS: Duration = Duration::from_millis(5);

    /// How long the lists that one visit to another namespace has read serve lookups: a lookup
    /// reads the list of one protocol after that of another.
    pub(crate) const LISTED_ELSEWHERE: Duration = Duration::from_millis(5);

    // The network namespaces that exist.

    /// How long the table assumes that no new namespace has an address that it knows in another
    /// one. A container is not up so soon after its creation.
    pub(crate) const NAMESPACES: Duration = Duration::from_secs(1);

    /// How old a search for namespaces may be that serves several queries of one request, if none
    /// of them has an answer yet.
    pub(crate) const NAMESPACES_OF_REQUEST: Duration = Duration::from_millis(100);

    /// How long the table assumes that none of the many threads of a process has entered another
    /// namespace, if nothing makes that likely.
    pub(crate) const THREADS_STAY: Duration = Duration::from_secs(5);

    /// How long the table does not search again for a cgroup that it did not find. The owner lacks
    /// its unit meanwhile. The table may never find an id, such as that of a removed cgroup.
    pub(crate) const NO_CGROUP: Duration = Duration::from_secs(1);

    /// How long the table does not search again for the files of a container of which it found
    /// none.
    #[cfg(feature = "containers")]
    pub(crate) const NO_CONTAINER: Duration = Duration::from_secs(5);

    // The names of users.

    /// How long a name from the name service is valid. systemd may give the uid of a dynamic user
    /// to another service when its service ends.
    pub(crate) const USER_NAME: Duration = Duration::from_secs(30);

    /// How long the table assumes that a user has no name. The owner has the uid alone meanwhile.
    pub(crate) const NO_USER_NAME: Duration = Duration::from_secs(30);

    // Translations (conntrack).

    /// How long the table assumes that conntrack has no entry for ends that a socket has itself:
    /// conntrack cannot have translated packets to these ends before it had an entry.
    pub(crate) const UNTRACKED: Duration = Duration::from_millis(10);

    /// How long the table assumes that conntrack has no other zones than those known.
    pub(crate) const ZONES: Duration = Duration::from_secs(1);

    /// The same, if the exact request finds a connection, so that only one with the same ends in
    /// another zone could be right instead.
    pub(crate) const ZONES_OF_SAME_ENDS: Duration = Duration::from_secs(10);

    /// How long the table assumes that some rule translates. If none does any more, this costs
    /// needless requests.
    pub(crate) const RULES_TRANSLATE: Duration = Duration::from_secs(10);

    /// How long the table assumes that no rule translates. If one does, the table misses
    /// translations.
    pub(crate) const NO_RULE_TRANSLATES: Duration = Duration::from_millis(100);

    // The lookups of a send watcher.

    /// How long a send watcher does not look up the sender of a connection again. A connection has
    /// one first packet, but it may leave through several devices.
    pub(crate) const WATCHED_CONNECTION: Duration = Duration::from_millis(1);

    /// How long a send watcher does not look up the sender of datagrams with the same ends again,
    /// and how long it remembers that an end answered another one. However long this is, the result
    /// holds only for packets from before its lookup.
    pub(crate) const WATCHED_DATAGRAMS: Duration = Duration::from_secs(10);

    /// The same for protocols without ports, where no socket has these ends for itself.
    pub(crate) const WATCHED_PORTLESS: Duration = Duration::from_millis(100);

    /// How long the sender of packets whose ends no socket has must be silent before another
    /// process may send the same: no process starts, opens its socket and sends sooner.
    pub(crate) const NEXT_SENDER: Duration = Duration::from_millis(1);

    /// The same if the send watcher did not find the sender. The next packet of a flow without
    /// ports, or the next frame, may show it, for as long as the result counts for the first
    /// packet.
    pub(crate) const WATCHED_IN_VAIN: Duration = Duration::from_millis(1);

    /// How old a packet may be, when its lookup begins, of which a socket without a port may have been
    /// the sender: its process may be gone after that, and another one have run.
    pub(crate) const SENT_WITHOUT_PORT: Duration = Duration::from_millis(1);

    /// How long before the packet its sender may appear to have stopped: the clock of a CPU's
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
        // A start time within the error does not prove age.
        assert!(START_TIME_ERROR < OLD_PROCESS);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_promise_has_the_figures_of_the_table() {
        // The documentation of `FastLookup::lookup` has this figure for listeners.
        assert_eq!(LISTENER_HOLDERS, Duration::from_millis(5));
        assert_eq!(INHERITORS, Duration::from_millis(10));
        assert_eq!(HOLDERS, Duration::from_millis(100));
        assert_eq!(OTHER_HOLDERS, Duration::from_millis(100));
        // Weaker evidence counts for a shorter time.
        assert!(WAITING_SOCKETS < WAITING_SOCKET);
        assert!(NO_RULE_TRANSLATES < RULES_TRANSLATE);
        assert!(LIST_OF_SENDER < LIST_OF_RECEIVER && LIST_OF_RECEIVER < LIST_OF_OLD_RECEIVER);
    }
}
