//! Whether a program may have built the frame of a datagram itself.
//!
//! A frame from a packet socket leaves as any other does, with any addresses and ports. Then an
//! unconnected datagram socket with its source address is no evidence.

use std::time::Instant;

use flowner_attribution::{Initiator, LookupRequest, Protocol};
use flowner_capture::PacketSenders;
use flowner_flows::{Origin, Packet};

use super::budget::Budget;

/// Checks for packet sockets that may send, when a datagram opens a flow.
#[derive(Debug)]
pub(super) struct Injection {
    senders: PacketSenders,
    budget: Budget,
    /// The last result, for when there is no time for another check.
    may_be: bool,
}

impl Injection {
    /// `None` if the system does not list such sockets.
    pub(super) fn new(now: Instant) -> Option<Self> {
        let senders = PacketSenders::open().inspect_err(|error| {
            tracing::debug!(%error, "cannot detect frames that programs here build themselves");
        });
        Some(Self {
            senders: senders.ok()?,
            budget: Budget::full(now),
            may_be: false,
        })
    }

    /// Whether the first packet of a flow may come from such a socket. Then only a socket with both
    /// ends of the flow is evidence of the sender.
    pub(super) fn may_have_sent(&mut self, packet: &Packet, question: &LookupRequest) -> bool {
        let is_sent = matches!(packet.origin, Origin::Sent | Origin::Loopback);
        let is_datagram = question.query.protocol() == Protocol::Udp;
        if !(is_sent && is_datagram && question.initiator == Initiator::Local) {
            return false;
        }
        let now = Instant::now();
        if self.budget.has_any(now) {
            let device = packet.device.map(std::num::NonZeroU32::get);
            match self.senders.may_send_on(device) {
                Ok(may_be) => self.may_be = may_be,
                Err(error) => tracing::debug!(%error, "packet sockets could not be listed"),
            }
            self.budget.spend(now.elapsed());
        }
        self.may_be
    }
}
