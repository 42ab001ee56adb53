//! Owners that the comments of a file tell, each read once. Pure.

use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};

use flowner_capture::pcapng::Comments;

use super::comment;
use crate::model::packet_ref::PacketEnd;
use crate::model::principal::Owner;

/// Comments that are remembered. Past that, all are forgotten and read again.
const MAX: usize = 4_096;

/// The longest comment that is remembered, in bytes: ours are shorter, and others could fill
/// the memory.
const MAX_LENGTH: usize = 8_192;

/// What was read of comments. Those of one flow are alike until its owner changes, so that it is
/// little.
#[derive(Debug, Default)]
pub(crate) struct RecordedOwners {
    known: HashMap<String, Option<(PacketEnd, Owner)>>,
    refused: u64,
}

impl RecordedOwners {
    /// Comments since this was asked last that claim an owner who cannot be.
    pub(crate) fn take_refused(&mut self) -> u64 {
        std::mem::take(&mut self.refused)
    }

    /// The owners that a packet's comments tell.
    pub(crate) fn owners<'a>(
        &'a mut self,
        comments: Comments<'a>,
        time: Duration,
    ) -> impl Iterator<Item = (PacketEnd, Owner)> + use<'a> {
        comments.iter().filter_map(move |text| {
            let told = self.read(text, time);
            if told.is_none() && comment::is_claim(text) {
                self.refused += 1;
            }
            told
        })
    }

    fn read(&mut self, text: &str, time: Duration) -> Option<(PacketEnd, Owner)> {
        if let Some(known) = self.known.get(text) {
            return known.clone();
        }
        let observed_at = UNIX_EPOCH.checked_add(time).unwrap_or(UNIX_EPOCH);
        let told = comment::read(text, observed_at);
        let told = told.map(|(end, ownership)| (end, Owner::from(ownership)));
        if text.len() <= MAX_LENGTH {
            if self.known.len() >= MAX {
                self.known.clear();
            }
            self.known.insert(text.to_owned(), told.clone());
        }
        told
    }
}
