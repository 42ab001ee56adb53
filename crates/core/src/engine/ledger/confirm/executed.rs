//! Which processes executed programs lately, and what becomes of their flows.

use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};

use flowner_attribution::capture::Executed;
use flowner_flows::{Flow, FlowId};

use super::Confirming;
use crate::engine::ledger::{Effect, Ledger, Owners};
use crate::model::principal::Owner;

/// Processes that are remembered: about as many as there are ids by default.
const MAX: usize = 32_768;

/// When each process executed a program last, in wall-clock time.
#[derive(Debug, Default)]
pub(super) struct ExecutedPrograms(HashMap<u32, Duration>);

impl ExecutedPrograms {
    /// Whether earlier ones had to be forgotten.
    pub(super) fn add(&mut self, executed: &[Executed]) -> bool {
        let is_full = self.0.len() + executed.len() > MAX;
        if is_full {
            self.0.clear();
        }
        for one in executed {
            let at = one.at.duration_since(UNIX_EPOCH).unwrap_or_default();
            self.0.insert(one.pid, at);
        }
        is_full
    }

    /// When a process that is named executed a program last, if that was after some time.
    pub(super) fn by_owner(&self, owner: &Owner, since: Duration) -> Option<Duration> {
        if self.0.is_empty() {
            return None;
        }
        let processes = owner.ownership.verdict.processes().iter();
        let all = processes.filter_map(|process| self.0.get(&process.pid).copied());
        all.max().filter(|at| *at > since)
    }
}

impl Confirming {
    /// By end, when a process that is named for a flow executed another program since it was last
    /// confirmed.
    pub(super) fn executed_at(&self, flow: &Flow<Owners>) -> [Option<Duration>; 2] {
        let Some(confirmation) = flow.data.confirmation.as_deref() else {
            return [None; 2];
        };
        let since = confirmation.sure.last_seen.max(flow.first_seen());
        let ends = [flow.data.local.as_deref(), flow.data.remote.as_deref()];
        ends.map(|owner| self.executed.by_owner(owner?, since))
    }

    /// Whose part of a flow that is not confirmed was sent after its process executed another program, by
    /// end.
    pub(in crate::engine::ledger) fn tail_of_another_program(
        &self,
        flow: &Flow<Owners>,
    ) -> [bool; 2] {
        let last = flow.data.confirmation.as_deref().map(|it| it.last);
        let executed = self.executed_at(flow);
        executed.map(|at| at.zip(last).is_some_and(|(at, last)| at < last))
    }
}

impl Ledger {
    /// Cuts a live flow before what was sent after its process executed another program.
    pub(in crate::engine::ledger) fn cut_tail_of_another_program(
        &mut self,
        id: FlowId,
        effects: &mut Vec<Effect>,
    ) {
        let Some(flow) = self.table.flow(id) else {
            return;
        };
        let changed = self.confirming.tail_of_another_program(flow);
        if changed != [false; 2] {
            self.change((id, None), (changed, true), self.table.now(), effects);
        }
    }
}
