//! All flows of a host: finds them by key, follows, expires and evicts them.

mod config;
mod copies;
mod errors;
mod fragments;
mod index;
mod lists;
mod statistics;
#[cfg(test)]
mod tests;
mod translated;
mod view;

use std::collections::HashMap;
use std::time::Duration;

pub use config::{TableConfig, Timeouts};
use fragments::Fragments;
use index::Index;
use lists::{Class, Lists, Slot};
pub use statistics::TableStatistics;
use translated::Untied;
pub use translated::{Kept, Moved};
pub use view::TableView;

use crate::clock::Clock;
use crate::copies::{Point, Topology};
use crate::name::named;
use crate::{Flow, FlowId, FlowIdMap, FlowKey, LocalAddresses, Mark, Packet};

/// The largest capacity, whatever the configuration says.
const MAX_CAPACITY: usize = 1 << 30;

/// The effect of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Update {
    /// The flow to which it belongs.
    pub id: FlowId,
    /// What it changed.
    pub change: Change,
    /// Whether the initiator sent it.
    pub from_initiator: bool,
    /// Whether its sequence number is not one that its sender can use next: the capture missed the
    /// segments in between, or this one belongs to another connection between the same ends.
    pub is_skip: bool,
    /// Latest packet time of the flow before it; its own for the first packet.
    pub previous: Duration,
}

/// What a packet changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is the first of a new flow, or the first packet after a [cut](FlowTable::cut) that left
    /// the flow without packets.
    Opened,
    /// It belongs to an existing flow.
    Continued,
    /// It ended a connection. The flow stays for a while, for late packets, and leaves the table
    /// after that.
    Closed,
    /// Nothing: the packet was counted before, when it was captured on another device.
    SeenAgain,
}

/// A flow that left the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended<T = ()> {
    /// The flow, with all its counters.
    pub flow: Flow<T>,
    /// Why it left.
    pub reason: EndReason,
}

/// Why a flow left the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// The connection was closed or reset.
    Closed,
    /// It was silent for too long.
    Expired,
    /// The table was full.
    Evicted,
    /// Another connection was opened between the same ends.
    Replaced,
    /// The table was emptied.
    Drained,
    /// Its owner changed: later packets belong to another flow.
    OwnerChanged,
    /// This host translates its ends (NAT), and the flow with the ends before translation has its packets.
    Translated,
}

impl EndReason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::Closed,
        Self::Expired,
        Self::Evicted,
        Self::Replaced,
        Self::Drained,
        Self::OwnerChanged,
        Self::Translated,
    ];

    /// The name in lower case, as JSON writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Expired => "expired",
            Self::Evicted => "evicted",
            Self::Replaced => "replaced",
            Self::Drained => "drained",
            Self::OwnerChanged => "owner-changed",
            Self::Translated => "translated",
        }
    }
}

named!(EndReason, "way for a flow to end");

/// All flows. `T` is the caller's data for each: the table clones it while a
/// [view](FlowTable::view) exists.
#[derive(Debug)]
pub struct FlowTable<T = ()> {
    lists: Lists<T>,
    by_key: Index,
    by_id: FlowIdMap<Slot>,
    /// The flow of the newest packet, which is looked up most often.
    newest: Option<(FlowId, Slot)>,
    fragments: Fragments,
    config: TableConfig,
    clock: Clock,
    /// By the clock's time, no flow expires before this.
    next_expiry: Duration,
    next_id: u64,
    statistics: TableStatistics,
    topology: Option<Topology>,
    /// Where the packet was captured that is being counted, if it may be captured elsewhere, too.
    point: Option<Point>,
    /// Of flows with translated ends, by the key before translation.
    translated: HashMap<FlowKey, FlowKey>,
    untied: Option<Untied>,
    kept: Vec<Kept>,
}

impl<T: Clone + Default> FlowTable<T> {
    /// An empty table.
    pub fn new(config: TableConfig) -> Self {
        let config = TableConfig {
            capacity: config.capacity.clamp(1, MAX_CAPACITY),
            ..config
        };
        Self {
            lists: Lists::new(),
            by_key: Index::default(),
            by_id: FlowIdMap::default(),
            newest: None,
            fragments: Fragments::new(config.fragments),
            config,
            clock: Clock::default(),
            next_expiry: Duration::MAX,
            next_id: 0,
            statistics: TableStatistics::default(),
            topology: None,
            point: None,
            translated: HashMap::new(),
            untied: None,
            kept: Vec::new(),
        }
    }

    /// Counts a packet. Appends flows that leave because of it to `ended`.
    pub fn ingest(&mut self, packet: &Packet, ended: &mut Vec<Ended<T>>) -> Update {
        self.statistics.packets += 1;
        self.statistics.backwards += u64::from(self.clock.advance(packet.time));
        self.expire(ended);
        let scoped;
        let packet = match self.place(packet) {
            Some(other) => {
                scoped = other;
                &scoped
            }
            None => packet,
        };
        let update = match self.later_fragment(packet) {
            Some((slot, from_initiator)) => self.count(slot, packet, from_initiator),
            None => match self.ingest_error(packet) {
                Some(update) => update,
                None => self.find_or_open(packet, ended),
            },
        };
        if packet.fragment.is_some() {
            let local = self.config.local.as_ref();
            self.fragments
                .remember(packet, update, local, self.clock.passed());
        }
        update
    }

    /// Lets time pass without a packet. Appends flows that were silent for too long to `ended`.
    ///
    /// Time that goes back ends no flow. If it goes back by more than ten minutes, here or from
    /// packet to packet, the table measures silence from there: one wrong time does not keep later
    /// flows from ending.
    pub fn advance(&mut self, now: Duration, ended: &mut Vec<Ended<T>>) {
        self.clock.advance(now);
        self.expire(ended);
    }

    fn expire(&mut self, ended: &mut Vec<Ended<T>>) {
        let now = self.clock.passed();
        if now >= self.next_expiry {
            self.expire_by(now, ended);
        }
    }

    fn expire_by(&mut self, now: Duration, ended: &mut Vec<Ended<T>>) {
        self.next_expiry = Duration::MAX;
        for class in Class::ALL {
            let timeout = class.timeout(&self.config.timeouts);
            while let Some((slot, touched)) = self.lists.oldest(class) {
                let Some(deadline) = touched.checked_add(timeout) else {
                    break;
                };
                if now < deadline {
                    self.next_expiry = self.next_expiry.min(deadline);
                    break;
                }
                let reason = match class {
                    Class::TcpOver => EndReason::Closed,
                    Class::TcpClosing
                    | Class::TcpOpening
                    | Class::TcpEstablished
                    | Class::UdpOneWay
                    | Class::Udp
                    | Class::Icmp
                    | Class::Other => EndReason::Expired,
                };
                self.end(slot, reason, ended);
            }
        }
    }

    /// Removes all flows, in the order in which they opened.
    pub fn drain(&mut self, ended: &mut Vec<Ended<T>>) {
        let mut slots: Vec<_> = self.by_id.iter().map(|(id, slot)| (*id, *slot)).collect();
        slots.sort_unstable();
        for (_, slot) in slots {
            self.end(slot, EndReason::Drained, ended);
        }
    }

    /// The current packet time: the latest one, unless packets continued from an earlier one.
    pub const fn now(&self) -> Duration {
        self.clock.now()
    }

    /// Sets the host's addresses for flows that open from now on.
    pub fn set_local_addresses(&mut self, local: Option<LocalAddresses>) {
        self.config.local = local;
    }

    /// A flow, while it is in the table.
    pub fn flow(&self, id: FlowId) -> Option<&Flow<T>> {
        self.lists.get(self.slot(id)?)
    }

    /// As [`flow`](Self::flow), to change the caller's data.
    pub fn flow_mut(&mut self, id: FlowId) -> Option<&mut Flow<T>> {
        let slot = self.slot(id)?;
        self.lists.get_mut(slot)
    }

    /// Cuts off the packets that a flow had counted until `mark`, as when its socket gets another
    /// owner there. Appends that part to `ended`, under the flow's id and with its data. The
    /// packets since then, the first at `next`, stay in the table under the returned id, with new
    /// data; a connection continues.
    ///
    /// Every byte stays in one of the two. Nothing is cut off if the flow had counted nothing until
    /// then. This visits no other flow.
    pub fn cut(
        &mut self,
        id: FlowId,
        mark: &Mark,
        next: Duration,
        ended: &mut Vec<Ended<T>>,
    ) -> Option<FlowId> {
        let slot = self.slot(id)?;
        self.untie_and_keep(slot);
        let flow = self.lists.get_mut(slot)?;
        // It cannot cut off packets that the flow never counted.
        let mark = mark.at_most(&flow.mark());
        if mark.total().packets == 0 {
            return None;
        }
        let rest = FlowId(self.next_id);
        self.next_id += 1;
        let part = flow.cut(rest, &mark, next);
        self.statistics.opened += u64::from(!flow.is_empty());
        self.by_id.remove(&id);
        self.by_id.insert(rest, slot);
        self.newest = Some((rest, slot));
        self.ended(part, EndReason::OwnerChanged, ended);
        Some(rest)
    }

    /// As [`cut`](Self::cut), for a flow that has left the table: returns the part until `mark`,
    /// and `ended` keeps the rest under a new id.
    pub fn cut_ended(
        &mut self,
        ended: &mut Ended<T>,
        mark: &Mark,
        next: Duration,
    ) -> Option<Ended<T>> {
        let mark = mark.at_most(&ended.flow.mark());
        if mark.total().packets == 0 {
            return None;
        }
        let rest = FlowId(self.next_id);
        self.next_id += 1;
        let flow = ended.flow.cut(rest, &mark, next);
        self.statistics.opened += u64::from(!ended.flow.is_empty());
        self.statistics.cut += 1;
        Some(Ended {
            flow,
            reason: EndReason::OwnerChanged,
        })
    }

    /// Whether a packet would count in an existing flow, unless it opens another one between the
    /// same ends. False for later fragments.
    pub fn has_flow(&self, packet: &Packet) -> bool {
        let key = FlowKey::of(packet, self.config.local.as_ref());
        self.by_key.find(&key, &self.lists).is_some()
    }

    /// All flows, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Flow<T>> {
        self.lists.iter().filter(|flow| !flow.is_empty())
    }

    /// The number of flows.
    pub const fn len(&self) -> usize {
        self.lists.len()
    }

    /// Whether the table is empty.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of [`now`](Self::now) after [`advance`](Self::advance) to a time.
    pub fn now_at(&self, time: Duration) -> Duration {
        let mut clock = self.clock;
        clock.advance(time);
        clock.now()
    }

    fn slot(&self, id: FlowId) -> Option<Slot> {
        match self.newest {
            Some((newest, slot)) if newest == id => Some(slot),
            _ => self.by_id.get(&id).copied(),
        }
    }

    /// The flow of a packet's first fragment, and whether its initiator sent it.
    fn later_fragment(&self, packet: &Packet) -> Option<(Slot, bool)> {
        let local = self.config.local.as_ref();
        let (id, key, from_initiator) = self.fragments.find(packet, local, self.clock.passed())?;
        let continued = || {
            let slot = self.by_key.find(&key, &self.lists)?;
            let flow = self.lists.get(slot)?;
            flow.is_continued().then_some(slot)
        };
        Some((self.slot(id).or_else(continued)?, from_initiator))
    }

    fn find_or_open(&mut self, packet: &Packet, ended: &mut Vec<Ended<T>>) -> Update {
        let (key, from_low) = FlowKey::of_packet(packet, self.config.local.as_ref());
        if let Some(update) = self.copy_of_genuine(packet, &key) {
            return update;
        }
        if let Some(slot) = self.by_key.find(&key, &self.lists)
            && let Some(flow) = self.lists.get(slot)
        {
            let from_initiator = flow.is_from_initiator(from_low);
            if !flow.is_reopened_by(packet, from_initiator) {
                return self.count(slot, packet, from_initiator);
            }
            self.end(slot, EndReason::Replaced, ended);
        } else if self.len() >= self.config.capacity {
            self.evict(ended);
        }
        self.open(key, from_low, packet)
    }

    fn open(&mut self, key: FlowKey, from_low: bool, packet: &Packet) -> Update {
        let id = FlowId(self.next_id);
        self.next_id += 1;
        let mut flow = Flow::open(id, key, packet, self.config.local.as_ref());
        flow.set_community_seed(self.config.community_seed);
        let from_initiator = flow.is_from_initiator(from_low);
        let slot = self.lists.insert(flow, self.clock.passed());
        self.by_key.insert(&key, slot, &self.lists);
        self.by_id.insert(id, slot);
        self.count(slot, packet, from_initiator)
    }

    fn count(&mut self, slot: Slot, packet: &Packet, from_initiator: bool) -> Update {
        if let Some(update) = self.copy_of(slot, packet, from_initiator) {
            return update;
        }
        #[expect(
            clippy::expect_used,
            reason = "the slot was found or filled for this very packet"
        )]
        let flow = self.lists.get_mut(slot).expect("the slot holds a flow");
        let was_over = flow.state().has_ended();
        let was_empty = flow.is_empty();
        let is_skip = flow.is_skipped_to_by(packet, from_initiator);
        let previous = if was_empty {
            packet.time
        } else {
            flow.last_seen()
        };
        flow.count(packet, from_initiator);
        self.statistics.opened += u64::from(was_empty);
        let change = if was_empty {
            Change::Opened
        } else if flow.state().has_ended() && !was_over {
            Change::Closed
        } else {
            Change::Continued
        };
        let id = flow.id();
        self.touch(slot);
        self.keep();
        self.newest = Some((id, slot));
        Update {
            id,
            change,
            from_initiator,
            is_skip,
            previous,
        }
    }

    fn touch(&mut self, slot: Slot) {
        let now = self.clock.passed();
        if let Some(class) = self.lists.touch(slot, now) {
            let deadline = now.saturating_add(class.timeout(&self.config.timeouts));
            self.next_expiry = self.next_expiry.min(deadline);
        }
    }

    /// Makes room: evicts a connection that has ended, or else the flow with the longest silence.
    fn evict(&mut self, ended: &mut Vec<Ended<T>>) {
        let over = self.lists.oldest(Class::TcpOver).map(|(slot, _)| slot);
        if let Some(slot) = over.or_else(|| self.lists.oldest_of_all()) {
            self.end(slot, EndReason::Evicted, ended);
        }
    }

    fn end(&mut self, slot: Slot, reason: EndReason, ended: &mut Vec<Ended<T>>) {
        self.untie_and_keep(slot);
        let Some(flow) = self.lists.remove(slot) else {
            return;
        };
        self.by_key.remove(&flow.key(), slot);
        self.by_id.remove(&flow.id());
        self.newest = self.newest.filter(|(_, newest)| *newest != slot);
        if flow.is_empty() {
            return;
        }
        self.ended(flow, reason, ended);
    }

    fn ended(&mut self, flow: Flow<T>, reason: EndReason, ended: &mut Vec<Ended<T>>) {
        let counter = match reason {
            EndReason::Closed => Some(&mut self.statistics.closed),
            EndReason::Expired => Some(&mut self.statistics.expired),
            EndReason::Evicted => Some(&mut self.statistics.evicted),
            EndReason::Replaced => Some(&mut self.statistics.replaced),
            EndReason::OwnerChanged => Some(&mut self.statistics.cut),
            EndReason::Drained | EndReason::Translated => None,
        };
        if let Some(counter) = counter {
            *counter += 1;
        }
        ended.push(Ended { flow, reason });
    }
}
