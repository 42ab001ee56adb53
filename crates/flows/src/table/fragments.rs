//! Finds the flow of later fragments: only the first fragment of a packet has ports.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::{FlowId, FlowKey, LocalAddresses, Packet};

use super::Update;

/// How long the fragments of a packet may take: RFC 8200 (4.5) gives up after 60 s,
/// RFC 791 (3.2) after 15 s or more, Linux after 30 s (`ipfrag_time`).
const AGE: Duration = Duration::from_secs(60);

/// A packet whose first fragment was captured.
#[derive(Debug, Clone, Copy)]
struct First {
    flow: FlowId,
    /// The key of the flow, which still finds it after a cut.
    key: FlowKey,
    from_initiator: bool,
    at: Duration,
}

/// The facts that all fragments of a packet share (RFC 791, 3.2): the key that a flow without ports
/// would have, whether the first of its ends sends, and their identification.
type Key = (FlowKey, bool, u32);

#[derive(Debug)]
pub(super) struct Fragments {
    flows: HashMap<Key, First>,
    /// In order of arrival. It may hold keys that have arrived again since.
    order: VecDeque<(Key, Duration)>,
    max: usize,
}

impl Fragments {
    pub(super) fn new(max: usize) -> Self {
        Self {
            flows: HashMap::new(),
            order: VecDeque::new(),
            max,
        }
    }

    /// Remembers the flow of a packet by its first fragment.
    pub(super) fn remember(
        &mut self,
        packet: &Packet,
        update: Update,
        local: Option<&LocalAddresses>,
        now: Duration,
    ) {
        let is_first = |f: crate::Fragment| f.offset == 0 && f.more;
        let Some(fragment) = packet.fragment.filter(|fragment| is_first(*fragment)) else {
            return;
        };
        let key = key(packet, local, fragment.id);
        let first = First {
            flow: update.id,
            key: FlowKey::of(packet, local),
            from_initiator: update.from_initiator,
            at: now,
        };
        self.flows.insert(key, first);
        self.order.push_back((key, now));
        while let Some(&(key, since)) = self.order.front() {
            let is_old = now.saturating_sub(since) >= AGE;
            if !is_old && self.order.len() <= self.max {
                break;
            }
            self.order.pop_front();
            if self.flows.get(&key).is_some_and(|first| first.at == since) {
                self.flows.remove(&key);
            }
        }
    }

    /// The flow of the first fragment, and whether its initiator sent it, for a later fragment.
    pub(super) fn find(
        &self,
        packet: &Packet,
        local: Option<&LocalAddresses>,
        now: Duration,
    ) -> Option<(FlowId, FlowKey, bool)> {
        let fragment = packet.fragment.filter(|fragment| fragment.offset > 0)?;
        let first = self.flows.get(&key(packet, local, fragment.id))?;
        let First {
            flow,
            key,
            from_initiator,
            at,
        } = *first;
        (now.saturating_sub(at) < AGE).then_some((flow, key, from_initiator))
    }
}

fn key(packet: &Packet, local: Option<&LocalAddresses>, id: u32) -> Key {
    let mut packet = *packet;
    packet.source.set_port(0);
    packet.destination.set_port(0);
    let (key, from_low) = FlowKey::of_packet(&packet, local);
    (key, from_low, id)
}
