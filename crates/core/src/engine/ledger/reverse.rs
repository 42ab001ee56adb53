//! Reverse lookups: the addresses without a name, and the flows that an answer names.

use std::net::IpAddr;
use std::time::Duration;

use flowner_names::Name;

use super::ended::listed_mut;
use super::{Ledger, naming};

impl Ledger {
    /// Starts to record the flows without a name.
    pub(crate) fn keep_unnamed(&mut self) {
        self.unnamed.get_or_insert_default();
    }

    /// The remote addresses of live flows without a name, newest first, at most so many.
    pub(crate) fn unnamed(&mut self, max: usize) -> Vec<IpAddr> {
        let table = &self.table;
        let is_unnamed = |id| table.flow(id).is_some_and(|flow| !naming::has_name(flow));
        let unnamed = self.unnamed.as_mut();
        unnamed.map_or_else(Vec::new, |unnamed| unnamed.newest(max, is_unnamed))
    }

    /// Gives the name from a reverse lookup to the flows that have none. `now` is packet time.
    pub(crate) fn reverse_answered(&mut self, address: IpAddr, name: Name, now: Duration) {
        let Some(unnamed) = &mut self.unnamed else {
            return;
        };
        let flows = unnamed.take(address);
        self.name_table.observe_reverse(address, name, now);
        for id in flows {
            if let Some((flow, _)) = listed_mut(&mut self.table, &mut self.ended, id) {
                naming::name(flow, &self.name_table);
            }
        }
    }
}
