//! Evidence in words.

use std::time::{Duration, UNIX_EPOCH};

use flowner_attribution::{Evidence, Match, Ownership, Reason, Source, Verdict};

use super::time::duration;
use super::{capitalized, printable, unknown};
use crate::model::totals::Coverage;

/// Who owns the end of a flow, in a sentence.
pub fn verdict_sentence(owner: &Ownership) -> String {
    let mut sentence = of_verdict(&owner.verdict);
    if let Some(from) = &owner.evidence.translated_from {
        let (local, remote) = (from.local, from.remote);
        sentence = format!(
            "{sentence} This host translates the packets (NAT): the socket itself has the ends \
             {local} and {remote}."
        );
    }
    let sentence = printable(&sentence);
    if owner.evidence.source == Source::Recorded {
        return format!("As the file claims, which Flowner cannot check: {sentence}");
    }
    sentence
}

fn of_verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Process(process) => {
            format!("{} (pid {}) holds the socket.", process.name, process.pid)
        }
        Verdict::Shared(processes) => format!(
            "{} processes hold the socket, or sockets that fit equally well. Which of them sent \
             the packets is unknown.",
            processes.len()
        ),
        Verdict::Partial { user, unit } => {
            let unit = unit.as_ref().map(|unit| format!(" in {unit}"));
            let user = user.as_ref().map(|user| format!(" of {user}"));
            format!(
                "A process{}{}. Which one is {}.",
                user.unwrap_or_default(),
                unit.unwrap_or_default(),
                unknown(Reason::Denied)
            )
        }
        Verdict::Unknown(reason) => reason_sentence(*reason),
    }
}

/// Why an owner is unknown, in a sentence, and what the user can do about it.
pub fn reason_sentence(reason: Reason) -> String {
    let sentence = format!("{}: {reason}", capitalized(&unknown(reason)));
    match reason.advice() {
        Some(advice) => format!("{sentence}. To see it, {advice}."),
        None => format!("{sentence}."),
    }
}

/// How the socket was found.
pub const fn matched(matched: Option<Match>) -> &'static str {
    match matched {
        Some(Match::FiveTuple) => "the socket has both addresses and both ports of the flow",
        Some(Match::LocalEndpoint) => "the socket is bound to this local address and port",
        Some(Match::WildcardAddress) => "the socket is bound to this port on all addresses",
        Some(Match::Protocol) => "the socket is for this protocol, and its process ran if it sent",
        Some(Match::PacketSocket) => "a packet socket, whose process ran when the frame was sent",
        Some(Match::History) => "the same socket was there before and after the first packet",
        None => "no socket fits",
    }
}

/// The source of the answer.
pub const fn source(source: Source) -> &'static str {
    match source {
        Source::SockDiag => "the kernel (sock_diag) and /proc",
        Source::Portable => "the system's list of sockets",
        Source::Scripted => "the script of the demo",
        Source::Recorded => "the file, which claims it",
        Source::None => "the flow itself",
        // A socket table of a later version.
        _ => "the system",
    }
}

/// How long before or after the first packet of a flow the owner was observed. `first_seen` is
/// the packet time of that packet.
pub fn observed(evidence: &Evidence, first_seen: Duration) -> String {
    let observed = evidence
        .observed_at
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    beside_first_packet(observed, first_seen)
}

/// The time of an observation, relative to the first packet of a flow; both since the Unix epoch.
pub(super) fn beside_first_packet(observed: Duration, first_seen: Duration) -> String {
    let order = if observed >= first_seen {
        "after"
    } else {
        "before"
    };
    let apart = observed.abs_diff(first_seen);
    let apart = if apart < Duration::from_millis(1) {
        format!("{} µs", apart.as_micros())
    } else {
        duration(apart)
    };
    format!("{apart} {order} the first packet")
}

/// How an owner is known, for the table of coverage.
pub fn coverage(coverage: Coverage) -> String {
    match coverage {
        Coverage::Named => "named".to_owned(),
        Coverage::Partial => "only the user or unit".to_owned(),
        Coverage::Unresolved => super::NOT_LOOKED_UP.to_owned(),
        Coverage::Unknown(reason) => unknown(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::translated_flow;

    #[test]
    fn a_translated_socket_has_ends_of_its_own() {
        let flow = translated_flow(0);
        let sentence = verdict_sentence(flow.owner.as_ref().unwrap());
        assert_eq!(
            sentence,
            "curl (pid 4242) holds the socket. This host translates the packets (NAT): the socket \
             itself has the ends 172.17.0.2:40000 and 93.184.216.34:443."
        );
    }
    use crate::samples;

    #[test]
    fn sentences_begin_with_the_words_of_tables() {
        for reason in Reason::ALL {
            let sentence = reason_sentence(reason);
            let words = capitalized(&unknown(reason));
            assert!(sentence.starts_with(&words), "{sentence}");
            assert!(sentence.ends_with('.'), "{sentence}");
        }
    }

    #[test]
    fn claims_of_a_file_are_told_as_such() {
        let process = Verdict::Process(samples::curl());
        let mut owner = samples::owner(process, None);
        assert_eq!(
            verdict_sentence(&owner),
            "curl (pid 4242) holds the socket."
        );
        owner.evidence.source = Source::Recorded;
        let sentence = verdict_sentence(&owner);
        assert!(sentence.starts_with("As the file claims"), "{sentence}");
    }

    #[test]
    fn every_source_has_words_of_its_own() {
        let words: std::collections::HashSet<_> = Source::ALL.map(source).into();
        assert_eq!(words.len(), Source::ALL.len());
        assert!(!words.contains("the system"), "a source has no words yet");
    }

    #[test]
    fn looks_are_before_or_after_the_first_packet() {
        let owner = samples::owner(Verdict::Unknown(Reason::Gone), None);
        let at = |first_seen| observed(&owner.evidence, first_seen);
        let first = samples::NEW_YEAR.saturating_sub(Duration::from_micros(20));
        assert_eq!(at(first), "20 µs after the first packet");
        let first = samples::NEW_YEAR + Duration::from_secs(3);
        assert_eq!(at(first), "3.0 s before the first packet");
    }
}
