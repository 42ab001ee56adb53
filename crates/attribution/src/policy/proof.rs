//! The evidence of tables that do not identify sockets, and that of earlier lookups about a closed
//! socket.

use std::time::SystemTime;

use super::answer::Listed;
use super::freshness::OLD_PROCESS;
use super::history::History;
use super::judge::Waiting;
use super::{Initiator, LookupRequest, PolicyConfig};
use crate::answer::{Match, Ownership, Protocol, Verdict};

impl<K> Waiting<K> {
    /// Whether a list without remote ends, from a table that does not identify sockets, proves the
    /// owner of the flow's socket at its first packet.
    pub(super) fn is_proven(
        &self,
        found: &Ownership,
        listed: &Listed,
        history: &History,
        config: &PolicyConfig,
    ) -> bool {
        let LookupRequest {
            query,
            packet_time,
            initiator,
        } = &self.question;
        let late = listed.finished_at.duration_since(*packet_time);
        let late = late.unwrap_or_default();
        let is_soon = match initiator {
            Initiator::Local | Initiator::Unknown => late <= config.sender_within,
            Initiator::Remote if started_well_before(found, *packet_time) => {
                late <= config.old_receiver_within
            }
            Initiator::Remote => late <= config.receiver_within,
        };
        let is_connection = query.protocol() == Protocol::Tcp;
        if is_connection && *initiator == Initiator::Remote {
            // The connection came from the listener.
            return is_soon || history.had(query, *packet_time, &found.verdict);
        }
        if is_connection && self.ended {
            // The list does not have its socket any more, but may have that of another connection.
            return false;
        }
        let is_same = |before: &Ownership| names_the_same(&before.verdict, &found.verdict);
        let is_contradicted =
            *initiator == Initiator::Remote && !self.before.as_ref().is_none_or(is_same);
        (is_soon && !is_contradicted)
            || history
                .find(query, *packet_time)
                .as_ref()
                .is_some_and(is_same)
    }

    /// The evidence of earlier snapshots about a socket that has closed.
    pub(super) fn recall(&self, history: &History, contested: Option<Match>) -> Option<Ownership> {
        // A snapshot without remote ends does not show to which of two connections a socket
        // belongs.
        if contested.is_some() && self.question.query.protocol() == Protocol::Tcp {
            return None;
        }
        let question = &self.question;
        let query = question.socket_before()?;
        if question.needs_its_connection() {
            return history.find_connection(&query, question.packet_time);
        }
        history.find(&query, question.packet_time)
    }
}

/// Whether all named processes started well before that time.
fn started_well_before(found: &Ownership, time: SystemTime) -> bool {
    let is_earlier = |started: SystemTime| started + OLD_PROCESS < time;
    let mut named = found.verdict.processes().iter();
    !found.verdict.processes().is_empty()
        && named.all(|process| process.started.is_some_and(is_earlier))
}

/// Whether two answers name the same processes, executing the same programs.
fn names_the_same(one: &Verdict, other: &Verdict) -> bool {
    let (one, other) = (one.processes(), other.processes());
    let mut both = one.iter().zip(other);
    !one.is_empty()
        && one.len() == other.len()
        && both.all(|(one, other)| one.is_same_program(other))
}
