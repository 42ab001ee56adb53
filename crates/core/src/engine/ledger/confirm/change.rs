//! Cuts a flow whose owners have changed.

use std::time::Duration;

use flowner_attribution::{Ownership, Reason, Source};
use flowner_flows::FlowId;

use super::Rivals;
use crate::engine::ledger::uncertain::Uncertain;
use crate::engine::ledger::{Effect, Ledger, Owners, credit, waiters, wall_clock};
use crate::engine::traffic_history::PacketOf;
use crate::model::event::Event;
use crate::model::flow::FlowRecord;
use crate::model::principal::Owner;

impl Ledger {
    /// Assumes that the owners changed, because other sockets had their ports as well until some
    /// time.
    pub(super) fn change_for(
        &mut self,
        id: FlowId,
        newest: Option<PacketOf>,
        rivals: Rivals,
        effects: &mut Vec<Effect>,
    ) {
        if rivals.is_from_start
            && let Some(flow) = self.table.flow_mut(id)
        {
            let first_seen = flow.first_seen();
            if let Some(confirmation) = flow.data.confirmation.as_deref_mut() {
                confirmation.be_unsure_since(first_seen);
            }
        }
        let until = rivals.closed_by.into_iter().flatten().max();
        let changed = rivals.closed_by.map(|at| at.is_some());
        let until = until.unwrap_or_default();
        self.change((id, newest), (changed, true), until, effects);
    }

    /// Ends a flow whose owners have changed with the packets that surely were theirs. The rest has
    /// no owner, until a packet comes that was sent after `until`.
    ///
    /// `is_held_until_then`: the socket was closed, or its process executed another program. Then
    /// the packets until the process was last known to have the socket were its own. Otherwise the
    /// process may have shared the socket before it closed its own descriptor.
    pub(super) fn change(
        &mut self,
        (flow, newest): (FlowId, Option<PacketOf>),
        (changed, is_held_until_then): ([bool; 2], bool),
        until: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let (now, whole) = (self.table.now(), flow);
        let Some(flow) = self.table.flow_mut(whole) else {
            return;
        };
        let Some(confirmation) = flow.data.confirmation.take() else {
            return;
        };
        let (before, last) = (confirmation.before, confirmation.last);
        let tail = if is_held_until_then {
            confirmation.into_unheld_tail(now)
        } else {
            confirmation.into_tail(now)
        };
        let old_credit = flow.data.credit;
        let mut owners = [flow.data.local.clone(), flow.data.remote.clone()];
        let mut ended = std::mem::take(&mut self.just_ended);
        let mut id = whole;
        if let Some(rest) = self.cut_live(id, &tail, &mut ended) {
            id = rest;
        } else if let Some(flow) = self.table.flow_mut(id) {
            // The whole flow is uncertain.
            effects.extend(waiters(flow).map(Effect::End));
        }
        for (owner, changed) in owners.iter_mut().zip(changed) {
            if changed {
                let seen_at = wall_clock(now);
                let nobody = Ownership::unknown(Reason::Changed, seen_at, Source::None);
                *owner = Some(Box::new(Owner::nobody(nobody)));
            }
        }
        if let Some(flow) = self.table.flow_mut(id) {
            let [local, remote] = owners;
            flow.data = Owners {
                local,
                remote,
                uncertain: Some(Box::new(Uncertain::changed(
                    until,
                    newest.map_or(last, |_| before),
                ))),
                naming: std::mem::take(&mut flow.data.naming),
                ..Owners::default()
            };
            let credit = credit(flow, &mut self.chronicle);
            flow.data.credit = credit;
            self.chronicle
                .move_seconds(&tail.seconds, old_credit, credit);
            if self.is_watched && id != whole {
                let record = FlowRecord::new(flow, now, None);
                effects.push(Effect::Tell(Box::new(Event::FlowOpened(record))));
            }
        }
        self.retire(&mut ended, effects);
        self.just_ended = ended;
        if let Some(newest) = newest {
            self.resume(id, newest, effects);
        }
    }
}
