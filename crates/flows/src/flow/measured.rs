//! The quality of a flow's connection.

use super::Flow;
use crate::address::Direction;
use crate::tcp::{Retransmissions, RoundTrip};

impl<T> Flow<T> {
    /// The retransmissions of the local end of a TCP connection, as far as both copies were
    /// captured; for a flow that was [cut off](crate::FlowTable::cut), all until the cut.
    pub fn sent_again(&self) -> Retransmissions {
        if self.direction.is_foreign() {
            return Retransmissions::default();
        }
        self.again(self.local_is_initiator)
    }

    /// The retransmissions of the remote end of a TCP connection; in a spoofed or overheard flow,
    /// of both.
    pub fn received_again(&self) -> Retransmissions {
        let received = self.again(!self.local_is_initiator);
        if self.direction.is_foreign() {
            return received + self.again(self.local_is_initiator);
        }
        received
    }

    fn again(&self, by_initiator: bool) -> Retransmissions {
        let measures = self.measures.as_deref();
        measures.map_or_else(Retransmissions::default, |it| {
            it.retransmissions(by_initiator)
        })
    }

    /// The round-trip time of a TCP connection: from a segment of the local end to its
    /// acknowledgment. If this host is no end of it, or that is unknown, the capture was in
    /// between, and this is the sum for both ends.
    pub fn round_trip(&self) -> Option<RoundTrip> {
        let measures = self.measures.as_deref()?;
        let local = measures.round_trip(self.local_is_initiator);
        let remote = measures.round_trip(!self.local_is_initiator);
        match self.direction {
            Direction::Outgoing | Direction::Incoming | Direction::Loopback => local,
            _ => match (local, remote) {
                (Some(local), Some(remote)) => Some(local.through(remote)),
                (one, other) => one.or(other),
            },
        }
    }

    /// Whether an end tried to open a TCP connection and no end has accepted it: its SYN was
    /// captured, and no answer except perhaps a reset.
    pub const fn is_unanswered_connect(&self) -> bool {
        self.tcp.is_unanswered()
    }
}
