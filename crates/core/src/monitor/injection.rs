//! Whether a datagram may be from somebody who writes frames of their own.
//!
//! A frame from a packet socket leaves as any other does, with whatever addresses and ports are in
//! it. An unconnected datagram socket with its source address is then no evidence.

use std::time::Instant;

use flowner_attribution::{Initiator, LookupRequest, Protocol};
use flowner_capture::PacketSenders;
use flowner_flows::{Origin, Packet};

use super::budget::Budget;

/// Asks for packet sockets that may send, when a datagram opens a flow.
#[derive(Debug)]
pub(super) struct Injection {
    senders: PacketSenders,
    budget: Budget,
    /// What the last answer was, for when there is no time for another.
    may_be: bool,
}

impl Injection {
    /// `None` where the system does not list such sockets.
    pub(super) fn new(now: Instant) -> Option<Self> {
        let senders = PacketSenders::open().inspect_err(|error| {
            tracing::debug!(%error, "frames that programs here make up cannot be told");
        });
        Some(Self {
            senders: senders.ok()?,
            budget: Budget::full(now),
            may_be: false,
        })
    }

    /// Whether the first packet of a flow may be from such a socket, so that only a socket with
    /// both ends of the flow is evidence of who sent it.
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
