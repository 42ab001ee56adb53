//! Compares the table with the simplest correct implementation: a list of flows that visits all of
//! them for every packet.

use std::collections::HashSet;

use super::*;

#[derive(Debug)]
struct Naive {
    capacity: usize,
    local: Option<LocalAddresses>,
    now: Duration,
    /// The flow with the oldest last packet comes first.
    flows: Vec<NaiveFlow>,
}

#[derive(Debug)]
struct NaiveFlow {
    key: FlowKey,
    seen: Duration,
    senders: HashSet<SocketAddr>,
    total: Counters,
}

/// The facts to compare about a flow that left.
type Left = (FlowKey, Counters, EndReason);

impl Naive {
    fn ingest(&mut self, packet: &Packet) -> Vec<Left> {
        self.now = self.now.max(packet.time);
        let key = FlowKey::of(packet, self.local.as_ref());
        let mut left: Vec<Left> = Vec::new();
        let now = self.now;
        self.flows.retain(|flow| {
            let stays = now.saturating_sub(flow.seen) < flow.timeout();
            if !stays {
                left.push((flow.key, flow.total, EndReason::Expired));
            }
            stays
        });
        let known = self.flows.iter().position(|flow| flow.key == key);
        let mut flow = match known {
            Some(place) => self.flows.remove(place),
            None => NaiveFlow {
                key,
                seen: now,
                senders: HashSet::new(),
                total: Counters::default(),
            },
        };
        if known.is_none() && self.flows.len() == self.capacity {
            let oldest = self.flows.remove(0);
            left.push((oldest.key, oldest.total, EndReason::Evicted));
        }
        flow.seen = now;
        flow.senders.insert(packet.source);
        flow.total += Counters::one(packet.wire_len, packet.payload_len);
        self.flows.push(flow);
        left
    }
}

impl NaiveFlow {
    fn timeout(&self) -> Duration {
        let times = Timeouts::default();
        match self.key.protocol() {
            Protocol::UDP if self.senders.len() == 2 => times.udp,
            Protocol::UDP => times.udp_one_way,
            Protocol::ICMP => times.icmp,
            _ => times.other,
        }
    }
}

fn sorted(left: impl IntoIterator<Item = Left>) -> Vec<Left> {
    let mut left: Vec<_> = left.into_iter().collect();
    left.sort_by_key(|(key, ..)| *key);
    left
}

proptest! {
    /// The same flows leave at the same packet for the same reason, and the same ones remain.
    #[test]
    fn agrees_with_a_naive_table(
        packets in proptest::collection::vec(any_packet(), 0..200),
        capacity in 1..6_usize,
    ) {
        let mut naive = Naive {
            capacity,
            local: Some([A.parse::<SocketAddr>().unwrap().ip()].into_iter().collect()),
            now: Duration::ZERO,
            flows: Vec::new(),
        };
        let mut table = table(capacity);
        let mut time = seconds(1_000);
        for packet in packets {
            // Forward, and back by less than the limit for a new beginning.
            time += seconds(packet.time.as_secs() % 40);
            let late = seconds(u64::from(packet.wire_len % 100));
            let protocol = match packet.protocol {
                Protocol::TCP => Protocol::ESP,
                other => other,
            };
            let packet = Packet { time: time.saturating_sub(late), protocol, icmp: None, fragment: None, ..packet };
            let mut ended = Vec::new();
            table.ingest(&packet, &mut ended);
            let ended = ended.iter().map(|e| (e.flow.key(), e.flow.total(), e.reason));
            prop_assert_eq!(sorted(ended), sorted(naive.ingest(&packet)));
            let live = table.iter().map(|flow| (flow.key(), flow.total(), EndReason::Drained));
            let expected = naive.flows.iter().map(|f| (f.key, f.total, EndReason::Drained));
            prop_assert_eq!(sorted(live), sorted(expected));
        }
    }
}
