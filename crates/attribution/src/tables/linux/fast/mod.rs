//! A look at one socket that does not keep a capturing thread from its packets.

mod confirm;
mod listeners;
mod worker;

use std::time::{Instant, SystemTime};

use super::netlink::closings::Closings;
use super::sockets;
use crate::answer::{Ownership, SocketQuery};
use crate::observers::linux::sched;
use crate::observers::linux::send_watcher::{SendWatchers, Told};
use crate::policy::{Initiator, LookupRequest};
use crate::tables::fast_lookup::{Closed, Confirmed, FastLookup, FastResult};
use confirm::Confirmer;
pub(crate) use worker::OwnerLookup;

/// The lookup of the capturing thread, with what helps it.
#[derive(Debug)]
pub(crate) struct LinuxFastLookup {
    lookup: OwnerLookup,
    send_watchers: Option<SendWatchers>,
    may_look_out: bool,
    /// Whether the send watchers take real-time priority.
    realtime: bool,
    confirmer: Confirmer,
    closings: Option<Closings>,
}

impl LinuxFastLookup {
    /// Alone, or with [`SendWatchers`] from when it is [prepared](FastLookup::init_thread), where that is
    /// permitted.
    pub(crate) fn new(lookup: OwnerLookup, may_look_out: bool, realtime: bool) -> Self {
        Self {
            lookup,
            send_watchers: None,
            may_look_out,
            realtime,
            confirmer: Confirmer::new(Instant::now()),
            closings: None,
        }
    }

    /// What the others have seen of the sender of a first packet, or are about to.
    fn seen(&mut self, question: &LookupRequest) -> Told {
        let query = &question.query;
        let told = match &self.send_watchers {
            Some(send_watchers) if question.initiator == Initiator::Local => {
                send_watchers.take(query, question.seen_at)
            }
            Some(send_watchers) if question.initiator == Initiator::Remote => {
                send_watchers.note_server(query);
                Told::Seen(None)
            }
            _ => Told::Seen(None),
        };
        match told {
            // They see what this network namespace sends.
            Told::NotYet if self.lookup.is_own(query) != Some(true) => Told::Seen(None),
            told => told,
        }
    }
}

impl FastLookup for LinuxFastLookup {
    fn init_thread(&mut self) {
        sched::take_precedence();
        if self.may_look_out {
            self.send_watchers = SendWatchers::post(self.realtime, || {
                let mut lookup = self.lookup.another()?;
                Some(move |query: &SocketQuery| lookup.first(query))
            });
        }
        if self.lookup.sockets.tells_listeners() {
            let closings = Closings::watch();
            let closings = closings.inspect_err(|error| {
                tracing::debug!(%error, "sockets are closed unseen");
            });
            self.closings = closings.ok();
        }
    }

    fn lookup(&mut self, question: &LookupRequest) -> FastResult {
        match self.seen(question) {
            Told::NotYet | Told::Looking => FastResult::Pending,
            Told::Seen(Some(seen)) if seen.verdict.is_named() => FastResult::Found(seen),
            // Who was just being started may be found by now.
            Told::Seen(seen) => self.lookup.first_of(question).or(seen).into(),
        }
    }

    fn lookup_accepted(&mut self, query: &SocketQuery) -> Option<Ownership> {
        self.lookup.look(query, true, sockets::accepted)
    }

    fn confirm(&mut self, query: &SocketQuery, known: &Ownership, since: SystemTime) -> Confirmed {
        self.confirmer
            .confirm(&mut self.lookup, query, known, since)
    }

    fn closed(&mut self) -> Closed {
        self.closings
            .as_ref()
            .map_or_else(Closed::default, Closings::take)
    }
}
