//! Whether a program may have built the frame of a datagram itself.
//!
//! A frame from a packet socket leaves as any other does, with any addresses and ports. Then an
//! unconnected datagram socket with its source address is no evidence; where a socket only sends
//! such frames, a connected one is none either.

use std::time::Instant;

use flowner_attribution::{Initiator, LookupRequest, Protocol};
use flowner_capture::{FrameSenders, PacketSenders};
use flowner_flows::{Origin, Packet};

use super::budget::Budget;
use crate::engine::ledger::doubt::Doubt;

/// Checks for packet sockets that may send, when a datagram opens a flow.
#[derive(Debug)]
pub(super) struct Injection {
    senders: PacketSenders,
    budget: Budget,
    /// The last result, for when there is no time for another check.
    senders_then: FrameSenders,
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
            senders_then: FrameSenders::None,
        })
    }

    /// What makes it doubtful that the first packet of a flow comes from a socket with its ends.
    pub(super) fn doubt(&mut self, packet: &Packet, question: &LookupRequest) -> Doubt {
        let is_sent = matches!(packet.origin, Origin::Sent | Origin::Loopback);
        let is_datagram = question.query.protocol() == Protocol::Udp;
        if !(is_sent && is_datagram && question.initiator == Initiator::Local) {
            return Doubt::None;
        }
        let now = Instant::now();
        if self.budget.has_any(now) {
            let device = packet.device.map(std::num::NonZeroU32::get);
            match self.senders.may_send_on(device) {
                Ok(senders) => self.senders_then = senders,
                Err(error) => tracing::debug!(%error, "packet sockets could not be listed"),
            }
            self.budget.spend(now.elapsed());
        }
        match self.senders_then {
            FrameSenders::None => Doubt::None,
            FrameSenders::OnlySend => Doubt::AnySocket,
            _ => Doubt::UnconnectedSocket,
        }
    }
}
