//! ICMP errors about a flow.

use super::Flow;
use crate::error::FlowError;
use crate::packet::About;

impl<T> Flow<T> {
    /// Whether an end may have sent the packet that an ICMP error is about.
    pub(crate) fn may_have_sent(&self, from_initiator: bool, about: &About) -> bool {
        let (side, errors) = if from_initiator {
            (&self.by_initiator, self.errors[0])
        } else {
            (&self.by_responder, self.errors[1])
        };
        side.counters.packets > u64::from(errors)
            && about
                .sequence
                .is_none_or(|sequence| self.tcp.may_have_sent(from_initiator, sequence))
    }

    /// Records an ICMP error, which counts as sent by the initiator or the responder.
    pub(crate) const fn fail(&mut self, by_initiator: bool, error: FlowError) {
        self.error = Some(error);
        let errors = &mut self.errors[if by_initiator { 0 } else { 1 }];
        *errors = errors.saturating_add(1);
    }
}
