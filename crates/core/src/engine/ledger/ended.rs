//! Flows that have ended and are still listed.

use flowner_flows::chunked::{Chunked, View};
use flowner_flows::{EndReason, Ended, Flow, FlowId, FlowIdMap, FlowTable};

use super::{Effect, Ledger, Owners, accepted, is_settled, waiters};
use crate::model::event::Event;
use crate::model::flow::FlowRecord;

pub(super) type EndedFlow = (Flow<Owners>, EndReason);

/// The flows that ended most recently.
#[derive(Debug)]
pub(super) struct EndedFlows {
    /// Oldest first; `None` for flows that left the list.
    flows: Chunked<Option<EndedFlow>>,
    places: FlowIdMap<usize>,
    /// The position of the oldest one.
    oldest: usize,
    max: usize,
}

impl EndedFlows {
    /// A list with room for so many flows.
    pub(super) fn new(max: usize) -> Self {
        Self {
            flows: Chunked::new(),
            places: FlowIdMap::default(),
            oldest: 0,
            max,
        }
    }

    /// Adds a flow. Returns the oldest one if the list is full.
    pub(super) fn push(&mut self, flow: Flow<Owners>, reason: EndReason) -> Option<EndedFlow> {
        let id = flow.id();
        let place = self.flows.push(Some((flow, reason)));
        self.places.insert(id, place);
        if self.places.len() <= self.max {
            return None;
        }
        let oldest = self.flows.get_mut(self.oldest)?.take()?;
        self.places.remove(&oldest.0.id());
        self.oldest += 1;
        self.flows.drop_before(self.oldest);
        Some(oldest)
    }

    pub(super) fn get(&self, id: FlowId) -> Option<&EndedFlow> {
        self.flows.get(*self.places.get(&id)?)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, id: FlowId) -> Option<&mut EndedFlow> {
        self.flows.get_mut(*self.places.get(&id)?)?.as_mut()
    }

    /// The listed flows, oldest first.
    pub(super) fn view(&mut self) -> View<Option<EndedFlow>> {
        self.flows.view()
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &EndedFlow> {
        self.flows.iter().flatten()
    }
}

/// A live or listed flow, and why it ended.
pub(super) fn listed_mut<'a>(
    table: &'a mut FlowTable<Owners>,
    ended: &'a mut EndedFlows,
    id: FlowId,
) -> Option<(&'a mut Flow<Owners>, Option<EndReason>)> {
    if let Some(flow) = table.flow_mut(id) {
        return Some((flow, None));
    }
    let (flow, reason) = ended.get_mut(id)?;
    Some((flow, Some(*reason)))
}

impl Ledger {
    /// Reports the end of a flow that is still listed.
    pub(super) fn tell_of_end(&self, id: FlowId, effects: &mut Vec<Effect>) {
        if self.is_watched
            && let Some((flow, reason)) = self.ended.get(id)
        {
            let record = FlowRecord::new(flow, self.table.now(), Some(*reason));
            self.tell(Event::FlowClosed(record), effects);
        }
    }
}

impl Ledger {
    /// Moves ended flows to the list of ended flows, and those that leave that list into the totals.
    pub(super) fn retire(&mut self, ended: &mut Vec<Ended<Owners>>, effects: &mut Vec<Effect>) {
        for mut ended in ended.drain(..) {
            let now = self.table.now();
            let flow = &mut ended.flow;
            accepted::take_back(flow, &mut self.confirming, &mut self.chronicle, now);
            for part in self.cut_sure_parts(&mut ended, effects) {
                self.retire_one(part, effects);
            }
            self.retire_one(ended, effects);
        }
    }

    fn retire_one(&mut self, ended: Ended<Owners>, effects: &mut Vec<Effect>) {
        let Ended { mut flow, reason } = ended;
        flow.data.confirmation = None;
        flow.data.uncertain = None;
        flow.data.recorded = None;
        // The answer to the pending lookup is about packets that this flow does not have any more.
        flow.data.again = flow.data.again.filter(|again| again.is_asked());
        effects.extend(waiters(&flow).map(Effect::End));
        if is_settled(&flow, true) {
            self.chronicle.settle(flow.id());
        }
        if self.is_watched && !flow.data.is_waiting() && !flow.data.is_told {
            flow.data.is_told = true;
            let record = FlowRecord::new(&flow, self.table.now(), Some(reason));
            self.tell(Event::FlowClosed(record), effects);
        }
        if self.is_unwanted(&flow, reason) {
            self.chronicle.settle(flow.id());
            let record = FlowRecord::new(&flow, self.table.now(), Some(reason));
            self.retired.count_other(&record);
        } else if let Some((flow, reason)) = self.ended.push(flow, reason) {
            self.chronicle.settle(flow.id());
            let record = FlowRecord::new(&flow, self.table.now(), Some(reason));
            self.retired.count(&record);
            if record.is_waiting {
                self.tell(Event::FlowClosed(record), effects);
            }
        }
    }

    /// Whether an ended flow certainly does not pass the filter.
    fn is_unwanted(&self, flow: &Flow<Owners>, reason: EndReason) -> bool {
        let selection = self.retired.selection();
        !selection.is_everything()
            && !flow.data.is_waiting()
            && !selection.matches(&FlowRecord::new(flow, self.table.now(), Some(reason)))
    }
}
