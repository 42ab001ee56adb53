//! One flow.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::address::{Direction, LocalAddresses};
use crate::key::normalize;
use crate::state::TcpTracker;
use crate::{Counters, FlowKey, Packet, Protocol, Rate, RollingRate, State, TcpFlags};

/// Names a flow, uniquely for the life of its table; later flows are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowId(pub(crate) u64);

impl FlowId {
    /// The number, to be stored where a number is wanted. Flows are counted from
    /// 0, so it fits in 63 bits for longer than any host runs.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The name with this number.
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for FlowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A bidirectional flow, with data of the caller's own.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow<T = ()> {
    id: FlowId,
    key: FlowKey,
    initiator: SocketAddr,
    responder: SocketAddr,
    initiator_certain: bool,
    local_is_initiator: bool,
    direction: Direction,
    state: State,
    tcp: TcpTracker,
    by_initiator: Side,
    by_responder: Side,
    first_seen: Duration,
    last_seen: Duration,
    /// What the caller keeps with the flow.
    pub data: T,
}

/// What one end sent.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Side {
    counters: Counters,
    rate: RollingRate,
}

impl<T> Flow<T> {
    /// Its name in the table.
    pub const fn id(&self) -> FlowId {
        self.id
    }

    /// Its canonical five-tuple.
    pub const fn key(&self) -> FlowKey {
        self.key
    }

    /// The protocol above IP.
    pub const fn protocol(&self) -> Protocol {
        self.key.protocol()
    }

    /// The end that opened it. Where the opening was not captured: the end with
    /// the higher port if only the other one's is below 1024, else the sender of
    /// the first packet. It never changes.
    pub const fn initiator(&self) -> SocketAddr {
        self.initiator
    }

    /// The other end.
    pub const fn responder(&self) -> SocketAddr {
        self.responder
    }

    /// Whether the opening was captured: a TCP handshake; for protocols without
    /// one, always.
    pub const fn initiator_certain(&self) -> bool {
        self.initiator_certain
    }

    /// Which way it goes, by the addresses that were the host's when it opened.
    pub const fn direction(&self) -> Direction {
        self.direction
    }

    /// The state that its packets tell.
    pub const fn state(&self) -> State {
        self.state
    }

    /// This host's end. For loopback and forwarded flows and where the host's
    /// addresses are not known, the initiator; for multicast and broadcast that was
    /// received, the group's address.
    pub const fn local(&self) -> SocketAddr {
        if self.local_is_initiator {
            self.initiator
        } else {
            self.responder
        }
    }

    /// The end that is not [`local`](Self::local).
    pub const fn remote(&self) -> SocketAddr {
        if self.local_is_initiator {
            self.responder
        } else {
            self.initiator
        }
    }

    /// What the local end sent.
    pub const fn sent(&self) -> Counters {
        self.local_and_remote().0.counters
    }

    /// What the remote end sent.
    pub const fn received(&self) -> Counters {
        self.local_and_remote().1.counters
    }

    /// What both ends sent.
    pub fn total(&self) -> Counters {
        self.by_initiator.counters + self.by_responder.counters
    }

    /// How fast it is at a packet time.
    pub fn rate(&self, now: Duration) -> Rate {
        let (local, remote) = self.local_and_remote();
        Rate {
            sent: local.rate.rate(now),
            received: remote.rate.rate(now),
        }
    }

    /// Packet time of the first packet, since the Unix epoch.
    pub const fn first_seen(&self) -> Duration {
        self.first_seen
    }

    /// The latest packet time, since the Unix epoch.
    pub const fn last_seen(&self) -> Duration {
        self.last_seen
    }

    const fn local_and_remote(&self) -> (&Side, &Side) {
        if self.local_is_initiator {
            (&self.by_initiator, &self.by_responder)
        } else {
            (&self.by_responder, &self.by_initiator)
        }
    }

    /// A flow without packets, opened by this one.
    pub(crate) fn open(
        id: FlowId,
        key: FlowKey,
        packet: &Packet,
        local: Option<&LocalAddresses>,
    ) -> Self
    where
        T: Default,
    {
        let ends = (normalize(packet.source), normalize(packet.destination));
        let (initiator, responder) = if sender_is_initiator(packet) {
            ends
        } else {
            (ends.1, ends.0)
        };
        let direction = Direction::of(initiator.ip(), responder.ip(), local);
        let is_ours = |end: SocketAddr| local.is_none_or(|local| local.contains(end.ip()));
        let is_tcp = packet.protocol == Protocol::TCP;
        let handshake = packet
            .tcp
            .is_some_and(|tcp| tcp.flags.contains(TcpFlags::SYN));
        Self {
            id,
            key,
            initiator,
            responder,
            initiator_certain: !is_tcp || handshake,
            local_is_initiator: match direction {
                Direction::Incoming => false,
                Direction::Multicast | Direction::Broadcast => is_ours(initiator),
                _ => true,
            },
            direction,
            state: if is_tcp {
                State::Opening
            } else {
                State::Datagram
            },
            tcp: TcpTracker::default(),
            by_initiator: Side::default(),
            by_responder: Side::default(),
            first_seen: packet.time,
            last_seen: packet.time,
            data: T::default(),
        }
    }

    /// Whether this packet was sent by the initiator.
    pub(crate) fn is_from_initiator(&self, packet: &Packet) -> bool {
        // Fragments and connections to oneself have no better mark.
        let source = normalize(packet.source);
        source == self.initiator || (source.port() == 0 && source.ip() == self.initiator.ip())
    }

    /// Whether this packet opens another connection between the same ends.
    pub(crate) fn is_reopened_by(&self, packet: &Packet) -> bool {
        packet.tcp.is_some_and(|tcp| {
            tcp.flags.opens()
                && self
                    .tcp
                    .is_reopened_by(self.state, self.is_from_initiator(packet), tcp.sequence)
        })
    }

    /// Counts a packet.
    pub(crate) fn count(&mut self, packet: &Packet) {
        let from_initiator = self.is_from_initiator(packet);
        let side = if from_initiator {
            &mut self.by_initiator
        } else {
            &mut self.by_responder
        };
        side.counters += Counters::one(packet.wire_len, packet.payload_len);
        side.rate.add(packet.time, packet.wire_len);
        self.last_seen = self.last_seen.max(packet.time);
        if let Some(tcp) = packet.tcp {
            self.state = self
                .tcp
                .advance(self.state, from_initiator, tcp.flags, tcp.sequence);
        }
    }

    /// Whether both ends have sent something.
    pub(crate) const fn is_answered(&self) -> bool {
        self.by_initiator.counters.packets > 0 && self.by_responder.counters.packets > 0
    }
}

/// Whether the sender of a flow's first packet is the one that opened it.
fn sender_is_initiator(packet: &Packet) -> bool {
    let Some(tcp) = packet.tcp else {
        return true;
    };
    if tcp.flags.contains(TcpFlags::SYN) {
        return !tcp.flags.accepts();
    }
    let is_service = |end: SocketAddr| end.port() < 1024;
    !is_service(packet.source) || is_service(packet.destination)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tcp;

    const LOW: &str = "10.0.0.1:443";
    const HIGH: &str = "10.0.0.2:50000";
    const SYN_ACK: TcpFlags = TcpFlags(0x12);

    #[track_caller]
    fn check(source: &str, destination: &str, flags: TcpFlags, initiator: &str, certain: bool) {
        let packet = Packet {
            time: Duration::ZERO,
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            protocol: Protocol::TCP,
            wire_len: 60,
            payload_len: 0,
            tcp: Some(Tcp { flags, sequence: 1 }),
            fragment: None,
        };
        let flow = Flow::<()>::open(FlowId(0), FlowKey::of(&packet), &packet, None);
        assert_eq!(flow.initiator().to_string(), initiator);
        assert_eq!(flow.initiator_certain(), certain);
    }

    #[test]
    fn who_opened_it() {
        check(HIGH, LOW, TcpFlags::SYN, HIGH, true);
        check(LOW, HIGH, TcpFlags::SYN, LOW, true);
        check(LOW, HIGH, SYN_ACK, HIGH, true);
        check(LOW, HIGH, TcpFlags::ACK, HIGH, false);
        check(HIGH, LOW, TcpFlags::ACK, HIGH, false);
        check(HIGH, "10.0.0.1:8443", TcpFlags::ACK, HIGH, false);
        check("10.0.0.1:8443", HIGH, TcpFlags::ACK, "10.0.0.1:8443", false);
    }
}
