//! Whom a flow talks to: the names of the remote end, how each is known, and where it is.

use std::time::Duration;

use flowner_core::{FlowNames, FlowRecord, HostName, present};
use iced::Element;

use super::{Message, part};
use crate::shown;
use crate::theme::Colors;
use crate::widget::parts;

/// The part of the pane, if there is anything to say.
pub(super) fn view(flow: &FlowRecord, colors: Colors) -> Option<Element<'_, Message>> {
    let names = flow.names.as_deref();
    let mut facts = names.map_or_else(Vec::new, |names| facts(names, flow.first_seen));
    let range = flow.range().map(|range| range.name().to_owned());
    let places = [
        ("Country", present::country(flow)),
        ("Network", present::network(flow)),
        ("Address range", range),
    ];
    facts.extend(
        places
            .into_iter()
            .filter_map(|(name, it)| Some((name, it?))),
    );
    if facts.is_empty() {
        return None;
    }
    let mut part = part("REMOTE END", colors);
    if let Some(names) = names
        && names.remote.is_none()
        && !names.others.is_empty()
    {
        let why = "Unknown: none of these names is certain for this flow.";
        part = part.push(parts::body(why, colors.warn));
    }
    let facts = facts.into_iter();
    let lines = facts.map(|(name, fact)| parts::fact(name, fact, colors));
    Some(part.extend(lines).into())
}

/// What stands in the part: each name with its evidence below it.
fn facts(names: &FlowNames, first_seen: Duration) -> Vec<(&'static str, String)> {
    let told = |host: &HostName| {
        let evidence = present::name_evidence(host, first_seen);
        let name = shown::line(host.name.as_str());
        format!("{name}\n{}.", present::capitalized(&evidence))
    };
    let mut facts = Vec::new();
    facts.extend(names.remote.iter().map(|host| ("Name", told(host))));
    let other = if names.remote.is_some() {
        "Also"
    } else {
        "Perhaps"
    };
    facts.extend(names.others.iter().map(|host| (other, told(host))));
    if !names.questions.is_empty() {
        let questions = names.questions.iter();
        let mut lines: Vec<_> = questions.map(|name| shown::line(name.as_str())).collect();
        if lines.len() == FlowNames::MAX_QUESTIONS {
            lines.push("and perhaps more".into());
        }
        facts.push(("Asked for", lines.join("\n")));
    }
    facts
}

#[cfg(test)]
mod tests {
    use flowner_core::{AskedBy, Name, NameSource};

    use super::*;

    fn host(name: &str, source: NameSource, asked_by: AskedBy) -> HostName {
        HostName::new(Name::from_text(name.as_bytes()).unwrap(), source, asked_by)
    }

    #[test]
    fn each_name_stands_above_its_evidence() {
        let mut names = FlowNames::default();
        names.others = vec![host("cdn.example", NameSource::Dns, AskedBy::AnotherHost)];
        let shown = |names: &FlowNames| facts(names, Duration::ZERO);
        assert_eq!(
            shown(&names),
            [(
                "Perhaps",
                "cdn.example\nA DNS answer leads to this address; another host asked for it."
                    .into()
            )]
        );
        names.remote = Some(host("www.example.com", NameSource::Tls, AskedBy::Program));
        names.questions = vec![Name::from_text(b"asked.example").unwrap()];
        let shown = shown(&names);
        let told = "www.example.com\nThe client names it in TLS (SNI).";
        assert_eq!(shown[0], ("Name", told.to_owned()));
        assert_eq!(shown[1].0, "Also");
        assert_eq!(shown[2], ("Asked for", "asked.example".to_owned()));
    }
}
