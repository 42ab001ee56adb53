//! The writing thread: it has the clock, and never makes the capture thread wait.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use flowner_attribution::{Ownership, Verdict};
use flowner_capture::Statistics;
use flowner_capture::pcapng::{Counters, ProcessFacts};
use flowner_flows::FlowId;

use super::files::Files;
use super::packet::Packet;
use super::recorder::{Captured, Recorder, RecordingStats, Turn};
use crate::engine::{claims, comment};
use crate::model::error::Error;
use crate::model::names::Name;
use crate::model::packet_ref::{PacketEnd, PacketRef, ResolvedOwner};
use crate::model::selection::Selection;

/// The longest time between two flushes.
const FLUSH: Duration = Duration::from_secs(1);
/// The number of flows whose comments are kept. Past that, this forgets all and makes them again.
const MAX_COMMENTS: usize = 10_000;

/// The recording's access to the ledger.
pub(crate) trait LedgerAccess: Send + 'static {
    /// Looks up flows; those that are not listed any more are `None`.
    fn flows(&self, flows: &[Option<PacketRef>], wanted: &Selection) -> Vec<Option<ResolvedOwner>>;
    /// The kernel's counters, if available.
    fn statistics(&self) -> Option<Statistics>;
    /// Ends the input.
    fn stop(&self);
}

/// Writes packets until there are none any more.
pub(crate) struct Job<L> {
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) ledger: L,
    /// The flows whose packets to write.
    pub(crate) wanted: Selection,
    pub(crate) files: Files,
}

/// A monotonic clock, for the wait of packets.
pub(crate) fn now() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// Since the Unix epoch.
pub(crate) fn wall_clock() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

impl<L: LedgerAccess> Job<L> {
    /// Runs until the recorder ends, or the output fails, which ends the input.
    pub(crate) fn run(mut self) -> Result<(), Error> {
        let result = self.write_all();
        if result.is_err() {
            self.recorder.fail();
            self.ledger.stop();
        }
        let (bytes, files, lost) = (self.files.bytes(), self.files.count(), self.files.lost());
        self.recorder.count(|stats| {
            stats.bytes = bytes;
            stats.files = files;
            // They were accepted, but are not in the file.
            stats.written = stats.written.saturating_sub(lost.all);
            stats.named = stats.named.saturating_sub(lost.named);
            stats.failed += lost.all;
        });
        result
    }

    fn write_all(&mut self) -> Result<(), Error> {
        let mut comments = Comments::default();
        let mut flush = None;
        loop {
            match self.recorder.wait(flush, &now) {
                Turn::Check => {
                    if self.write_ripe(&mut comments)? {
                        flush.get_or_insert_with(|| now() + FLUSH);
                    }
                }
                Turn::Flush => {
                    self.files.flush()?;
                    flush = None;
                }
                Turn::End => {
                    let counters = counters(self.ledger.statistics(), self.recorder.stats());
                    return self.files.finish(wall_clock(), &counters);
                }
            }
        }
    }

    /// Writes the packets that need not wait any more. Returns whether there were any.
    fn write_ripe(&mut self, comments: &mut Comments) -> Result<bool, Error> {
        let (flows, answers) = self.recorder.ripe(now());
        let known = self.ledger.flows(&flows, &self.wanted);
        let is_settled: Vec<bool> = known
            .iter()
            .map(|known| known.as_ref().is_none_or(|known| known.is_settled))
            .collect();
        let packets = self.recorder.take(&is_settled, answers, now());
        let mut stats = RecordingStats::default();
        let mut result = Ok(());
        let none = NONE;
        for (packet, known) in packets.iter().zip(known) {
            if result.is_err() {
                stats.failed += 1;
                continue;
            }
            let is_wanted = match &known {
                Some(known) => known.is_wanted,
                None => self.wanted.is_everything(),
            };
            if !is_wanted {
                stats.left_out += 1;
                continue;
            }
            let host = known.as_ref().and_then(|known| known.name.clone());
            let comments = packet
                .flow
                .zip(known)
                .map(|(belonging, known)| comments.of(belonging, known));
            let comments = comments.unwrap_or(&none);
            result = self.write(packet, comments, host.as_ref());
            if result.is_ok() {
                stats.written += 1;
                stats.named += u64::from(comments.names);
            } else {
                stats.failed += 1;
            }
        }
        let (bytes, files) = (self.files.bytes(), self.files.count());
        self.recorder.count(|sum| {
            sum.written += stats.written;
            sum.left_out += stats.left_out;
            sum.failed += stats.failed;
            sum.named += stats.named;
            (sum.bytes, sum.files) = (bytes, files);
        });
        result.map(|()| !packets.is_empty())
    }

    fn write(
        &mut self,
        packet: &Captured,
        comment: &Comment,
        host: Option<&(IpAddr, Name)>,
    ) -> Result<(), Error> {
        let Self {
            files,
            ledger,
            recorder,
            ..
        } = self;
        let packet = Packet {
            time: packet.time,
            wire_len: packet.wire_len,
            origin: packet.origin,
            data: &packet.data,
            comments: &comment.texts,
            process: comment.process.as_ref(),
            names: comment.names,
            host,
        };
        let counters = || counters(ledger.statistics(), recorder.stats());
        files.packet(&packet, wall_clock(), counters)
    }
}

fn counters(statistics: Option<Statistics>, stats: RecordingStats) -> Counters {
    Counters {
        started: None,
        ended: None,
        received: statistics.map(|it| it.received),
        dropped_by_interface: statistics.map(|it| it.dropped_by_interface),
        dropped_by_kernel: statistics.map(|it| it.dropped_by_kernel),
        delivered: Some(stats.written + stats.left_out + stats.too_slow),
    }
}

/// The comments of flows, valid until a flow has another owner.
#[derive(Debug, Default)]
struct Comments {
    of: HashMap<(FlowId, bool), Comment>,
}

#[derive(Debug)]
struct Comment {
    owners: [Option<Ownership>; 2],
    texts: Vec<String>,
    /// The process at the source, or at the destination if the source has none.
    process: Option<ProcessFacts>,
    /// Whether a comment names a process.
    names: bool,
}

const NONE: Comment = Comment {
    owners: [None, None],
    texts: Vec::new(),
    process: None,
    names: false,
};

impl Comments {
    fn of(&mut self, belonging: PacketRef, known: ResolvedOwner) -> &Comment {
        let key = (belonging.flow, belonging.from_initiator);
        if self.of.len() >= MAX_COMMENTS && !self.of.contains_key(&key) {
            self.of.clear();
        }
        let comment = self.of.entry(key).or_insert(NONE);
        let is_known = comment
            .owners
            .iter()
            .zip(&known.owners)
            .all(|(old, new)| old.as_ref() == new.as_ref().map(|new| &new.ownership));
        if !is_known {
            *comment = Comment::new(known);
        }
        comment
    }
}

impl Comment {
    fn new(known: ResolvedOwner) -> Self {
        let ends = [PacketEnd::Source, PacketEnd::Destination];
        let community = known.community.id();
        let known_ends = ends.into_iter().zip(&known.owners);
        let texts = known_ends
            .filter_map(|(end, owner)| Some(comment::write(end, owner.as_ref()?, community)));
        let texts = texts.collect();
        let owners = known.owners.map(|owner| owner.map(|owner| owner.ownership));
        let mut all = owners.iter().flatten();
        // A block has one process; the comment has all that share a socket.
        let process = match all.clone().find(|owner| owner.verdict.is_named()) {
            Some(Ownership {
                verdict: Verdict::Process(process),
                ..
            }) => Some(claims::facts(process)),
            _ => None,
        };
        Self {
            process,
            names: all.any(|owner| owner.verdict.is_named()),
            texts,
            owners,
        }
    }
}
