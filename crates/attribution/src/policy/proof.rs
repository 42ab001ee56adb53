//! What tables prove that do not tell one socket from the next, and what earlier lookups prove of a
//! socket that is gone.

use std::time::SystemTime;

use super::answer::Listed;
use super::freshness::OLD_PROCESS;
use super::history::History;
use super::judge::Waiting;
use super::{Initiator, LookupRequest, PolicyConfig};
use crate::answer::{Match, Ownership, Protocol, Verdict};

impl<K> Waiting<K> {
    /// Whether a list without remote ends, of sockets that are not told apart, shows who had the
    /// flow's socket at its first packet.
    pub(super) fn is_proven(
        &self,
        found: &Ownership,
        listed: &Listed,
        history: &History,
        config: &PolicyConfig,
    ) -> bool {
        let LookupRequest {
            query,
            seen_at,
            initiator,
        } = &self.question;
        let late = listed.finished_at.duration_since(*seen_at);
        let late = late.unwrap_or_default();
        let is_soon = match initiator {
            Initiator::Local | Initiator::Unknown => late <= config.sender_within,
            Initiator::Remote if started_well_before(found, *seen_at) => {
                late <= config.old_receiver_within
            }
            Initiator::Remote => late <= config.receiver_within,
        };
        let is_connection = query.protocol() == Protocol::Tcp;
        if is_connection && *initiator == Initiator::Remote {
            // It came from the listener.
            return is_soon || history.had(query, *seen_at, &found.verdict);
        }
        if is_connection && self.ended {
            // Its socket is in the list no more, but another one's may be.
            return false;
        }
        let is_same = |before: &Ownership| names_the_same(&before.verdict, &found.verdict);
        let is_contradicted =
            *initiator == Initiator::Remote && !self.before.as_ref().is_none_or(is_same);
        (is_soon && !is_contradicted) || history.find(query, *seen_at).as_ref().is_some_and(is_same)
    }

    /// What earlier looks know about a socket that is not there any more.
    pub(super) fn recall(&self, history: &History, contested: Option<Match>) -> Option<Ownership> {
        // Which of two connections an earlier look saw is as open as before.
        if contested.is_some() && self.question.query.protocol() == Protocol::Tcp {
            return None;
        }
        let question = &self.question;
        let query = question.socket_before()?;
        if question.needs_its_connection() {
            return history.find_connection(&query, question.seen_at);
        }
        history.find(&query, question.seen_at)
    }
}

/// Whether all who are named were there well before that time.
fn started_well_before(found: &Ownership, time: SystemTime) -> bool {
    let is_earlier = |started: SystemTime| started + OLD_PROCESS < time;
    let mut named = found.verdict.processes().iter();
    !found.verdict.processes().is_empty()
        && named.all(|process| process.started.is_some_and(is_earlier))
}

/// Whether two answers name the same processes, which execute the same.
fn names_the_same(one: &Verdict, other: &Verdict) -> bool {
    let (one, other) = (one.processes(), other.processes());
    let mut both = one.iter().zip(other);
    !one.is_empty()
        && one.len() == other.len()
        && both.all(|(one, other)| one.is_same_program(other))
}
