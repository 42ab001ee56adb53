use super::*;

fn of(text: &str) -> Option<Range> {
    Range::of(text.parse().unwrap())
}

/// First and last address, and what stands before and behind them.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn borders() {
    let max = "ffff:ffff:ffff:ffff:ffff:ffff";
    let v6 = |start: &str, rest: usize| format!("{start}{}", ":ffff".repeat(rest));
    for (range, before, first, last, behind) in [
        (
            Range::ThisNetwork,
            None,
            "0.0.0.0",
            "0.255.255.255".to_owned(),
            Some("1.0.0.0"),
        ),
        (
            Range::Private,
            Some("9.255.255.255"),
            "10.0.0.0",
            "10.255.255.255".to_owned(),
            Some("11.0.0.0"),
        ),
        (
            Range::Private,
            Some("172.15.255.255"),
            "172.16.0.0",
            "172.31.255.255".to_owned(),
            Some("172.32.0.0"),
        ),
        (
            Range::Private,
            Some("192.167.255.255"),
            "192.168.0.0",
            "192.168.255.255".to_owned(),
            Some("192.169.0.0"),
        ),
        (
            Range::SharedAddressSpace,
            Some("100.63.255.255"),
            "100.64.0.0",
            "100.127.255.255".to_owned(),
            Some("100.128.0.0"),
        ),
        (
            Range::Loopback,
            Some("126.255.255.255"),
            "127.0.0.0",
            "127.255.255.255".to_owned(),
            Some("128.0.0.0"),
        ),
        (
            Range::LinkLocal,
            Some("169.253.255.255"),
            "169.254.0.0",
            "169.254.255.255".to_owned(),
            Some("169.255.0.0"),
        ),
        (
            Range::Protocols,
            Some("191.255.255.255"),
            "192.0.0.0",
            "192.0.0.255".to_owned(),
            Some("192.0.1.0"),
        ),
        (
            Range::Documentation,
            Some("192.0.1.255"),
            "192.0.2.0",
            "192.0.2.255".to_owned(),
            Some("192.0.3.0"),
        ),
        (
            Range::Documentation,
            Some("198.51.99.255"),
            "198.51.100.0",
            "198.51.100.255".to_owned(),
            Some("198.51.101.0"),
        ),
        (
            Range::Documentation,
            Some("203.0.112.255"),
            "203.0.113.0",
            "203.0.113.255".to_owned(),
            Some("203.0.114.0"),
        ),
        (
            Range::SixToFour,
            Some("192.88.98.255"),
            "192.88.99.0",
            "192.88.99.255".to_owned(),
            Some("192.88.100.0"),
        ),
        (
            Range::Benchmarking,
            Some("198.17.255.255"),
            "198.18.0.0",
            "198.19.255.255".to_owned(),
            Some("198.20.0.0"),
        ),
        (
            Range::Multicast,
            Some("223.255.255.255"),
            "224.0.0.0",
            "239.255.255.255".to_owned(),
            Some("240.0.0.0"),
        ),
        (
            Range::Reserved,
            Some("239.255.255.255"),
            "240.0.0.0",
            "255.255.255.254".to_owned(),
            Some("255.255.255.255"),
        ),
        (
            Range::Broadcast,
            Some("255.255.255.254"),
            "255.255.255.255",
            "255.255.255.255".to_owned(),
            None,
        ),
        (
            Range::Nat64,
            Some("192.0.0.169"),
            "192.0.0.170",
            "192.0.0.171".to_owned(),
            Some("192.0.0.172"),
        ),
        (Range::ThisNetwork, None, "::", "::".to_owned(), Some("::1")),
        (
            Range::Loopback,
            Some("::"),
            "::1",
            "::1".to_owned(),
            Some("::2"),
        ),
        (
            Range::Nat64,
            Some("64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff"),
            "64:ff9b::",
            "64:ff9b::ffff:ffff".to_owned(),
            Some("64:ff9b::1:0:0"),
        ),
        (
            Range::Nat64,
            Some("64:ff9b:0:ffff:ffff:ffff:ffff:ffff"),
            "64:ff9b:1::",
            v6("64:ff9b:1", 5),
            Some("64:ff9b:2::"),
        ),
        (
            Range::Discard,
            Some("ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            "100::",
            "100::ffff:ffff:ffff:ffff".to_owned(),
            Some("100:0:0:1::"),
        ),
        (
            Range::Teredo,
            Some("2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            "2001::",
            v6("2001:0", 6),
            Some("2001:1::"),
        ),
        (
            Range::Protocols,
            Some("2001:0:ffff:ffff:ffff:ffff:ffff:ffff"),
            "2001:1::",
            v6("2001:1ff", 6),
            Some("2001:200::"),
        ),
        (
            Range::Benchmarking,
            Some("2001:1:ffff:ffff:ffff:ffff:ffff:ffff"),
            "2001:2::",
            v6("2001:2:0", 5),
            Some("2001:2:1::"),
        ),
        (
            Range::Documentation,
            Some("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff"),
            "2001:db8::",
            v6("2001:db8", 6),
            Some("2001:db9::"),
        ),
        (
            Range::SixToFour,
            Some("2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            "2002::",
            v6("2002", 7),
            Some("2003::"),
        ),
        (
            Range::Documentation,
            Some("3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            "3fff::",
            v6("3fff:fff", 6),
            Some("3fff:1000::"),
        ),
        (
            Range::UniqueLocal,
            Some("fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            "fc00::",
            v6("fdff", 7),
            Some("fe00::"),
        ),
        (
            Range::LinkLocal,
            Some("fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            "fe80::",
            v6("febf", 7),
            Some("fec0::"),
        ),
        (
            Range::Multicast,
            Some("feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            "ff00::",
            format!("ffff:ffff:{max}"),
            None,
        ),
    ] {
        assert_eq!(of(first), Some(range), "{first}");
        assert_eq!(of(&last), Some(range), "{last}");
        for beside in [before, behind].into_iter().flatten() {
            assert_ne!(of(beside), Some(range), "{beside}");
        }
    }
}

#[test]
fn ordinary_addresses_have_none() {
    for text in [
        "9.9.9.9",
        "192.0.1.1",
        "2620:fe::fe",
        "2001:4860:4860::8888",
    ] {
        assert_eq!(of(text), None, "{text}");
    }
    assert_eq!(of("::ffff:10.1.2.3"), Some(Range::Private));
    assert_eq!(of("::ffff:9.9.9.9"), None);
}

#[test]
fn names_are_different_and_every_range_has_addresses() {
    for (at, range) in Range::ALL.into_iter().enumerate() {
        assert_eq!(range.to_string(), range.name());
        assert!(
            Range::ALL[..at]
                .iter()
                .all(|other| other.name() != range.name())
        );
        let mut prefixes = IPV4.iter().chain(&IPV6);
        assert!(prefixes.any(|(_, _, known)| *known == range), "{range}");
    }
}

#[test]
fn groups() {
    for (text, group) in [
        ("224.0.0.251", Some("mDNS")),
        ("224.0.0.252", Some("LLMNR")),
        ("239.255.255.250", Some("SSDP")),
        ("224.0.0.250", None),
        ("ff02::fb", Some("mDNS")),
        ("ff05::c", Some("SSDP")),
        ("ff02::1:3", Some("LLMNR")),
        ("ff02::1:2", Some("DHCPv6")),
        ("ff05::1:3", Some("DHCPv6")),
        ("ff02::2", Some("all routers")),
        // Given away by nobody, for a while.
        ("ff12::fb", None),
        ("ff02::1:ff00:1", None),
        ("9.9.9.9", None),
    ] {
        let address = text.parse().unwrap();
        assert_eq!(multicast_group(address), group, "{text}");
        assert!(group.is_none() || Range::of(address) == Some(Range::Multicast));
    }
}
