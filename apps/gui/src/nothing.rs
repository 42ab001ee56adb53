//! Why a list has nothing in it, in words.

use flowner_core::{Report, present};

/// Why no flow is listed: a headline and a sentence.
pub(crate) fn no_flows(report: &Report) -> (&'static str, String) {
    let headline = if report.input.is_live {
        "No flows yet"
    } else {
        "No flows"
    };
    let outside = report.packets_of_no_flow();
    let sentence = match (outside, report.input.is_live) {
        (0, true) => "Nothing was captured yet. A flow is listed as soon as one of its packets is \
                      seen."
            .to_owned(),
        (0, false) => "There are no flows in this file.".to_owned(),
        (outside, is_live) => {
            let place = if is_live { "so far" } else { "in this file" };
            let reasons = report.undecodable.iter();
            let reasons: Vec<_> = reasons
                .map(|(reason, it)| {
                    format!("{} {}", present::grouped(it.packets), outside_why(reason))
                })
                .collect();
            let (packets, reasons) = (present::counted(outside, "packet"), reasons.join(", "));
            format!("{packets} {place}, but none of a flow: {reasons}.")
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
