//! Flows that are over but still listed.

use std::collections::{HashMap, VecDeque};

use flowner_flows::{EndReason, Flow, FlowId};

use super::Owners;

type EndedFlow = (Flow<Owners>, EndReason);

/// The flows that ended last.
#[derive(Debug)]
pub(super) struct EndedFlows {
    /// Oldest first.
    flows: VecDeque<EndedFlow>,
    /// As the number of flows that had ended before.
    places: HashMap<FlowId, usize>,
    /// Flows that are not listed any more.
    gone: usize,
    max: usize,
}

impl EndedFlows {
    /// Room for so many.
    pub(super) fn new(max: usize) -> Self {
        Self {
            flows: VecDeque::new(),
            places: HashMap::new(),
            gone: 0,
            max,
        }
    }

    /// Adds one; returns the oldest, if that is one too many.
    pub(super) fn push(&mut self, flow: Flow<Owners>, reason: EndReason) -> Option<EndedFlow> {
        self.places.insert(flow.id(), self.gone + self.flows.len());
        self.flows.push_back((flow, reason));
        if self.flows.len() <= self.max {
            return None;
        }
        let oldest = self.flows.pop_front()?;
        self.places.remove(&oldest.0.id());
        self.gone += 1;
        Some(oldest)
    }

    pub(super) fn get(&self, id: FlowId) -> Option<&EndedFlow> {
        self.flows.get(self.places.get(&id)? - self.gone)
    }

    pub(super) fn get_mut(&mut self, id: FlowId) -> Option<&mut EndedFlow> {
        self.flows.get_mut(self.places.get(&id)? - self.gone)
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &EndedFlow> {
        self.flows.iter()
    }
}
