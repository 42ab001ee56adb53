//! Packets that came by on another device a moment before.

use std::time::Duration;

use flowner_capture::{Headers, RawPacket};

use super::ends::Ends;

/// Copies follow at once; other packets that may name a host come rarely between them.
const MAX: usize = 8;
/// What comes later was sent again.
const SOON: Duration = Duration::from_millis(100);

/// One packet.
#[derive(Debug, Clone, Copy)]
struct Seen {
    ends: Ends,
    /// What tells it from other packets of its flow.
    content: u64,
    device: u32,
    time: Duration,
}

/// The last packets that were read for names. A packet of a container comes by on several devices,
/// and says the same on each.
#[derive(Debug, Default)]
pub(super) struct Copies {
    last: [Option<Seen>; MAX],
    next: usize,
}

impl Copies {
    /// Whether a packet is a copy of one that came by on another device. If not, it is remembered.
    pub(super) fn has(
        &mut self,
        ends: Ends,
        headers: &Headers,
        packet: &RawPacket<'_>,
        payload: &[u8],
    ) -> bool {
        // Without several devices there are no copies.
        let Some(device) = packet.device else {
            return false;
        };
        let new = Seen {
            ends,
            content: content(headers, payload),
            device,
            time: packet.time,
        };
        let is_copy = |old: &Seen| {
            old.content == new.content
                && old.ends == new.ends
                && old.device != new.device
                && new.time.abs_diff(old.time) <= SOON
        };
        if self.last.iter().flatten().any(is_copy) {
            return true;
        }
        self.last[self.next] = Some(new);
        self.next = (self.next + 1) % MAX;
        false
    }
}

/// The place in the stream, or what a datagram begins and ends with, such as the number of a question;
/// with the length, and who sent it.
fn content(headers: &Headers, payload: &[u8]) -> u64 {
    let word = |bytes: Option<&[u8; 4]>| bytes.map_or(0, |bytes| u32::from_be_bytes(*bytes));
    let place = headers.tcp.map_or_else(
        || word(payload.first_chunk()) ^ word(payload.last_chunk()),
        |tcp| tcp.sequence,
    );
    let sender = headers.ports.map_or(0, |ports| ports.source);
    let len = u64::from(headers.payload_len & 0xffff);
    u64::from(place) << 32 | len << 16 | u64::from(sender)
}
