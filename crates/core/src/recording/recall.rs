//! Owners that the comments of a file tell, each read once. Pure.

use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};

use flowner_capture::pcapng::Comments;

use super::comment::{self, PacketEnd};
use crate::program::Owner;

/// Comments that are remembered. Past that, all are forgotten and read again.
const MAX: usize = 4_096;

/// What was read of comments. Those of one flow are all alike, so that it is little.
#[derive(Debug, Default)]
pub(crate) struct Recall {
    known: HashMap<String, Option<(PacketEnd, Owner)>>,
}

impl Recall {
    /// The owners that a packet's comments tell.
    pub(crate) fn owners<'a>(
        &'a mut self,
        comments: Comments<'a>,
        time: Duration,
    ) -> impl Iterator<Item = (PacketEnd, Owner)> + use<'a> {
        comments.iter().filter_map(move |text| {
            if let Some(known) = self.known.get(text) {
                return known.clone();
            }
            let observed_at = UNIX_EPOCH.checked_add(time).unwrap_or(UNIX_EPOCH);
            let told = comment::read(text, observed_at);
            let told = told.map(|(end, ownership)| (end, Owner::from(ownership)));
            if self.known.len() >= MAX {
                self.known.clear();
            }
            self.known.insert(text.to_owned(), told.clone());
            told
        })
    }
}
