//! The counters of a part of a flow, by second.

use crate::engine::traffic_history::{PacketOf, Second};

/// The number of seconds to remember between confirmations. What was counted before them keeps its
/// credit.
const MAX_SECONDS: usize = 128;

pub(in crate::engine::ledger) fn count_by_second(seconds: &mut Vec<Second>, packet: PacketOf) {
    match seconds.last_mut() {
        Some(last) if last.is_at(packet.time.as_secs()) => last.add(packet),
        _ => {
            if seconds.len() >= MAX_SECONDS {
                seconds.remove(0);
            }
            seconds.push(Second::of(packet));
        }
    }
}
