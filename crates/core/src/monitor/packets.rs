//! Packets on their way from the input to the books: as many at a time as the lock is worth.

use std::time::Duration;

use flowner_capture::{Headers, RawPacket, decode};

use super::Shared;
use crate::config::{Moment, Reading};
use crate::convert;
use crate::guess;
use crate::ledger::Effect;
use crate::program::Owner;
use crate::recording::{Belonging, PacketEnd};
use crate::report::Whose;

/// The name by which frames are counted of devices of a file whose frames cannot be decoded.
const UNKNOWN_LINK_TYPE: &str = "link-type";

/// A packet, as far as it is counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    headers: Result<Headers, &'static str>,
    time: Duration,
    wire_len: u32,
}

impl Seen {
    pub(super) fn new(packet: &RawPacket<'_>) -> Self {
        let headers = match packet.link_type {
            Some(link_type) => decode(link_type, packet.data, packet.wire_len)
                .map_err(flowner_capture::DecodeError::kind),
            None => Err(UNKNOWN_LINK_TYPE),
        };
        Self {
            headers,
            time: packet.time,
            wire_len: packet.wire_len,
        }
    }
}

/// The packets that are counted, by their time.
#[derive(Debug)]
pub(super) struct Range {
    from: Option<Moment>,
    to: Option<Moment>,
    first: Option<Duration>,
}

impl Range {
    pub(super) const fn new(reading: &Reading) -> Self {
        Self {
            from: reading.from,
            to: reading.to,
            first: None,
        }
    }

    pub(super) fn contains(&mut self, time: Duration) -> bool {
        let first = *self.first.get_or_insert(time);
        let time_of = |moment: Moment| moment.since_epoch(first);
        self.from.map(time_of).is_none_or(|from| from <= time)
            && self.to.map(time_of).is_none_or(|to| time <= to)
    }
}

/// Guesses whose packets these are, the first of a file, if that is yet to be guessed.
pub(super) fn guess(shared: &Shared, is_open: &mut bool, seen: &[Seen]) {
    if !std::mem::take(is_open) {
        return;
    }
    let packets = seen.iter().filter_map(|packet| {
        let headers = packet.headers.as_ref().ok()?;
        Some(convert::packet(headers, packet.time))
    });
    let addresses = guess::local_addresses(packets);
    if !addresses.is_empty() {
        let local = addresses.iter().copied().collect();
        shared.ledger().set_local_addresses(local);
        shared.status().whose = Whose::Guessed(addresses);
    }
}

/// Owners that are recorded with packets: the place of the packet, its end, the owner.
pub(super) type Told = Vec<(usize, PacketEnd, Owner)>;

/// Counts packets, and the owners that were recorded with them; where the last one belongs.
pub(super) fn count(
    shared: &Shared,
    seen: &mut Vec<Seen>,
    told: &mut Told,
    effects: &mut Vec<Effect>,
) -> Option<Belonging> {
    let mut ledger = shared.ledger();
    let mut told = told.drain(..).peekable();
    let mut newest = None;
    for (number, packet) in seen.drain(..).enumerate() {
        newest = match &packet.headers {
            Ok(headers) => Some(ledger.packet(&convert::packet(headers, packet.time), effects)),
            Err(kind) => {
                ledger.undecodable(kind, packet.time, packet.wire_len);
                None
            }
        };
        while let Some((_, end, owner)) = told.next_if(|(of, ..)| *of == number) {
            if let Some(belonging) = newest {
                ledger.recorded(belonging, end, owner);
            }
        }
    }
    newest
}
