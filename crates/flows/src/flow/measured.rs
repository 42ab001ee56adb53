//! How the connection of a flow fares.

use super::Flow;
use crate::address::Direction;
use crate::tcp::{Retransmissions, RoundTrip};

impl<T> Flow<T> {
    /// What the local end of a TCP connection sent again, as far as it was captured twice; of a
    /// flow that was [cut off](crate::FlowTable::cut), all until then.
    pub fn sent_again(&self) -> Retransmissions {
        if self.direction.is_foreign() {
            return Retransmissions::default();
        }
        self.again(self.local_is_initiator)
    }

    /// What the remote end of a TCP connection sent again; of a spoofed or overheard flow, both.
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

    /// The round-trip time of a TCP connection: from what the local end sent to what acknowledged
    /// it. Where this host is no end of it, or nobody knows, the packets were captured in between,
    /// and it is that to both ends.
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

    /// Whether a TCP connection was tried, and nobody has accepted it so far: its SYN was captured
    /// and no answer to that, unless one was a reset.
    pub const fn is_unanswered_connect(&self) -> bool {
        self.tcp.is_unanswered()
    }
}
