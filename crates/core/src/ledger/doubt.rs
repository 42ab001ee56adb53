//! Flows whose first packet may be a frame that somebody here made up, with the addresses and
//! ports of another's socket in it.

use flowner_attribution::{Match, Ownership, Reason, Verdict, Waiter};
use flowner_flows::Flow;

use super::{End, Ledger, Owners, unpack};
use crate::program::Party;

impl Ledger {
    /// Writes down that the end of a new flow, which its first packet claims to be from, may not
    /// have sent it.
    pub(crate) fn doubt(&mut self, waiter: Waiter) {
        let (id, end) = unpack(waiter);
        if let Some(flow) = self.table.flow_mut(id) {
            flow.data.is_in_doubt[end as usize] = true;
        }
    }
}

/// Takes back who owns an end that is in doubt, unless its socket is connected to the other end,
/// which is evidence enough.
pub(super) fn take_back(
    flow: &Flow<Owners>,
    end: End,
    ownership: &mut Ownership,
    party: &mut Party,
) {
    let is_guess = ownership.evidence.matched != Some(Match::FiveTuple);
    let is_known = !matches!(ownership.verdict, Verdict::Unknown(_));
    if flow.data.is_in_doubt[end as usize] && is_guess && is_known {
        ownership.verdict = Verdict::Unknown(Reason::PacketSocket);
        ownership.evidence.matched = None;
        *party = Party::Unattributed;
    }
}
