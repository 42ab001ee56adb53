//! The flows, in slots, on one list for each timeout class, with the least recently touched first.
//!
//! Every operation is O(1): neither expiry nor eviction visits more flows than it removes.

use std::time::Duration;

use crate::chunked::{Chunked, View};
use crate::{Flow, FlowKey, Protocol, State};

use super::Timeouts;

/// Flows with the same timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    TcpOver,
    TcpClosing,
    TcpOpening,
    TcpEstablished,
    UdpOneWay,
    Udp,
    Icmp,
    Other,
}

impl Class {
    pub(super) const ALL: [Self; 8] = [
        Self::TcpOver,
        Self::TcpClosing,
        Self::TcpOpening,
        Self::TcpEstablished,
        Self::UdpOneWay,
        Self::Udp,
        Self::Icmp,
        Self::Other,
    ];

    pub(super) fn of<T>(flow: &Flow<T>) -> Self {
        match (flow.protocol(), flow.state_of_ends()) {
            (Protocol::TCP, State::Opening) => Self::TcpOpening,
            (Protocol::TCP, State::Closing) => Self::TcpClosing,
            (Protocol::TCP, state) if state.has_ended() => Self::TcpOver,
            (Protocol::TCP, _) => Self::TcpEstablished,
            (Protocol::UDP, _) if flow.is_answered() => Self::Udp,
            (Protocol::UDP, _) => Self::UdpOneWay,
            (Protocol::ICMP | Protocol::ICMPV6, _) => Self::Icmp,
            _ => Self::Other,
        }
    }

    pub(super) const fn timeout(self, timeouts: &Timeouts) -> Duration {
        match self {
            Self::TcpOver => timeouts.tcp_over,
            Self::TcpClosing => timeouts.tcp_closing,
            Self::TcpOpening => timeouts.tcp_opening,
            Self::TcpEstablished => timeouts.tcp_established,
            Self::UdpOneWay => timeouts.udp_one_way,
            Self::Udp => timeouts.udp,
            Self::Icmp => timeouts.icmp,
            Self::Other => timeouts.other,
        }
    }
}

/// The index of a flow's slot.
pub(super) type Slot = u32;
const NONE: Slot = Slot::MAX;

/// The position of a flow on the lists.
#[derive(Debug)]
struct Link {
    /// The time of the table's clock at the last touch.
    touched: Duration,
    /// The number of touches before the last one. It orders flows with the same time, and all flows
    /// while packet times go back.
    turn: u64,
    class: Class,
    previous: Slot,
    /// The next flow on the list; in a free slot, the next free one.
    next: Slot,
}

#[derive(Debug, Clone, Copy)]
struct List {
    head: Slot,
    tail: Slot,
}

/// All flows, in slots.
#[derive(Debug)]
pub(super) struct Lists<T> {
    /// `None` while the slot is free.
    flows: Chunked<Option<Flow<T>>>,
    /// The links of each slot. They are separate, because every packet also writes those of the
    /// neighbours: more of them fit into the CPU's cache than flows would.
    links: Vec<Link>,
    ends: [List; Class::ALL.len()],
    free: Slot,
    len: usize,
    turns: u64,
}

impl<T> Lists<T> {
    pub(super) const fn new() -> Self {
        let empty = List {
            head: NONE,
            tail: NONE,
        };
        Self {
            flows: Chunked::new(),
            links: Vec::new(),
            ends: [empty; Class::ALL.len()],
            free: NONE,
            len: 0,
            turns: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&Flow<T>> {
        self.flows.get(slot as usize)?.as_ref()
    }

    pub(super) fn key(&self, slot: Slot) -> Option<&FlowKey> {
        self.get(slot).map(Flow::key_ref)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Flow<T>> {
        self.flows.iter().flatten()
    }

    /// The slots as they are now.
    pub(super) fn view(&mut self) -> View<Option<Flow<T>>> {
        self.flows.view()
    }

    /// Makes a flow the most recently touched one, on the list of its current class, and returns
    /// that class.
    pub(super) fn touch(&mut self, slot: Slot, now: Duration) -> Option<Class> {
        let class = Class::of(self.get(slot)?);
        let is_last = self.ends[class as usize].tail == slot;
        if !is_last {
            self.unlink(slot);
        }
        let link = &mut self.links[slot as usize];
        link.class = class;
        link.touched = now;
        if is_last {
            link.turn = self.turns;
            self.turns += 1;
        } else {
            self.append(slot);
        }
        Some(class)
    }

    /// The least recently touched flow of a class, with the time of its last touch.
    pub(super) fn oldest(&self, class: Class) -> Option<(Slot, Duration)> {
        let slot = self.ends[class as usize].head;
        Some((slot, self.links.get(slot as usize)?.touched))
    }

    /// The least recently touched flow of any class.
    pub(super) fn oldest_of_all(&self) -> Option<Slot> {
        let heads = self.ends.iter().map(|list| list.head);
        heads
            .filter_map(|head| Some((self.links.get(head as usize)?.turn, head)))
            .min()
            .map(|(_, head)| head)
    }

    fn append(&mut self, slot: Slot) {
        let list = self.links[slot as usize].class as usize;
        let tail = self.ends[list].tail;
        let link = &mut self.links[slot as usize];
        link.previous = tail;
        link.next = NONE;
        link.turn = self.turns;
        self.turns += 1;
        match self.links.get_mut(tail as usize) {
            Some(before) => before.next = slot,
            None => self.ends[list].head = slot,
        }
        self.ends[list].tail = slot;
    }

    fn unlink(&mut self, slot: Slot) {
        let Link {
            class,
            previous,
            next,
            ..
        } = self.links[slot as usize];
        let list = class as usize;
        match self.links.get_mut(previous as usize) {
            Some(link) => link.next = next,
            None => self.ends[list].head = next,
        }
        match self.links.get_mut(next as usize) {
            Some(link) => link.previous = previous,
            None => self.ends[list].tail = previous,
        }
    }
}

impl<T: Clone> Lists<T> {
    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Flow<T>> {
        self.flows.get_mut(slot as usize)?.as_mut()
    }

    /// Adds a flow as the most recently touched one.
    pub(super) fn insert(&mut self, flow: Flow<T>, now: Duration) -> Slot {
        let link = Link {
            class: Class::of(&flow),
            touched: now,
            turn: 0,
            previous: NONE,
            next: NONE,
        };
        let slot = self.free;
        let slot = if let Some(free) = self.links.get_mut(slot as usize) {
            self.free = free.next;
            *free = link;
            if let Some(place) = self.flows.get_mut(slot as usize) {
                *place = Some(flow);
            }
            slot
        } else {
            self.links.push(link);
            self.flows.push(Some(flow));
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the capacity is bounded by `MAX_CAPACITY`, which fits"
            )]
            let slot = (self.links.len() - 1) as Slot;
            slot
        };
        self.len += 1;
        self.append(slot);
        slot
    }

    pub(super) fn remove(&mut self, slot: Slot) -> Option<Flow<T>> {
        let flow = self.flows.get_mut(slot as usize)?.take()?;
        self.unlink(slot);
        self.links[slot as usize].next = self.free;
        self.free = slot;
        self.len -= 1;
        Some(flow)
    }
}
