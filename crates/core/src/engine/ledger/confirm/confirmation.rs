//! What is known of when the owners of a flow were confirmed, and when that is due again.

use std::time::Duration;

use flowner_flows::{Flow, Mark, Protocol};

use super::SILENCE;
use super::held_marks::HeldMarks;
use super::seconds::count_by_second;
use crate::engine::ledger::Owners;
use crate::engine::ledger::uncertain::Tail;
use crate::engine::traffic_history::{PacketOf, Second};

/// How long a confirmation is good for a flow whose packets go on, at first and in the end: new
/// connections change hands most, such as from a server to the process that it starts for them.
/// What is over sooner is not worth a confirmation.
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LAST_WAIT: Duration = Duration::from_millis(100);
/// As [`SILENCE`], of a flow without ports: a process starts and sends no sooner after another one.
const SILENCE_WITHOUT_PORTS: Duration = Duration::from_millis(1);

/// What is known of when the owners of a flow were confirmed.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts of their own, not states of one thing"
)]
pub(in crate::engine::ledger) struct Confirmation {
    /// What had been counted then: surely theirs.
    pub(in crate::engine::ledger) sure: Mark,
    /// The number of the newest packet then.
    pub(in crate::engine::ledger) sure_number: u64,
    /// Packet time of the first packet since.
    pub(in crate::engine::ledger) unsure_since: Option<Duration>,
    /// What was counted since, by second.
    pub(in crate::engine::ledger) unsure: Vec<Second>,
    /// Packet times of the newest packet, and of the one before.
    pub(in crate::engine::ledger) last: Duration,
    pub(in crate::engine::ledger) before: Duration,
    /// Packet times of the newest packet from each end, and whether one was silent since the
    /// confirmation for so long that another process may have begun to send in its place.
    pub(in crate::engine::ledger) last_sent: [Duration; 2],
    pub(in crate::engine::ledger) was_silent: [bool; 2],
    /// Packet time at which it was asked last, and how long that is good for.
    pub(in crate::engine::ledger) asked: Duration,
    pub(in crate::engine::ledger) wait: Duration,
    pub(in crate::engine::ledger) is_queued: bool,
    /// All that was counted by second, until it is known that nobody else had the port before
    /// the owner was seen.
    pub(in crate::engine::ledger) start: Option<Vec<Second>>,
    /// How often that is to be looked at yet.
    pub(in crate::engine::ledger) checks: u8,
    /// How often it was looked at since its newest packet, without a packet.
    pub(in crate::engine::ledger) looks: u8,
    /// With how many answers to a connection it was asked.
    pub(in crate::engine::ledger) answers: u8,
    /// Whether a confirmation said that they are the same.
    pub(in crate::engine::ledger) is_confirmed: bool,
    /// Whether it was asked since, and there was no time to find it out.
    pub(in crate::engine::ledger) is_unanswered: bool,
    /// Whether one said so after the end that accepted a connection had answered.
    pub(in crate::engine::ledger) is_kept: bool,
    /// Whether a connection that is over by its packets has carried data since.
    pub(in crate::engine::ledger) goes_on: bool,
    /// Whether what came since it was confirmed may be of another connection: not all of its segments
    /// were captured.
    pub(in crate::engine::ledger) may_be_next: bool,
    /// When the named processes had the socket, and others may have had it, too.
    pub(super) held: HeldMarks,
    /// All that was counted by second, until a search has found that no others have the socket.
    pub(super) unsearched: Option<Vec<Second>>,
}

impl Confirmation {
    /// Of a flow whose owner was just found by evidence from a wall-clock time.
    pub(super) fn new(flow: &Flow<Owners>, number: u64, observed: Duration) -> Self {
        let last = flow.last_seen();
        // What came while somebody looked may be another one's already.
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
            // Of the one that sent last, or sooner.
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

    /// Whether the newest packet is a reason to ask. What a connection carries without data,
    /// the kernel may send by itself.
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

    /// Whether what was sent before a silence is confirmed without another packet. Most
    /// connections are over soon.
    pub(super) fn is_worth_it(&self, protocol: Protocol) -> bool {
        protocol != Protocol::TCP || self.is_confirmed
    }

    /// To be called when somebody else may have sent all of it.
    pub(super) fn be_unsure_since(&mut self, first_seen: Duration) {
        let all = self.start.take().unwrap_or_default();
        self.be_unsure(first_seen, all);
    }

    /// Takes it that all that was counted, by second, may be of others.
    pub(super) fn be_unsure(&mut self, first_seen: Duration, all: Vec<Second>) {
        (self.sure, self.sure_number) = (Mark::default(), 0);
        (self.unsure_since, self.unsure) = (Some(first_seen), all);
        self.held.clear();
    }

    /// To be called when all that was counted surely is theirs.
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

    /// What was counted since it was confirmed, the first of it at `next` if that is not known.
    pub(in crate::engine::ledger) fn into_tail(self, next: Duration) -> Tail {
        Tail {
            sure: self.sure,
            sure_number: self.sure_number,
            next: self.unsure_since.unwrap_or(next),
            seconds: self.unsure,
        }
    }

    /// Whether a packet came since it was confirmed, and there was no time to find out who sent it.
    pub(in crate::engine::ledger) fn is_unanswered_at(&self, number: u64) -> bool {
        self.is_unanswered && !self.is_held() && number > self.held_number()
    }

    pub(super) fn is_sure(&self) -> bool {
        self.unsure_since.is_none()
    }
}
