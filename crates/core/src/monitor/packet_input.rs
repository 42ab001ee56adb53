//! Passes packets from the input to the ledger, in batches that are worth the lock.

use std::net::IpAddr;
use std::time::Duration;

use flowner_capture::{self as capture, DecodeError, Headers, Next, RawPacket};
use flowner_flows::Packet;
use flowner_names::{Name, NameEvidence};

use super::input::PacketSource;
use crate::engine::broadcasts::Broadcasts;
use crate::engine::convert;
use crate::engine::name_input::NameInput;
use crate::engine::recorded_owners::RecordedOwners;
use crate::model::config::{ReadOptions, TimeBound};
use crate::model::packet_ref::ClaimedEnd;
use crate::model::principal::Owner;

/// Packets to count, in order.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) frames: Vec<Frame>,
    /// Recorded owners: the index of the packet, its end, and the owner.
    pub(super) owners: Vec<(usize, ClaimedEnd, Owner)>,
    /// The number of impossible claims.
    pub(super) refused: u64,
    /// New broadcast addresses of networks.
    pub(super) broadcasts: Vec<IpAddr>,
    /// Names that the file gives addresses: the index of the packet after them, the address, the name.
    pub(super) names: Vec<(usize, IpAddr, Name)>,
    /// Evidence of names, in the order of the packets.
    pub(super) evidence: Vec<NameEvidence>,
    /// The index of the packet of each.
    pub(super) evidence_of: Vec<usize>,
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
        if names.is_some() {
            self.names.extend(recorded_names(packet, place));
        }
        if let (Some(names), Ok(headers)) = (names, &headers) {
            names.read(headers, packet, &mut self.evidence);
            self.evidence_of.resize(self.evidence.len(), place);
        }
        self.frames.push(Frame::new(headers, packet));
        recorded.owners(packet, |end, owner| self.owners.push((place, end, owner)));
        self.refused += recorded.take_refused();
    }

    /// Reads a broadcast address from the newest packet, whose frame is for all hosts of the link.
    fn find_broadcast(&mut self, broadcasts: &mut Broadcasts) {
        if let Some(Frame::Decoded(packet)) = self.frames.last() {
            let found = broadcasts.add(packet.source.ip(), packet.destination.ip());
            self.broadcasts.extend(found);
        }
    }

    /// The decoded packets.
    pub(super) fn packets(&self) -> impl Iterator<Item = &Packet> {
        self.frames.iter().filter_map(|frame| match frame {
            Frame::Decoded(packet) => Some(packet),
            Frame::Undecodable { .. } => None,
        })
    }
}

/// The names that the file gives addresses before a packet. A text that is no name is left out.
fn recorded_names(
    packet: &RawPacket<'_>,
    place: usize,
) -> impl Iterator<Item = (usize, IpAddr, Name)> {
    let names = packet.comments.names().iter();
    names.filter_map(move |(address, name)| {
        Some((place, *address, Name::from_text(name.as_bytes())?))
    })
}

/// The parts of a frame that are counted.
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
                wire_len: packet.device_len(),
            },
        }
    }
}

/// The source of packets, and the selection to count.
pub(super) struct PacketInput {
    pub(super) source: PacketSource,
    range: TimeRange,
    recorded: RecordedOwners,
    /// `None` if names are not wanted.
    names: Option<NameInput>,
    /// Only for a file. For a device, the system knows the broadcast addresses.
    broadcasts: Option<Broadcasts>,
}

impl PacketInput {
    pub(super) fn new(source: PacketSource, reading: &ReadOptions, has_names: bool) -> Self {
        Self {
            names: has_names.then(NameInput::default),
            broadcasts: matches!(source, PacketSource::File(_)).then(Broadcasts::default),
            source,
            range: TimeRange::new(reading),
            recorded: RecordedOwners::default(),
        }
    }

    /// Waits for the next result, at most for `timeout`. Appends a packet and its recorded owners
    /// to the batch, unless its time excludes it. Returns whether it did.
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
            broadcasts,
        } = self;
        let next = source.next_within(timeout)?;
        let is_taken = match &next {
            Next::Packet(packet) if range.contains(packet.time) => {
                batch.push(packet, recorded, names.as_mut());
                if let Some(broadcasts) = broadcasts
                    && packet.is_broadcast()
                {
                    batch.find_broadcast(broadcasts);
                }
                true
            }
            _ => false,
        };
        Ok((next, is_taken))
    }
}

/// The time range of packets to count.
#[derive(Debug)]
struct TimeRange {
    from: Option<TimeBound>,
    to: Option<TimeBound>,
    first: Option<Duration>,
}

impl TimeRange {
    const fn new(reading: &ReadOptions) -> Self {
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
