//! What ties a flow whose addresses this host translates to the flow before translation.

use std::time::Duration;

use super::Amount;
use crate::{Counters, FlowKey, Packet};

/// How long a packet that arrived may take until it goes on with its other ends.
const LATEST: Duration = Duration::from_secs(2);
/// After this silence, the host may translate datagrams between the same ends for somebody else
/// (`nf_conntrack_udp_timeout` is 30 s by default).
const SILENCE: Duration = Duration::from_secs(10);

/// The tie of a flow with translated ends to the original one, whose ends a socket has.
///
/// What the socket sends comes by as a packet of the original flow first, and what it receives as one of the
/// translated flow. The original flow counts both: what of the translated flow has arrived is held until
/// it comes by again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Translation {
    pub(crate) original: Original,
    /// Whether the initiator of the translated flow stands for the end of the socket.
    pub(crate) socket_is_initiator: bool,
    /// Whether the original flow counts the packets.
    pub(crate) is_joined: bool,
    held: Held,
    /// Packet time of the newest packet.
    last: Duration,
}

/// The flow before translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Original {
    pub(crate) key: FlowKey,
    /// Whether the first end of the key stands for the initiator of the translated flow.
    pub(crate) initiator_is_low: bool,
}

/// Packets for the socket that arrived, and that the original flow has not counted yet.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Held {
    amount: Amount,
    counters: Counters,
    /// Packet time since which none of them went on.
    since: Duration,
}

impl Translation {
    pub(crate) fn new(original: Original, socket_is_initiator: bool, now: Duration) -> Self {
        Self {
            original,
            socket_is_initiator,
            is_joined: false,
            held: Held::default(),
            last: now,
        }
    }

    /// Whether both are the same tie, whatever their packets.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.original == other.original && self.socket_is_initiator == other.socket_is_initiator
    }

    /// Whether a packet may belong to another connection, or those before it never went on.
    pub(crate) fn is_broken(&self, packet: &Packet) -> bool {
        let has_states = packet.tcp_header().is_some();
        let is_silent = packet.time.saturating_sub(self.last) > SILENCE;
        !has_states && is_silent || self.is_late(packet.time)
    }

    /// Whether packets that arrived did not go on.
    pub(crate) fn is_late(&self, now: Duration) -> bool {
        self.held.amount != Amount::default() && now.saturating_sub(self.held.since) > LATEST
    }

    /// Notes a packet.
    pub(crate) fn follow(&mut self, packet: &Packet) {
        self.last = self.last.max(packet.time);
    }

    /// Holds packets that arrived.
    pub(crate) fn hold(&mut self, amount: Amount, counters: Counters, now: Duration) {
        if self.held.amount == Amount::default() {
            self.held.since = now;
        }
        self.held.amount = self.held.amount.plus(amount);
        self.held.counters += counters;
    }

    /// The original flow has counted a packet that arrived.
    pub(crate) fn went_on(&mut self, packet: &Packet) {
        let amount = Amount::of(packet);
        self.held.amount = self.held.amount.less(amount);
        self.held.since = packet.time;
        let counters = Counters::one(packet.wire_len, packet.payload_len);
        self.held.counters = if self.held.amount == Amount::default() {
            Counters::default()
        } else {
            self.held.counters.saturating_sub(counters)
        };
    }

    /// The packets that did not go on.
    pub(crate) const fn held(&self) -> Counters {
        self.held.counters
    }
}
