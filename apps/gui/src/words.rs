//! What evidence means, in words.

use std::time::{Duration, UNIX_EPOCH};

use flowner_core::attribution::{Evidence, Match, Ownership, Reason, Source, Verdict};
use flowner_core::text::mask;
use flowner_core::{Coverage, FlowRecord, Report};

use crate::format;

/// Who owns the end of a flow, in a sentence.
pub fn verdict(owner: &Ownership) -> String {
    let sentence = mask(&of_verdict(owner)).into_owned();
    if owner.evidence.source == Source::Recorded {
        return format!("As the file claims, which nobody has checked: {sentence}");
    }
    sentence
}

fn of_verdict(owner: &Ownership) -> String {
    match &owner.verdict {
        Verdict::Process(process) => {
            format!("{} (pid {}) holds the socket.", process.name, process.pid)
        }
        Verdict::Shared(processes) => format!(
            "{} processes hold the socket, or sockets that fit equally well. Which of them it \
             was cannot be told.",
            processes.len()
        ),
        Verdict::Partial { user, unit } => {
            let unit = unit.as_ref().map(|unit| format!(" in {unit}"));
            let user = user.as_ref().map(|user| format!(" of {user}"));
            format!(
                "A process{}{}; which one may not be seen.",
                user.unwrap_or_default(),
                unit.unwrap_or_default()
            )
        }
        Verdict::Unknown(reason) => reason_why(*reason),
    }
}

/// Why no flow is listed: a headline and a sentence.
pub fn no_flows(report: &Report) -> (&'static str, String) {
    let headline = if report.input.is_live {
        "No flows yet"
    } else {
        "No flows"
    };
    let outside = report.packets_of_no_flow();
    let sentence = match (outside, report.input.is_live) {
        (0, true) => "Nothing was captured yet. Flows are listed as soon as a packet of theirs \
                      is seen."
            .to_owned(),
        (0, false) => "There are no flows in this file.".to_owned(),
        (outside, is_live) => {
            let place = if is_live { "so far" } else { "in this file" };
            let reasons = report.undecodable.iter();
            let reasons: Vec<_> = reasons
                .map(|(reason, it)| {
                    format!("{} {}", format::count(it.packets), outside_why(reason))
                })
                .collect();
            let (packets, reasons) = (format::counted(outside, "packet"), reasons.join(", "));
            format!("{packets} {place}, but none that makes a flow: {reasons}.")
        }
    };
    (headline, sentence)
}

/// Why packets are in no flow, after how many they are.
fn outside_why(reason: &str) -> &str {
    match reason {
        "not-ip" => "not IP (ARP, for instance)",
        "cut-short" => "captured too short to tell",
        other => other,
    }
}

/// Why nobody is named, and what can be done.
pub fn reason_why(reason: Reason) -> String {
    let sentence = capitalized(&reason.to_string());
    match reason.advice() {
        Some(advice) => format!("{sentence}. To see it, {advice}."),
        None => format!("{sentence}."),
    }
}

/// How the socket was found, in a sentence.
pub const fn matched(matched: Option<Match>) -> &'static str {
    match matched {
        Some(Match::FiveTuple) => {
            "By the whole connection: protocol, both addresses and both ports are those of the socket."
        }
        Some(Match::LocalEndpoint) => {
            "By the local address and port, to which the socket is bound."
        }
        Some(Match::WildcardAddress) => {
            "By the local port: the socket is bound to it on all addresses."
        }
        Some(Match::History) => {
            "By an earlier look: the socket was there before and after the first packet."
        }
        None => "No socket fits.",
    }
}

/// Which source told.
pub const fn source(source: Source) -> &'static str {
    match source {
        Source::SockDiag => "the kernel (sock_diag) and /proc",
        Source::Portable => "the system's list of sockets",
        Source::Scripted => "the script of the demo",
        Source::Recorded => "the file, which claims it",
        Source::None => "the flow itself",
        _ => "the system",
    }
}

/// How long before or after the first packet somebody looked.
pub fn looked(evidence: &Evidence, flow: &FlowRecord) -> String {
    let observed = evidence
        .observed_at
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let order = if observed >= flow.first_seen {
        "after"
    } else {
        "before"
    };
    let apart = observed.abs_diff(flow.first_seen);
    let apart = if apart < Duration::from_millis(1) {
        format!("{} µs", apart.as_micros())
    } else {
        format::span(apart)
    };
    format!("{apart} {order} the first packet")
}

/// How an owner is known, for the coverage.
pub fn coverage(coverage: Coverage) -> &'static str {
    match coverage {
        Coverage::Named => "Named",
        Coverage::Partial => "User or unit only",
        Coverage::NotAsked => "Not looked for",
        Coverage::Unknown(reason) => reason.title(),
    }
}

/// With a capital letter.
pub fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(characters).collect()
    })
}
