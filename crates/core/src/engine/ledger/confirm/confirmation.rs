//! The state of a flow's confirmations: the last one, and when the next one is due.

use std::time::Duration;

use flowner_flows::{Flow, Mark, Protocol};

use super::SILENCE;
use super::held_marks::HeldMarks;
use super::seconds::count_by_second;
use crate::engine::ledger::Owners;
use crate::engine::ledger::uncertain::Tail;
use crate::engine::traffic_history::{PacketOf, Second};

/// The time until the next confirmation of a flow whose packets go on, at first and in the end. New
/// connections change owners most often, such as from a server to the process that it starts for
/// them. A flow that ends sooner is not worth a confirmation.
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LAST_WAIT: Duration = Duration::from_millis(100);
/// As [`SILENCE`], for a flow without ports: a process needs at least this long to start and send
/// after another one.
const SILENCE_WITHOUT_PORTS: Duration = Duration::from_millis(1);

/// The state of a flow's confirmations.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts of their own, not states of one thing"
)]
pub(in crate::engine::ledger) struct Confirmation {
    /// The counters at the last confirmation: these packets surely belong to the owners.
    pub(in crate::engine::ledger) sure: Mark,
    /// The number of the newest packet at the last confirmation.
    pub(in crate::engine::ledger) sure_number: u64,
    /// The packet time of the first packet since then.
    pub(in crate::engine::ledger) unsure_since: Option<Duration>,
    /// The counters since then, by second.
    pub(in crate::engine::ledger) unsure: Vec<Second>,
    /// The packet times of the newest packet, and of the one before.
    pub(in crate::engine::ledger) last: Duration,
    pub(in crate::engine::ledger) before: Duration,
    /// The packet times of the newest packet from each end, and whether that end was silent since
    /// the confirmation for so long that another process may have begun to send in its place.
    pub(in crate::engine::ledger) last_sent: [Duration; 2],
    pub(in crate::engine::ledger) was_silent: [bool; 2],
    /// The packet time of the last attempt to confirm, and the time until the next one is due.
    pub(in crate::engine::ledger) asked: Duration,
    pub(in crate::engine::ledger) wait: Duration,
    pub(in crate::engine::ledger) is_queued: bool,
    /// The counters of the whole flow by second, until it is known that no other socket had the
    /// port before the owner was found.
    pub(in crate::engine::ledger) start: Option<Vec<Second>>,
    /// The number of checks for such a socket that remain.
    pub(in crate::engine::ledger) checks: u8,
    /// The number of confirmations without a packet since the newest packet.
    pub(in crate::engine::ledger) looks: u8,
    /// The number of confirmations that an answer of the accepting end has started.
    pub(in crate::engine::ledger) answers: u8,
    /// Whether a confirmation has found the same owners.
    pub(in crate::engine::ledger) is_confirmed: bool,
    /// Whether a confirmation was due since then, and there was no time for it.
    pub(in crate::engine::ledger) is_unanswered: bool,
    /// Whether one did so after the end that accepted a connection had answered.
    pub(in crate::engine::ledger) is_kept: bool,
    /// Whether a connection that has ended by its packets has carried data since.
    pub(in crate::engine::ledger) goes_on: bool,
    /// Whether the packets since the last confirmation may be of another connection, because the
    /// capture missed segments.
    pub(in crate::engine::ledger) may_be_next: bool,
    /// The confirmations while other processes may have had the socket as well.
    pub(super) held: HeldMarks,
    /// The counters of the whole flow by second, until a search finds no other holder of the
    /// socket.
    pub(super) unsearched: Option<Vec<Second>>,
}

impl Confirmation {
    /// The state of a flow whose owner was just found, with evidence from a wall-clock time.
    pub(super) fn new(flow: &Flow<Owners>, number: u64, observed: Duration) -> Self {
        let last = flow.last_seen();
        // A packet that came during the lookup may already be another owner's.
        let is_sure = last <= observed;
        Self {
            sure: if is_sure {
                flow.mark()
            } else {
                Mark::default()
            },
            sure_number: if is_sure { number } else { 0 },
            unsure_since: (!is_sure).then(|| flow.first_seen()),
            unsure: Vec::new(),
            last,
            before: last,
            // One end sent no later than the other end's newest packet, or earlier.
            last_sent: [flow.first_seen(); 2],
            was_silent: [false; 2],
            asked: if is_sure { last } else { Duration::ZERO },
            wait: FIRST_WAIT,
            is_queued: false,
            start: None,
            checks: 0,
            looks: 0,
            answers: 0,
            is_confirmed: false,
            is_unanswered: false,
            is_kept: false,
            goes_on: false,
            may_be_next: false,
            held: HeldMarks::default(),
            unsearched: None,
        }
    }

    pub(super) fn count(&mut self, packet: PacketOf) {
        self.looks = 0;
        self.before = self.last;
        self.last = self.last.max(packet.time);
        let way = usize::from(!packet.is_local);
        let silence = packet.time.saturating_sub(self.last_sent[way]);
        self.was_silent[way] |= silence >= SILENCE_WITHOUT_PORTS;
        self.last_sent[way] = self.last_sent[way].max(packet.time);
        self.unsure_since.get_or_insert(packet.time);
        count_by_second(&mut self.unsure, packet);
        self.held.count(packet);
        for all in [&mut self.start, &mut self.unsearched]
            .into_iter()
            .flatten()
        {
            count_by_second(all, packet);
        }
    }

    /// Whether the newest packet is a reason to confirm. The kernel may send segments without data
    /// by itself.
    pub(super) fn is_due(&self, protocol: Protocol, has_data: bool) -> bool {
        // The kernel does not report which sockets without ports are closed.
        let silence = if protocol.has_ports() {
            SILENCE
        } else {
            SILENCE_WITHOUT_PORTS
        };
        let after_silence = self.last.saturating_sub(self.before) >= silence;
        ((protocol != Protocol::TCP || has_data) && after_silence)
            || self.last.saturating_sub(self.asked) >= self.wait
    }

    /// Whether to confirm the packets before a silence without waiting for another packet. Most
    /// connections end soon.
    pub(super) fn is_worth_it(&self, protocol: Protocol) -> bool {
        protocol != Protocol::TCP || self.is_confirmed
    }

    /// Call this when another process may have sent the whole flow.
    pub(super) fn be_unsure_since(&mut self, first_seen: Duration) {
        let all = self.start.take().unwrap_or_default();
        self.be_unsure(first_seen, all);
    }

    /// Assumes that others may have sent the whole flow, with these counters by second.
    pub(super) fn be_unsure(&mut self, first_seen: Duration, all: Vec<Second>) {
        (self.sure, self.sure_number) = (Mark::default(), 0);
        (self.unsure_since, self.unsure) = (Some(first_seen), all);
        self.held.clear();
    }

    /// Call this when all counted packets surely belong to the owners.
    pub(super) fn be_sure(&mut self, mark: Mark, number: u64) {
        (self.sure, self.sure_number) = (mark, number);
        self.is_confirmed = true;
        self.is_unanswered = false;
        self.may_be_next = false;
        self.was_silent = [false; 2];
        self.unsure_since = None;
        self.unsure.clear();
        self.unsearched = None;
        self.held.clear();
    }

    pub(super) fn ask(&mut self) {
        self.wait = LAST_WAIT.min(self.wait * 2);
        self.asked = self.last;
    }

    /// The part since the last confirmation. `next`: the time of its first packet, if not known
    /// here.
    pub(in crate::engine::ledger) fn into_tail(self, next: Duration) -> Tail {
        Tail {
            sure: self.sure,
            sure_number: self.sure_number,
            next: self.unsure_since.unwrap_or(next),
            seconds: self.unsure,
        }
    }

    /// Whether this packet came after the last confirmation, and there was no time for the next
    /// one.
    pub(in crate::engine::ledger) fn is_unanswered_at(&self, number: u64) -> bool {
        self.is_unanswered && !self.is_held() && number > self.held_number()
    }

    pub(super) fn is_sure(&self) -> bool {
        self.unsure_since.is_none()
    }
}
