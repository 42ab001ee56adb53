//! Flows that are over but still listed.

use flowner_flows::chunked::{Chunked, View};
use flowner_flows::{EndReason, Flow, FlowId, FlowIdMap};

use super::{Effect, Ledger, Owners};
use crate::model::event::Event;
use crate::model::flow::FlowRecord;

pub(super) type EndedFlow = (Flow<Owners>, EndReason);

/// The flows that ended last.
#[derive(Debug)]
pub(super) struct EndedFlows {
    /// Oldest first; `None` for those that are not listed any more.
    flows: Chunked<Option<EndedFlow>>,
    places: FlowIdMap<usize>,
    /// The place of the oldest one.
    oldest: usize,
    max: usize,
}

impl EndedFlows {
    /// Room for so many.
    pub(super) fn new(max: usize) -> Self {
        Self {
            flows: Chunked::new(),
            places: FlowIdMap::default(),
            oldest: 0,
            max,
        }
    }

    /// Adds one; returns the oldest, if that is one too many.
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

    /// As they are now, oldest first.
    pub(super) fn view(&mut self) -> View<Option<EndedFlow>> {
        self.flows.view()
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &EndedFlow> {
        self.flows.iter().flatten()
    }
}

impl Ledger {
    /// Tells that a flow is over that is still listed.
    pub(super) fn tell_of_end(&self, id: FlowId, effects: &mut Vec<Effect>) {
        if self.is_watched
            && let Some((flow, reason)) = self.ended.get(id)
        {
            let record = FlowRecord::new(flow, self.table.now(), Some(*reason));
            self.tell(Event::FlowClosed(record), effects);
        }
    }
}
