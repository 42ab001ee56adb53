//! Packets on their way from the input to the ledger: as many at a time as the lock is worth.

use std::time::Duration;

use flowner_capture::{self as capture, DecodeError, Headers, Next, RawPacket};
use flowner_flows::Packet;
use flowner_names::Evidence;

use super::input::PacketSource;
use crate::engine::convert;
use crate::engine::name_input::NameInput;
use crate::engine::recorded_owners::RecordedOwners;
use crate::model::config::{Reading, TimeBound};
use crate::model::packet_ref::ClaimedEnd;
use crate::model::principal::Owner;

/// Packets that are to be counted, in their order.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) frames: Vec<Frame>,
    /// Owners that are recorded with them: the place of the packet, its end, the owner.
    pub(super) owners: Vec<(usize, ClaimedEnd, Owner)>,
    /// Claims of an owner who cannot be.
    pub(super) refused: u64,
    /// What packets say of names: the place of the packet, and what it says.
    pub(super) evidence: Vec<(usize, Evidence)>,
}

impl Batch {
    pub(super) const fn len(&self) -> usize {
        self.frames.len()
    }

    fn push(
        &mut self,
        packet: &RawPacket<'_>,
        recorded: &mut RecordedOwners,
        names: Option<&mut NameInput>,
    ) {
        let place = self.frames.len();
        let headers = packet.headers();
        if let (Some(names), Ok(headers)) = (names, &headers) {
            let mut found = Vec::new();
            names.read(headers, packet, &mut found);
            self.evidence
                .extend(found.into_iter().map(|one| (place, one)));
        }
        self.frames.push(Frame::new(headers, packet));
        recorded.owners(packet, |end, owner| self.owners.push((place, end, owner)));
        self.refused += recorded.take_refused();
    }

    /// Those that were decoded.
    pub(super) fn packets(&self) -> impl Iterator<Item = &Packet> {
        self.frames.iter().filter_map(|frame| match frame {
            Frame::Decoded(packet) => Some(packet),
            Frame::Undecodable { .. } => None,
        })
    }
}

/// A frame, as far as it is counted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Frame {
    Decoded(Packet),
    Undecodable {
        kind: &'static str,
        time: Duration,
        wire_len: u32,
    },
}

impl Frame {
    fn new(headers: Result<Headers, DecodeError>, packet: &RawPacket<'_>) -> Self {
        match headers {
            Ok(headers) => Self::Decoded(convert::packet(&headers, packet)),
            Err(error) => Self::Undecodable {
                kind: error.kind(),
                time: packet.time,
                wire_len: packet.wire_len,
            },
        }
    }
}

/// Where packets come from, and which of them are counted.
pub(super) struct PacketInput {
    pub(super) source: PacketSource,
    range: TimeRange,
    recorded: RecordedOwners,
    /// `None` where nobody wants names.
    names: Option<NameInput>,
}

impl PacketInput {
    pub(super) fn new(source: PacketSource, reading: &Reading, has_names: bool) -> Self {
        Self {
            names: has_names.then(NameInput::default),
            source,
            range: TimeRange::new(reading),
            recorded: RecordedOwners::default(),
        }
    }

    /// Waits for what comes next, at most for `timeout`. A packet is appended to the batch, and the
    /// owners that are recorded with it, unless it is left out for its time; whether it is not.
    pub(super) fn next_within(
        &mut self,
        timeout: Duration,
        batch: &mut Batch,
    ) -> Result<(Next<'_>, bool), capture::Error> {
        let Self {
            source,
            range,
            recorded,
            names,
        } = self;
        let next = source.next_within(timeout)?;
        let is_taken = match &next {
            Next::Packet(packet) if range.contains(packet.time) => {
                batch.push(packet, recorded, names.as_mut());
                true
            }
            _ => false,
        };
        Ok((next, is_taken))
    }
}

/// The packets that are counted, by their time.
#[derive(Debug)]
struct TimeRange {
    from: Option<TimeBound>,
    to: Option<TimeBound>,
    first: Option<Duration>,
}

impl TimeRange {
    const fn new(reading: &Reading) -> Self {
        Self {
            from: reading.from,
            to: reading.to,
            first: None,
        }
    }

    fn contains(&mut self, time: Duration) -> bool {
        let first = *self.first.get_or_insert(time);
        let time_of = |moment: TimeBound| moment.since_epoch(first);
        self.from.map(time_of).is_none_or(|from| from <= time)
            && self.to.map(time_of).is_none_or(|to| time <= to)
    }
}
