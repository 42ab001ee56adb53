//! Writes a [`History`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use flowner_flows::{Counters, FlowId, FlowIdMap, Packet};

use crate::model::history::History;
use crate::model::history::tier::Slot;
use crate::model::principal::Principal;
use crate::model::totals::{Credited, less};

/// The number of principals with their own series; the rest share one.
const MAX_PRINCIPALS: usize = 4_096;
/// The slot of principals that share a series.
const REST: u16 = u16::MAX;
/// The number of flows whose packets are remembered until their owners are settled. At the bound,
/// packets stay with the principal to which they were first credited.
const MAX_UNSETTLED: usize = 65_536;
/// The number of seconds with packets that are remembered for each flow; older packets stay where
/// they are.
const MAX_SECONDS: usize = 128;

/// Writes a history.
#[derive(Debug)]
pub(crate) struct TrafficHistory {
    history: History,
    places: HashMap<Principal, u16>,
    unsettled: FlowIdMap<Vec<Second>>,
    newest: Newest,
    /// The latest second with a packet.
    latest: Option<u64>,
}

/// The second of the newest packet: packets are counted here one by one, and in each tier of the
/// history when the second has ended.
#[derive(Debug, Clone, Default)]
struct Newest {
    second: Option<u64>,
    slot: Slot,
    /// Whether nothing of that second has been written yet.
    is_whole: bool,
}

/// The written history at one point in time.
#[derive(Debug)]
pub(crate) struct HistoryView {
    history: History,
    newest: Newest,
}

impl Newest {
    fn write_down(&self, history: &mut History) {
        let Some(second) = self.second else {
            return;
        };
        for tier in &mut history.tiers {
            if let Some(slot) = tier.at(second) {
                slot.take_in(&self.slot);
            }
        }
    }
}

impl Newest {
    fn end(&mut self, history: &mut History) {
        self.write_down(history);
        self.second = None;
        self.slot.clear();
    }

    /// Moves the counters of some seconds to another principal.
    fn move_all(&mut self, history: &mut History, seconds: &[Second], from: Credit, to: Credit) {
        // Most owners are found within the second of the packets.
        if let [moved] = seconds
            && self.is_whole
            && self.second == Some(moved.at)
        {
            for (share, change) in moved.changes(from, to) {
                share.change(&mut self.slot, change);
            }
            return;
        }
        self.end(history);
        for moved in seconds {
            for (share, change) in moved.changes(from, to) {
                let slots = history
                    .tiers
                    .iter_mut()
                    .filter_map(|tier| tier.at(moved.at));
                slots.for_each(|slot| share.change(slot, change));
            }
        }
    }
}

impl HistoryView {
    /// The whole history, including the second of the newest packet.
    pub(crate) fn history(self) -> History {
        let Self {
            mut history,
            newest,
        } = self;
        newest.write_down(&mut history);
        history
    }
}

/// The packets of both ends of a flow in one second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Second {
    at: u64,
    by_local: Counters,
    by_remote: Counters,
}

impl Second {
    pub(crate) fn of(packet: PacketOf) -> Self {
        let mut second = Self {
            at: packet.time.as_secs(),
            by_local: Counters::default(),
            by_remote: Counters::default(),
        };
        second.add(packet);
        second
    }

    pub(crate) const fn is_at(&self, second: u64) -> bool {
        self.at == second
    }

    pub(crate) fn add(&mut self, packet: PacketOf) {
        *self.by(packet) += packet.counters;
    }

    /// The changes when a packet is credited to another principal.
    fn changes(self, from: Credit, to: Credit) -> [(Share, Change); 4] {
        let (by_local, by_remote) = (self.by_local, self.by_remote);
        [
            (from.by_local, Change::Less(by_local)),
            (to.by_local, Change::More(by_local)),
            (from.by_remote, Change::Less(by_remote)),
            (to.by_remote, Change::More(by_remote)),
        ]
    }

    /// Whether any of its packets carried data.
    pub(crate) const fn has_data(&self) -> bool {
        self.by_local.payload_bytes > 0 || self.by_remote.payload_bytes > 0
    }

    const fn by(&mut self, packet: PacketOf) -> &mut Counters {
        if packet.is_local {
            &mut self.by_local
        } else {
            &mut self.by_remote
        }
    }
}

/// A change of counters.
#[derive(Debug, Clone, Copy)]
enum Change {
    More(Counters),
    Less(Counters),
}

impl Change {
    fn apply(self, sum: &mut Counters) {
        match self {
            Self::More(counters) => *sum += counters,
            Self::Less(counters) => *sum = less(*sum, counters),
        }
    }
}

/// The principals to which the packets of a flow's two ends are credited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Credit {
    by_local: Share,
    by_remote: Share,
}

/// The principals at the ends of a packet, as far as they are on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Share {
    /// Another host received it.
    SentBy(u16),
    /// Another host sent it.
    ReceivedBy(u16),
    /// Both ends are here.
    Within { sender: u16, receiver: u16 },
}

impl Default for Share {
    fn default() -> Self {
        Self::SentBy(0)
    }
}

impl TrafficHistory {
    pub(crate) fn new() -> Self {
        Self {
            history: History::new(),
            places: HashMap::new(),
            unsettled: FlowIdMap::default(),
            newest: Newest::default(),
            latest: None,
        }
    }

    /// The history so far.
    pub(crate) fn view(&self) -> HistoryView {
        HistoryView {
            history: self.history.clone(),
            newest: self.newest.clone(),
        }
    }

    /// The credit for the packets of a flow with these principals at its ends.
    pub(crate) fn credit(
        &mut self,
        credited: Credited,
        local: Principal,
        remote: Principal,
    ) -> Credit {
        match credited {
            Credited::Local => {
                let local = self.place(local);
                Credit {
                    by_local: Share::SentBy(local),
                    by_remote: Share::ReceivedBy(local),
                }
            }
            Credited::Remote => {
                let remote = self.place(remote);
                Credit {
                    by_local: Share::ReceivedBy(remote),
                    by_remote: Share::SentBy(remote),
                }
            }
            Credited::Both => {
                let (local, remote) = (self.place(local), self.place(remote));
                let within = |sender, receiver| Share::Within { sender, receiver };
                Credit {
                    by_local: within(local, remote),
                    by_remote: within(remote, local),
                }
            }
        }
    }

    fn place(&mut self, principal: Principal) -> u16 {
        if let Some(place) = self.places.get(&principal) {
            return *place;
        }
        let place = self.history.principals.len();
        if place >= MAX_PRINCIPALS {
            return REST;
        }
        Arc::make_mut(&mut self.history.principals).push(principal.clone());
        let place = u16::try_from(place).unwrap_or(REST);
        self.places.insert(principal, place);
        place
    }

    /// Lets time pass.
    pub(crate) fn advance(&mut self, now: Duration) {
        self.end_second();
        self.move_on(now.as_secs());
    }

    fn move_on(&mut self, second: u64) {
        let mut is_other_time = false;
        for tier in &mut self.history.tiers {
            is_other_time |= tier.advance(second);
        }
        if is_other_time {
            // The remembered packets were dropped with their time.
            self.unsettled.clear();
            self.latest = None;
        }
    }

    /// Writes the second of the newest packet.
    fn end_second(&mut self) {
        self.newest.end(&mut self.history);
    }

    /// Counts a packet of one end of a flow; `is_settled`: its owners do not change any more.
    pub(crate) fn count(&mut self, id: FlowId, credit: Credit, is_settled: bool, packet: PacketOf) {
        let second = packet.time.as_secs();
        if self.newest.second != Some(second) {
            self.end_second();
            self.move_on(second);
            self.newest.second = Some(second);
            self.newest.is_whole = self.latest < Some(second);
            self.latest = self.latest.max(Some(second));
        }
        let share = if packet.is_local {
            credit.by_local
        } else {
            credit.by_remote
        };
        share.change(&mut self.newest.slot, Change::More(packet.counters));
        if !is_settled {
            self.remember(id, packet);
        }
    }

    /// Remembers a packet that was counted for a flow with unsettled owners.
    pub(crate) fn remember(&mut self, id: FlowId, packet: PacketOf) {
        let second = packet.time.as_secs();
        if self.unsettled.len() >= MAX_UNSETTLED && !self.unsettled.contains_key(&id) {
            return;
        }
        let seconds = self.unsettled.entry(id).or_default();
        match seconds.last_mut() {
            Some(last) if last.is_at(second) => last.add(packet),
            _ => {
                if seconds.len() >= MAX_SECONDS {
                    seconds.remove(0);
                }
                seconds.push(Second::of(packet));
            }
        }
    }

    /// Remembers the counters of some seconds for a flow with unsettled owners.
    pub(crate) fn take_over(&mut self, id: FlowId, seconds: &[Second]) {
        if self.unsettled.len() >= MAX_UNSETTLED {
            return;
        }
        let mut merged: Vec<Second> = Vec::with_capacity(seconds.len());
        for second in seconds {
            match merged.last_mut() {
                Some(last) if last.is_at(second.at) => {
                    last.by_local += second.by_local;
                    last.by_remote += second.by_remote;
                }
                _ => merged.push(*second),
            }
        }
        self.unsettled.insert(id, merged);
    }

    /// Moves the remembered packets of a flow to another principal.
    pub(crate) fn move_credit(&mut self, id: FlowId, from: Credit, to: Credit) {
        if let Some(seconds) = self.unsettled.get(&id) {
            self.newest.move_all(&mut self.history, seconds, from, to);
        }
    }

    /// Takes away what the local end and the remote end of a flow have sent, of the remembered packets:
    /// they count in another flow.
    pub(crate) fn take_away(&mut self, id: FlowId, credit: Credit, moved: [Counters; 2]) {
        let Some(seconds) = self.unsettled.get_mut(&id) else {
            return;
        };
        self.newest.end(&mut self.history);
        let [mut by_local, mut by_remote] = moved;
        for second in seconds {
            for (left, own, share) in [
                (&mut by_local, &mut second.by_local, credit.by_local),
                (&mut by_remote, &mut second.by_remote, credit.by_remote),
            ] {
                let part = Counters {
                    packets: left.packets.min(own.packets),
                    bytes: left.bytes.min(own.bytes),
                    payload_bytes: left.payload_bytes.min(own.payload_bytes),
                };
                *left = less(*left, part);
                *own = less(*own, part);
                for tier in &mut self.history.tiers {
                    if let Some(slot) = tier.at(second.at) {
                        share.change(slot, Change::Less(part));
                    }
                }
            }
        }
    }

    /// Moves the counters of some seconds to another principal.
    pub(crate) fn move_seconds(&mut self, seconds: &[Second], from: Credit, to: Credit) {
        self.newest.move_all(&mut self.history, seconds, from, to);
    }

    /// The remembered packets of a flow.
    pub(crate) fn remembered(&self, id: FlowId) -> Vec<Second> {
        self.unsettled.get(&id).cloned().unwrap_or_default()
    }

    /// Forgets a flow's counters of some seconds: they belong to another one.
    pub(crate) fn forget(&mut self, id: FlowId, part: &[Second]) {
        let Some(seconds) = self.unsettled.get_mut(&id) else {
            return;
        };
        for gone in part {
            if let Some(second) = seconds.iter_mut().find(|second| second.is_at(gone.at)) {
                second.by_local = second.by_local.saturating_sub(gone.by_local);
                second.by_remote = second.by_remote.saturating_sub(gone.by_remote);
            }
        }
    }

    /// Records that the owners of a flow do not change any more.
    pub(crate) fn settle(&mut self, id: FlowId) {
        self.unsettled.remove(&id);
    }
}

impl Share {
    /// Changes each counter that includes the packet.
    fn change(self, slot: &mut Slot, change: Change) {
        match self {
            Self::SentBy(sender) => change.apply(&mut slot.of(sender).sent),
            Self::ReceivedBy(receiver) => change.apply(&mut slot.of(receiver).received),
            Self::Within { sender, receiver } => {
                change.apply(&mut slot.of(sender).sent);
                let traffic = slot.of(receiver);
                change.apply(&mut traffic.received);
                change.apply(&mut traffic.received_here);
            }
        }
    }
}

/// The parts of a packet that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PacketOf {
    pub(crate) time: Duration,
    /// Whether the local end sent it.
    pub(crate) is_local: bool,
    pub(crate) counters: Counters,
}

impl PacketOf {
    pub(crate) fn new(packet: &Packet, is_local: bool) -> Self {
        Self {
            time: packet.time,
            is_local,
            counters: Counters {
                packets: 1,
                bytes: packet.wire_len.into(),
                payload_bytes: packet.payload_len.into(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use flowner_attribution::User;
    use proptest::prelude::*;

    use super::*;

    /// A packet of a flow, this many seconds after the one before; and whether the flow belongs to
    /// another principal then.
    type Step = (u64, i64, bool, bool);

    /// The final series of a history. `is_told`: whether a reader asks after each packet;
    /// `is_written`: whether each second is written before any part of it moves.
    fn series(steps: &[Step], is_read: bool, is_written: bool) -> Vec<crate::Series> {
        let mut chronicle = TrafficHistory::new();
        let ada = Principal::User(User::new(1, None));
        let unowned = chronicle.credit(
            Credited::Local,
            Principal::Unattributed,
            Principal::Unattributed,
        );
        let owned = chronicle.credit(Credited::Both, ada, Principal::Unattributed);
        let mut credits = [unowned; 3];
        let mut second = 1_000_u64;
        for &(flow, step, is_local, is_found) in steps {
            second = second.saturating_add_signed(step);
            let counters = Counters {
                packets: 1,
                bytes: second,
                payload_bytes: flow,
            };
            let time = Duration::from_secs(second);
            let id = FlowId::from_u64(flow);
            let credit = &mut credits[usize::try_from(flow).unwrap()];
            chronicle.count(
                id,
                *credit,
                false,
                PacketOf {
                    time,
                    is_local,
                    counters,
                },
            );
            if is_written {
                chronicle.end_second();
            }
            if is_found {
                chronicle.move_credit(id, *credit, owned);
                *credit = owned;
            }
            if is_read {
                chronicle.view().history();
            }
        }
        let now = Duration::from_secs(second + 1);
        let back = [60, 600, 6_000, 600_000].map(Duration::from_secs);
        let from = |back| now.saturating_sub(back);
        let history = chronicle.view().history();
        back.map(|back| history.series(from(back), now, 100)).into()
    }

    proptest! {
        /// Although a second is written as a whole, when it has ended or when a reader asks.
        #[test]
        fn asking_changes_nothing(
            steps in proptest::collection::vec(
                (0..3_u64, prop_oneof![-2..3_i64, -900..2_000_i64], any::<bool>(), any::<bool>()),
                0..100,
            ),
        ) {
            let plain = series(&steps, false, false);
            prop_assert_eq!(&plain, &series(&steps, true, false));
            prop_assert_eq!(&plain, &series(&steps, false, true));
        }
    }
}
