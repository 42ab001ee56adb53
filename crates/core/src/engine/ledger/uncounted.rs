//! Frames and comments of the input that are in no flow.

use std::time::Duration;

use flowner_flows::Counters;

use super::Ledger;

impl Ledger {
    /// Counts comments that claim an impossible owner.
    pub(crate) const fn refuse_claims(&mut self, comments: u64) {
        self.refused_claims += comments;
    }

    /// Counts a frame that could not be decoded, by the name of the reason.
    pub(crate) fn undecodable(&mut self, kind: &'static str, time: Duration, wire_len: u32) {
        self.stretch_span(time);
        *self.undecodable.entry(kind).or_default() += Counters {
            packets: 1,
            bytes: u64::from(wire_len),
            payload_bytes: 0,
        };
    }
}
