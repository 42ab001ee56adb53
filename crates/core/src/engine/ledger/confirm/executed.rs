//! Remembers which processes executed programs recently, and cuts their flows there.

use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};

use flowner_attribution::capture::Executed;
use flowner_flows::{Flow, FlowId};

use super::Confirming;
use crate::engine::ledger::{Effect, Ledger, Owners};
use crate::model::principal::Owner;

/// The number of processes to remember: about the default number of process ids.
const MAX: usize = 32_768;

/// By process id, the wall-clock time at which the process last executed a program.
#[derive(Debug, Default)]
pub(super) struct ExecutedPrograms(HashMap<u32, Duration>);

impl ExecutedPrograms {
    /// Adds these. Returns whether it had to forget earlier ones.
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

    /// The last time at which a process of an owner executed a program, if it was after `since`.
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
    /// By end, the last time since the last confirmation at which an owner of a flow executed
    /// another program.
    pub(super) fn executed_at(&self, flow: &Flow<Owners>) -> [Option<Duration>; 2] {
        let Some(confirmation) = flow.data.confirmation.as_deref() else {
            return [None; 2];
        };
        let since = confirmation.sure.last_seen.max(flow.first_seen());
        let ends = [flow.data.local.as_deref(), flow.data.remote.as_deref()];
        ends.map(|owner| self.executed.by_owner(owner?, since))
    }

    /// By end, whether the unconfirmed part of a flow has packets from after its owner executed
    /// another program.
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
    /// Cuts a live flow before the packets that came after its owner executed another program.
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
