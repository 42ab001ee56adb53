//! Names of remote ends, in words.

use std::borrow::Cow;
use std::time::Duration;

use flowner_names::registrable_domain;

use super::evidence::beside_first_packet;
use crate::model::names::{AskedBy, HostName, NameSource};

/// Where a name comes from, as the rest of a sentence about it.
pub const fn name_source(source: NameSource) -> &'static str {
    match source {
        NameSource::Tls => "the client names it in TLS (SNI)",
        NameSource::Quic => "the client names it in QUIC (SNI)",
        NameSource::Http => "the client names it in HTTP (Host)",
        NameSource::Proxy => "the client asks this proxy for it",
        NameSource::Dns => "a DNS answer leads to this address",
        NameSource::Mdns => "the host itself says so by multicast DNS",
        NameSource::Llmnr => "an LLMNR answer leads to this address",
        NameSource::Hosts => "the hosts file of this host says so",
        NameSource::Recorded => "the file says so, which Flowner cannot check",
        NameSource::Reverse => "a reverse lookup of the address says so",
        // A source of a later version.
        _ => "the evidence is of a kind that this version does not know",
    }
}

/// Who asked for a name, where that is not evident.
const fn asked_by(name: &HostName) -> Option<&'static str> {
    match (name.source, name.asked_by) {
        (_, AskedBy::AnotherHost) => Some("another host asked for it"),
        (NameSource::Dns | NameSource::Llmnr, AskedBy::Program) => {
            Some("this program asked for it")
        }
        (NameSource::Dns | NameSource::Llmnr, AskedBy::Host) => {
            Some("this host asked for it, perhaps for another program")
        }
        _ => None,
    }
}

/// The evidence of a name: its source, the time of the observation relative to the first packet of the
/// flow, who asked for it, and whether it may not be the true one. `first_seen` is the packet time of
/// the first packet.
pub fn name_evidence(name: &HostName, first_seen: Duration) -> String {
    let mut words = name_source(name.source).to_owned();
    if let Some(at) = name.observed_at {
        words = format!("{words}, {}", beside_first_packet(at, first_seen));
    }
    if let Some(who) = asked_by(name) {
        words = format!("{words}; {who}");
    }
    if name.may_be_outer {
        words.push_str("; the true name may be encrypted (ECH)");
    }
    words
}

/// Whether a list marks a name as less certain than others: another host asked for it, only the owner of
/// the address says so, or the true name may be encrypted.
pub fn is_weak_name(name: &HostName) -> bool {
    let is_weak = matches!(name.source, NameSource::Reverse | NameSource::Recorded);
    name.asked_by == AskedBy::AnotherHost || is_weak || name.may_be_outer
}

/// A name with an ellipsis for a part of its middle, where there is no room for all of it: so much of its
/// end stays that the registered domain can be read, if that fits at all. `width` is that of a character,
/// in the unit of `room`.
pub fn shortened_name(name: &str, room: f32, width: impl Fn(char) -> f32) -> Cow<'_, str> {
    const ELLIPSIS: char = '…';
    /// The part of the room that the end has, if the domain needs no more.
    const END: f32 = 0.65;
    let wide = |text: &str| text.chars().map(&width).sum::<f32>();
    // Sums of fractions are never exact.
    if wide(name) <= room + 0.5 {
        return Cow::Borrowed(name);
    }
    let room = (room - width(ELLIPSIS)).max(0.0);
    let domain = registrable_domain(name).map_or(0.0, wide);
    let share = domain.max(room * END).min(room);
    let end = from_end(name, share, &width);
    let left = room - wide(end);
    let rest = &name[..name.len() - end.len()];
    let begin = from_begin(rest, left, &width);
    Cow::Owned(format!("{begin}{ELLIPSIS}{end}"))
}

fn from_begin<'a>(text: &'a str, room: f32, width: &impl Fn(char) -> f32) -> &'a str {
    let mut used = 0.0;
    let fits = |(_, c): &(usize, char)| {
        used += width(*c);
        used <= room
    };
    let end = text.char_indices().take_while(fits).last();
    end.map_or("", |(place, c)| &text[..place + c.len_utf8()])
}

fn from_end<'a>(text: &'a str, room: f32, width: &impl Fn(char) -> f32) -> &'a str {
    let mut used = 0.0;
    let fits = |(_, c): &(usize, char)| {
        used += width(*c);
        used <= room
    };
    let begin = text.char_indices().rev().take_while(fits).last();
    begin.map_or("", |(place, _)| &text[place..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::names::Name;

    fn name(source: NameSource, asked_by: AskedBy) -> HostName {
        HostName::new(
            Name::from_text(b"www.example.com").unwrap(),
            source,
            asked_by,
        )
    }

    #[test]
    fn every_source_has_words_of_its_own() {
        let words: std::collections::HashSet<_> = NameSource::ALL.map(name_source).into();
        assert_eq!(words.len(), NameSource::ALL.len());
        assert!(words.iter().all(|words| !words.contains("this version")));
    }

    #[test]
    fn evidence_says_where_from_when_and_who_asked() {
        let first = Duration::from_secs(100);
        let mut tls = name(NameSource::Tls, AskedBy::Program);
        tls.observed_at = Some(first + Duration::from_millis(15));
        assert_eq!(
            name_evidence(&tls, first),
            "the client names it in TLS (SNI), 15 ms after the first packet"
        );
        tls.may_be_outer = true;
        assert!(name_evidence(&tls, first).ends_with("; the true name may be encrypted (ECH)"));
        let mut dns = name(NameSource::Dns, AskedBy::AnotherHost);
        dns.observed_at = Some(Duration::from_secs(98));
        assert_eq!(
            name_evidence(&dns, first),
            "a DNS answer leads to this address, 2.0 s before the first packet; another host asked \
             for it"
        );
        let hosts = name(NameSource::Hosts, AskedBy::None);
        assert_eq!(
            name_evidence(&hosts, first),
            "the hosts file of this host says so"
        );
        // Nobody asks a host of the local network for what it announces.
        let mdns = name(NameSource::Mdns, AskedBy::Host);
        assert!(!name_evidence(&mdns, first).contains("asked"));
    }

    #[test]
    fn what_others_say_is_weak() {
        assert!(is_weak_name(&name(NameSource::Dns, AskedBy::AnotherHost)));
        assert!(is_weak_name(&name(NameSource::Reverse, AskedBy::None)));
        assert!(!is_weak_name(&name(NameSource::Dns, AskedBy::Host)));
        assert!(!is_weak_name(&name(NameSource::Tls, AskedBy::Program)));
    }

    #[track_caller]
    fn check(name: &str, room: u8, expected: &str) {
        assert_eq!(shortened_name(name, f32::from(room), |_| 1.0), expected);
    }

    #[test]
    fn the_domain_stays_readable() {
        let name = "edge-star-mini-shv-01-fra3.cdn.example.co.uk";
        check(name, 60, name);
        check(name, 24, "edge-star….example.co.uk");
        check(name, 15, "e…example.co.uk");
        check("www.example.com", 15, "www.example.com");
        check("www.example.com", 13, "w…example.com");
        check("", 0, "");
        check("abc", 1, "…");
    }

    proptest! {
        #[test]
        fn it_fits_and_has_both_ends(name in r"[a-zé0-9.\\-]{0,80}", room in 2..60_u8) {
            let shown = shortened_name(&name, f32::from(room), |_| 1.0);
            prop_assert!(shown.chars().count() <= usize::from(room));
            if let Some((begin, end)) = shown.split_once('…') {
                prop_assert!(name.starts_with(begin) && name.ends_with(end));
                prop_assert!(begin.len() + end.len() < name.len());
            } else {
                prop_assert_eq!(&*shown, &*name);
            }
        }
    }
}
