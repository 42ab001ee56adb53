//! The owners in a file, each parsed once. Pure.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flowner_attribution::{Evidence, Ownership, Source, Verdict};
use flowner_capture::pcapng::{Comments, ProcessFacts};
use flowner_capture::{PacketOrigin, RawPacket};

use super::claims::{self, Refused, ptcpdump, rustnet};
use super::comment;
use crate::model::packet_ref::{ClaimedEnd, PacketEnd};
use crate::model::principal::Owner;

/// The number of remembered claims of each kind. Past that, this forgets all and parses them again.
const MAX: usize = 4_096;

/// The length in bytes of the longest comment that is remembered: ours are shorter, and others
/// could fill the memory.
const MAX_LENGTH: usize = 8_192;

/// The parsed claims of a file. The claims for one flow are equal until its owner changes, so there
/// are few.
#[derive(Debug, Default)]
pub(crate) struct RecordedOwners {
    ours: HashMap<String, Option<(PacketEnd, Owner)>>,
    /// By the comments of a packet with claims, joined by lines.
    others: HashMap<String, Result<Option<Owner>, Refused>>,
    /// By pid, with the facts of the file at that time.
    by_pid: HashMap<u32, (Option<ProcessFacts>, Owner)>,
    refused: u64,
}

impl RecordedOwners {
    /// The number of impossible claims since the last call.
    pub(crate) fn take_refused(&mut self) -> u64 {
        std::mem::take(&mut self.refused)
    }

    /// Calls `give` with the owners of a packet in the file. Flowner's own comments name the end
    /// that they are about, and take precedence over those of other programs.
    pub(crate) fn owners(
        &mut self,
        packet: &RawPacket<'_>,
        mut give: impl FnMut(ClaimedEnd, Owner),
    ) {
        let mut has_ours = false;
        for text in packet
            .comments
            .iter()
            .filter(|text| comment::is_claim(text))
        {
            has_ours = true;
            match self.of_comment(text, packet.time) {
                Some((end, owner)) => give(ClaimedEnd::Of(end), owner),
                None => self.refused += 1,
            }
        }
        let end = match packet.origin {
            PacketOrigin::Sent => ClaimedEnd::Of(PacketEnd::Source),
            PacketOrigin::Received => ClaimedEnd::Of(PacketEnd::Destination),
            // No process there is an end of the packet.
            PacketOrigin::OtherHost => return,
            _ => ClaimedEnd::OnHost,
        };
        if has_ours {
            return;
        }
        let claimed = match self.of_blocks(packet.comments, packet.time) {
            Ok(None) => self.of_others(packet.comments, packet.time),
            claimed => claimed,
        };
        match claimed {
            Ok(Some(owner)) => give(end, owner),
            Ok(None) => {}
            Err(Refused) => self.refused += 1,
        }
    }

    fn of_comment(&mut self, text: &str, time: Duration) -> Option<(PacketEnd, Owner)> {
        if let Some(known) = self.ours.get(text) {
            return known.clone();
        }
        let parsed = comment::read(text, at(time));
        let parsed = parsed.map(|(end, ownership)| (end, Owner::from(ownership)));
        remember(&mut self.ours, text, &parsed);
        parsed
    }

    fn of_blocks(&mut self, about: Comments<'_>, time: Duration) -> Result<Option<Owner>, Refused> {
        let mut processes = about.processes(time);
        let Some(first) = processes.next() else {
            return Ok(None);
        };
        let is_alone = processes.next().is_none();
        if is_alone
            && let Some((facts, owner)) = self.by_pid.get(&first.pid)
            && facts.as_ref() == first.facts
        {
            return Ok(Some(owner.clone()));
        }
        let owner = claims::of_blocks(about.processes(time))?.map(|it| claimed(it, time));
        if is_alone && let Some(owner) = &owner {
            if self.by_pid.len() >= MAX {
                self.by_pid.clear();
            }
            let known = (first.facts.cloned(), owner.clone());
            self.by_pid.insert(first.pid, known);
        }
        Ok(owner)
    }

    fn of_others(&mut self, about: Comments<'_>, time: Duration) -> Result<Option<Owner>, Refused> {
        let is_claim = |text: &&str| ptcpdump::is_claim(text) || rustnet::is_claim(text);
        let all: Vec<&str> = about.iter().filter(is_claim).collect();
        if all.is_empty() {
            return Ok(None);
        }
        let key = all.join("\n\n");
        if let Some(known) = self.others.get(&key) {
            return known.clone();
        }
        let rustnet = all.iter().find(|text| rustnet::is_claim(text));
        let parsed = rustnet.map_or_else(|| ptcpdump::read(&all), |text| rustnet::read(text));
        let parsed = parsed.map(|it| it.map(|verdict| claimed(verdict, time)));
        remember(&mut self.others, &key, &parsed);
        parsed
    }
}

fn remember<T: Clone>(known: &mut HashMap<String, T>, text: &str, parsed: &T) {
    if text.len() > MAX_LENGTH {
        return;
    }
    if known.len() >= MAX {
        known.clear();
    }
    known.insert(text.to_owned(), parsed.clone());
}

fn claimed(verdict: Verdict, time: Duration) -> Owner {
    let evidence = Evidence::new(None, at(time), Source::Recorded);
    Owner::from(Ownership::new(verdict, evidence))
}

fn at(time: Duration) -> SystemTime {
    UNIX_EPOCH.checked_add(time).unwrap_or(UNIX_EPOCH)
}
