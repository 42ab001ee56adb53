//! One flow.

mod errors;
mod measured;
mod sightings;
mod translation;

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::address::{Direction, LocalAddresses, is_group};
use crate::error::FlowError;
use crate::key::scoped;
use crate::packet::{FirstMessage, Icmp};
use crate::state::TcpTracker;
use crate::tcp::Measures;
use crate::{Counters, FlowKey, Mark, Packet, Protocol, Rate, RollingRate, State, TcpFlags};
use sightings::Copies;

/// Identifies a flow, uniquely for the life of its table. Later flows have greater ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowId(pub(crate) u64);

impl FlowId {
    /// The number of the id. The table counts flows from 0, so the number fits into 63 bits for
    /// longer than any host runs.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The id with this number.
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for FlowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A bidirectional flow, with data of the caller.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow<T = ()> {
    id: FlowId,
    key: FlowKey,
    /// Whether the initiator is the key's first end. In this form, it takes no extra bytes.
    initiator_is_low: bool,
    initiator_certain: bool,
    local_is_initiator: bool,
    part: Part,
    direction: Direction,
    state: State,
    tcp: TcpTracker,
    /// Separate, because only TCP has them.
    measures: Option<Box<Measures>>,
    /// The captured packets by device, for a flow whose packets several devices may capture.
    copies: Option<Box<Copies>>,
    by_initiator: Side,
    by_responder: Side,
    first_seen: Duration,
    last_seen: Duration,
    device: Option<NonZeroU32>,
    icmp: Option<FirstMessage>,
    error: Option<FlowError>,
    /// The number of ICMP errors among the packets of the initiator and the responder. Other hosts
    /// may have sent them.
    errors: [u32; 2],
    community_seed: u16,
    /// The caller's data.
    pub data: T,
}

/// Which part of the packets between two ends a flow has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// All of it, or its beginning.
    Whole,
    /// The packets after a cut.
    Rest,
}

/// The packets of one end.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Side {
    counters: Counters,
    rate: RollingRate,
}

impl<T> Flow<T> {
    /// Its id in the table.
    pub const fn id(&self) -> FlowId {
        self.id
    }

    /// Its canonical five-tuple.
    pub const fn key(&self) -> FlowKey {
        self.key
    }

    pub(crate) const fn key_ref(&self) -> &FlowKey {
        &self.key
    }

    /// The protocol above IP.
    pub const fn protocol(&self) -> Protocol {
        self.key.protocol()
    }

    /// The end that opened it: the sender of a SYN, the receiver of its answer. If neither was
    /// captured, or the protocol has no SYN: not a group address; not the end whose port alone is
    /// below 1024, where services are; else the sender of the first packet. Later packets never
    /// change it.
    pub const fn initiator(&self) -> SocketAddr {
        let (low, high) = self.key.ends();
        if self.initiator_is_low { low } else { high }
    }

    /// The other end.
    pub const fn responder(&self) -> SocketAddr {
        let (low, high) = self.key.ends();
        if self.initiator_is_low { high } else { low }
    }

    /// Whether a TCP handshake proves the initiator. Other protocols have no such proof.
    pub const fn initiator_certain(&self) -> bool {
        self.initiator_certain
    }

    /// Its direction, by the addresses that the host had when the flow opened.
    pub const fn direction(&self) -> Direction {
        self.direction
    }

    /// Its state according to its packets, and to ICMP errors about them.
    pub fn state(&self) -> State {
        let is_waiting = matches!(self.state, State::Opening | State::Datagram);
        let is_unreachable = self.error.is_some_and(FlowError::is_unreachable);
        if is_waiting && is_unreachable && !self.is_answered() {
            State::Unreachable
        } else {
            self.state
        }
    }

    /// Its state according to the packets of both ends.
    pub(crate) const fn state_of_ends(&self) -> State {
        self.state
    }

    /// The newest ICMP error about it. The flow counts errors as packets of the end to which the
    /// rejected packet went.
    pub const fn error(&self) -> Option<FlowError> {
        self.error
    }

    /// This host's end. For loopback, forwarded and overheard flows, and if the host's addresses
    /// are unknown, the initiator. For received multicast and broadcast, the group address. For a
    /// spoofed flow, the end with this host's address.
    pub const fn local(&self) -> SocketAddr {
        if self.local_is_initiator {
            self.initiator()
        } else {
            self.responder()
        }
    }

    /// The end that is not [`local`](Self::local).
    pub const fn remote(&self) -> SocketAddr {
        if self.local_is_initiator {
            self.responder()
        } else {
            self.initiator()
        }
    }

    /// Whether the local end sent a packet of this flow, given whether the initiator sent it (see
    /// [`Update`](crate::Update)). Always false for a spoofed or overheard flow, whose packets
    /// arrived.
    pub const fn is_from_local(&self, from_initiator: bool) -> bool {
        from_initiator == self.local_is_initiator && !self.direction.is_foreign()
    }

    /// The counters of the local end: zero in a spoofed or overheard flow.
    pub fn sent(&self) -> Counters {
        if self.direction.is_foreign() {
            return Counters::default();
        }
        self.local_and_remote().0.counters
    }

    /// The counters of the remote end; in a spoofed or overheard flow, of everything.
    pub fn received(&self) -> Counters {
        if self.direction.is_foreign() {
            return self.total();
        }
        self.local_and_remote().1.counters
    }

    /// The counters of both ends together.
    pub fn total(&self) -> Counters {
        self.by_initiator.counters + self.by_responder.counters
    }

    /// Its rate at a packet time.
    pub fn rate(&self, now: Duration) -> Rate {
        let (local, remote) = self.local_and_remote();
        let (sent, received) = (local.rate.rate(now), remote.rate.rate(now));
        if self.direction.is_foreign() {
            return Rate {
                sent: 0,
                received: sent + received,
            };
        }
        Rate { sent, received }
    }

    /// Packet time of the first packet, since the Unix epoch.
    pub const fn first_seen(&self) -> Duration {
        self.first_seen
    }

    /// The latest packet time, since the Unix epoch.
    pub const fn last_seen(&self) -> Duration {
        self.last_seen
    }

    /// The index of the device on which its first packet was captured, if known.
    pub const fn device(&self) -> Option<NonZeroU32> {
        self.device
    }

    /// Its first message, if it is ICMP or ICMPv6.
    pub const fn first_message(&self) -> Option<FirstMessage> {
        self.icmp
    }

    /// The [seed](crate::TableConfig::community_seed) of its Community ID.
    pub const fn community_seed(&self) -> u16 {
        self.community_seed
    }

    pub(crate) const fn set_community_seed(&mut self, seed: u16) {
        self.community_seed = seed;
    }

    /// Whether it continues an earlier flow, from which it was [cut off](crate::FlowTable::cut).
    pub const fn is_continued(&self) -> bool {
        matches!(self.part, Part::Rest)
    }

    /// Its counters so far.
    pub const fn mark(&self) -> Mark {
        let (local, remote) = self.local_and_remote();
        Mark {
            sent: local.counters,
            received: remote.counters,
            last_seen: self.last_seen,
        }
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
        let [source, destination] = [packet.source, packet.destination];
        let ends = (
            scoped(source, packet.device, local),
            scoped(destination, packet.device, local),
        );
        let (initiator, responder) = if sender_is_initiator(packet, ends, local) {
            ends
        } else {
            (ends.1, ends.0)
        };
        let tcp = packet.tcp_header();
        let addresses = [initiator.ip(), responder.ip()];
        let direction = Direction::of_class(key.class(), addresses, packet.device, local);
        let is_ours =
            |end: SocketAddr| local.is_none_or(|local| local.contains_on(end.ip(), packet.device));
        Self {
            id,
            key,
            initiator_is_low: initiator == key.ends().0,
            initiator_certain: tcp.is_some_and(|tcp| tcp.flags.contains(TcpFlags::SYN)),
            part: Part::Whole,
            local_is_initiator: match direction {
                Direction::Incoming => false,
                Direction::Multicast | Direction::Broadcast | Direction::Spoofed => {
                    is_ours(initiator)
                }
                Direction::Outgoing
                | Direction::Loopback
                | Direction::Forwarded
                | Direction::Overheard
                | Direction::Unknown => true,
            },
            direction,
            state: match (packet.protocol, tcp) {
                (Protocol::TCP, Some(_)) => State::Opening,
                // Only a later fragment has no header, so the flow existed before.
                (Protocol::TCP, None) => State::Established,
                _ => State::Datagram,
            },
            tcp: TcpTracker::default(),
            measures: None,
            copies: None,
            by_initiator: Side::default(),
            by_responder: Side::default(),
            first_seen: packet.time,
            last_seen: packet.time,
            device: packet.device,
            icmp: None,
            error: None,
            errors: [0; 2],
            community_seed: 0,
            data: T::default(),
        }
    }

    /// Whether the initiator sent a packet, given whether the key's first end sent it.
    pub(crate) const fn is_from_initiator(&self, from_low: bool) -> bool {
        // In a connection from an end to itself, the initiator sends everything: both ends are the
        // first one.
        from_low == self.initiator_is_low
    }

    /// Whether this packet belongs to a new connection between the same ends.
    pub(crate) fn is_reopened_by(&self, packet: &Packet, from_initiator: bool) -> bool {
        packet.tcp_header().is_some_and(|tcp| {
            if tcp.flags.opens() {
                self.tcp
                    .is_reopened_by(self.state, from_initiator, tcp.sequence)
            } else {
                self.tcp
                    .is_beyond(self.state, from_initiator, tcp, packet.payload_len)
            }
        })
    }

    /// Whether the sequence number of this packet is neither the next one of its sender nor one
    /// that the sender may repeat.
    pub(crate) fn is_skipped_to_by(&self, packet: &Packet, from_initiator: bool) -> bool {
        let tcp = packet.tcp_header();
        tcp.is_some_and(|tcp| self.tcp.is_skipped_to(from_initiator, tcp))
    }

    /// Counts a packet.
    pub(crate) fn count(&mut self, packet: &Packet, from_initiator: bool) {
        let is_first = self.is_empty();
        let side = if from_initiator {
            &mut self.by_initiator
        } else {
            &mut self.by_responder
        };
        side.counters += Counters::one(packet.wire_len, packet.payload_len);
        side.rate.add(packet.time, packet.wire_len);
        if is_first {
            self.first_seen = packet.time;
            self.last_seen = packet.time;
        }
        self.last_seen = self.last_seen.max(packet.time);
        let is_icmp = matches!(self.protocol(), Protocol::ICMP | Protocol::ICMPV6);
        if is_icmp
            && self.icmp.is_none()
            && let Some(Icmp { kind, code, .. }) = packet.icmp_message()
        {
            self.icmp = Some(FirstMessage {
                kind,
                code,
                from_initiator,
            });
        }
        if let Some(tcp) = packet.tcp_header() {
            self.state = self
                .tcp
                .advance(self.state, from_initiator, tcp, packet.payload_len);
            self.measures.get_or_insert_default().segment(
                from_initiator,
                tcp,
                packet.payload_len,
                packet.time,
            );
        }
    }

    /// Cuts off the packets before `mark`, which keep the id and the data of this flow. The rest
    /// continues under another id; its first packet, if there is one, was at `next`.
    pub(crate) fn cut(&mut self, rest: FlowId, mark: &Mark, next: Duration) -> Self
    where
        T: Default,
    {
        let until = if self.local_is_initiator {
            (mark.sent, mark.received)
        } else {
            (mark.received, mark.sent)
        };
        let side = |counters| Side {
            counters,
            rate: RollingRate::default(),
        };
        // The part of each error is unknown. Neither part has more errors than packets.
        let errors = self.errors;
        let at_most = |errors: [u32; 2], counters: [Counters; 2]| {
            let one = |at: usize| {
                u32::try_from(counters[at].packets).map_or(errors[at], |all| errors[at].min(all))
            };
            [one(0), one(1)]
        };
        let part = Self {
            errors: at_most(errors, [until.0, until.1]),
            measures: self.measures.clone(),
            copies: None,
            by_initiator: side(until.0),
            by_responder: side(until.1),
            last_seen: mark.last_seen,
            data: std::mem::take(&mut self.data),
            ..*self
        };
        if let Some(measures) = &mut self.measures {
            **measures = measures.uncounted();
        }
        self.id = rest;
        self.part = Part::Rest;
        self.first_seen = next;
        let sides = [
            (&mut self.by_initiator, until.0),
            (&mut self.by_responder, until.1),
        ];
        for (own, until) in sides {
            *own = side(own.counters.saturating_sub(until));
            // The time of each packet is unknown.
            let bytes = u32::try_from(own.counters.bytes).unwrap_or(u32::MAX);
            own.rate.add(self.last_seen, bytes);
        }
        let rest = [self.by_initiator.counters, self.by_responder.counters];
        self.errors = at_most(errors, rest);
        part
    }

    /// Whether it has no packet yet: it continues an earlier flow.
    pub(crate) const fn is_empty(&self) -> bool {
        self.by_initiator.counters.packets == 0 && self.by_responder.counters.packets == 0
    }

    /// Whether both ends have sent packets themselves.
    pub(crate) fn is_answered(&self) -> bool {
        let [by_initiator, by_responder] = self.errors.map(u64::from);
        self.by_initiator.counters.packets > by_initiator
            && self.by_responder.counters.packets > by_responder
    }
}

/// Whether the sender of a flow's first packet is the end that opened it.
fn sender_is_initiator(
    packet: &Packet,
    (source, destination): (SocketAddr, SocketAddr),
    local: Option<&LocalAddresses>,
) -> bool {
    if is_group(destination.ip(), local) {
        return true;
    }
    let flags = packet.tcp_header().map(|tcp| tcp.flags);
    if let Some(flags) = flags.filter(|flags| flags.contains(TcpFlags::SYN)) {
        return !flags.accepts();
    }
    // The id of an echo request takes the port of the requesting end.
    if matches!(packet.protocol, Protocol::ICMP | Protocol::ICMPV6) {
        return source.port() != 0 || destination.port() == 0;
    }
    // Port 0 marks packets without ports, and senders who want no answer.
    let is_service = |end: SocketAddr| (1..1024).contains(&end.port());
    !is_service(source) || is_service(destination)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Origin, Tcp};

    const LOW: &str = "10.0.0.1:443";
    const HIGH: &str = "10.0.0.2:50000";
    const SYN_ACK: TcpFlags = TcpFlags(0x12);

    /// The flow that a packet opens, for the host 10.0.0.2.
    fn open(source: &str, destination: &str, flags: Option<TcpFlags>) -> Flow {
        let mut local: LocalAddresses = ["10.0.0.2".parse().unwrap()].into_iter().collect();
        local.add_broadcast("10.0.0.255".parse().unwrap());
        let packet = Packet {
            time: Duration::ZERO,
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            protocol: flags.map_or(Protocol::UDP, |_| Protocol::TCP),
            wire_len: 60,
            payload_len: 0,
            tcp: flags.map(|flags| Tcp::new(flags, 1)),
            icmp: None,
            fragment: None,
            origin: Origin::Unknown,
            device: None,
        };
        let (key, from_low) = FlowKey::of_packet(&packet, Some(&local));
        let mut flow = Flow::open(FlowId(0), key, &packet, Some(&local));
        flow.count(&packet, flow.is_from_initiator(from_low));
        flow
    }

    #[test]
    fn the_end_that_opened_it() {
        #[track_caller]
        fn check(ends: [&str; 2], flags: Option<TcpFlags>, initiator: &str, certain: bool) {
            let flow = open(ends[0], ends[1], flags);
            assert_eq!(flow.initiator().to_string(), initiator);
            assert_eq!(flow.initiator_certain(), certain);
        }
        check([HIGH, LOW], Some(TcpFlags::SYN), HIGH, true);
        check([LOW, HIGH], Some(TcpFlags::SYN), LOW, true);
        check([LOW, HIGH], Some(SYN_ACK), HIGH, true);
        for flags in [Some(TcpFlags::ACK), None] {
            check([LOW, HIGH], flags, HIGH, false);
            check([HIGH, LOW], flags, HIGH, false);
            check([HIGH, "10.0.0.1:8443"], flags, HIGH, false);
            check(["10.0.0.1:8443", HIGH], flags, "10.0.0.1:8443", false);
            check(
                ["10.0.0.1:123", "10.0.0.2:123"],
                flags,
                "10.0.0.1:123",
                false,
            );
        }
        // Groups answer, if at all, from other addresses.
        for group in ["224.0.1.1:5000", "10.0.0.255:5000"] {
            check(["10.0.0.1:123", group], None, "10.0.0.1:123", false);
        }
        check(["10.0.0.1:0", HIGH], None, "10.0.0.1:0", false);
    }

    #[test]
    fn which_end_is_local() {
        /// A packet's ends; whether the local end sent it.
        #[track_caller]
        fn check(source: &str, destination: &str, direction: Direction, local_sent: bool) {
            let flow = open(source, destination, None);
            assert_eq!(flow.direction(), direction);
            let (local, remote) = if local_sent {
                (source, destination)
            } else {
                (destination, source)
            };
            assert_eq!(flow.local().to_string(), local);
            assert_eq!(flow.remote().to_string(), remote);
            assert_eq!(flow.sent().packets, u64::from(local_sent));
            assert_eq!(flow.received().packets, u64::from(!local_sent));
        }
        let (ours, theirs) = ("10.0.0.2:5000", "10.0.0.9:6000");
        check(ours, theirs, Direction::Outgoing, true);
        check(theirs, ours, Direction::Incoming, false);
        check("127.0.0.1:5000", ours, Direction::Loopback, true);
        check("10.0.0.8:5000", theirs, Direction::Forwarded, true);
        for (group, direction) in [
            ("224.0.0.251:5353", Direction::Multicast),
            ("10.0.0.255:137", Direction::Broadcast),
            ("255.255.255.255:67", Direction::Broadcast),
        ] {
            check(ours, group, direction, true);
            check(theirs, group, direction, false);
        }
    }

    /// A table may hold 100,000 of them.
    #[test]
    fn flows_are_small() {
        assert!(size_of::<Flow>() <= 296, "{}", size_of::<Flow>());
    }
}
