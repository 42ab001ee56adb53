//! What filters choose, what is wrong with them, how they are written.

mod errors;
mod properties;

use std::sync::Arc;

use flowner_attribution as attribution;
use flowner_attribution::{
    Match, Process, Reason, Socket, SocketState, Unit, UnitKind, User, Verdict,
};
use flowner_flows::{Direction, Protocol, State};

use super::{Filter, Subject};
use crate::model::flow::FlowRecord;
use crate::model::principal::Principal;
use crate::model::program::Program;
use crate::samples::{address, contained_flow, flow, names, owner, place, translated_flow, user};

/// Filters that choose the subject, then some that do not.
#[track_caller]
fn check(subject: &impl Subject, chosen_by: &[&str], not_by: &[&str]) {
    for (filters, expected) in [(chosen_by, true), (not_by, false)] {
        for text in filters {
            let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{}", error.render()));
            assert_eq!(filter.matches(subject), expected, "{text}");
        }
    }
}

#[test]
fn owners_of_flows() {
    check(
        &flow(0),
        &[
            "program:curl",
            "program:CURL",
            "program:bin/cu",
            "pid:4242",
            "user:ada",
            "user:1000",
            "verdict:process",
            "match:five-tuple",
            "PROGRAM:curl",
            "program:\"curl\"",
        ],
        &[
            "program:wget",
            "pid:424",
            "user:ad",
            "user:100",
            "unit:curl",
            "verdict:shared",
            "match:history",
            "reason:process-exited",
        ],
    );
}

#[test]
fn names_and_places_of_the_other_end() {
    let mut one = flow(0);
    one.names = Some(names("www.example.com"));
    one.place = Some(place("Germany"));
    check(
        &one,
        &[
            "name:example.com",
            "domain:www.example.com",
            "country:DE",
            "country:germany",
            "asn:64496",
            "asn:as64496",
            "network:example",
            "network:93.184.216.0/24",
            "network:93.184.216.34",
        ],
        &[
            "name:ample.com",
            "country:D",
            "country:private",
            "asn:6449",
            "network:other",
            "network:192.168.0.0/16",
        ],
    );
    let mut private = flow(0);
    private.remote = address("10.0.0.9:443");
    check(
        &private,
        &["country:private", "country:PRIVATE"],
        &[
            "country:DE",
            "asn:64496",
            "network:example",
            "country:multicast",
        ],
    );
    // A database of one's own may know private addresses.
    private.place = one.place;
    check(&private, &["country:de"], &["country:private"]);
    let error = Filter::parse("asn:x").unwrap_err().render();
    assert!(error.contains("AS64496"), "{error}");
}

#[test]
fn containers_and_pods() {
    check(
        &contained_flow(0),
        &[
            "container:web",
            "container:9f4f8d5a3c0b",
            "container:nginx",
            "pod:web-0",
            "pod:default/web-0",
            "unit:WEB",
            "unit:9f4f",
        ],
        &[
            "container:curl",
            "pod:nginx",
            "pod:kube-system",
            "unit:nginx",
        ],
    );
    let service = owner(
        Verdict::Partial {
            user: None,
            unit: Some(Unit::new(UnitKind::Service, "web.service")),
        },
        None,
    );
    let flow = flow(0).with_owners(Some(service), None);
    check(&flow, &["unit:web"], &["container:web", "pod:web"]);
}

#[test]
fn ends_before_translation() {
    check(
        &translated_flow(0),
        &[
            "host:172.17.0.0/16",
            "port:40000",
            "host:10.0.0.2",
            "172.17.0.2:40000",
        ],
        &["local:172.17.0.2", "host:172.18.0.0/16", "port:40001"],
    );
}

#[test]
fn ends_of_flows() {
    check(
        &flow(0),
        &[
            "host:10.0.0.2",
            "host:10.0.0.0/8",
            "host:93.184.216.34",
            "local:10.0.0.2",
            "local::45784",
            "local:10.0.0.0/8:45000-46000",
            "remote:93.184.216.34:443",
            "remote::443",
            "port:443",
            "port:45784",
            "port:400-500",
            "10.0.0.0/8",
        ],
        &[
            "host:10.0.0.1",
            "host:::/0",
            "local:93.184.216.34",
            "local::443",
            "remote:10.0.0.2",
            "remote:93.184.216.34:80",
            "port:442",
            "port:0-100",
        ],
    );
}

#[test]
fn properties_of_flows() {
    check(
        &flow(0),
        &[
            "proto:tcp",
            "proto:6",
            "protocol:TCP",
            "service:https",
            "service:HTTPS",
            "state:closed",
            "dir:outgoing",
            "dir:out",
            "direction:OUT",
            "device:eth0",
            "device:ETH0",
            "bytes>631",
            "bytes>=632",
            "bytes=632",
            "bytes<1k",
            "bytes!=1",
            "packets<=9",
            "rate=150",
        ],
        &[
            "proto:udp",
            "service:http",
            "state:established",
            "dir:in",
            "device:eth",
            "bytes>632",
            "bytes<632",
            "bytes!=632",
            "packets<9",
            "rate>1M",
        ],
    );
}

#[test]
fn words_are_searched_for_everywhere() {
    check(
        &flow(0),
        &[
            "curl",
            "/usr/bin",
            "ADA",
            "1000",
            "10.0.0.2:457",
            "216.34:443",
            "443",
            "\"ad\"a",
        ],
        &["wget", "outgoing", "tcp", "444", "ada!"],
    );
}

#[test]
fn logic() {
    check(
        &flow(0),
        &[
            "",
            "  ",
            "curl 443",
            "curl and 443",
            "curl & 443 && ada",
            "wget or curl",
            "wget | curl",
            "!wget",
            "not wget",
            "!!curl",
            "!(wget or fetch)",
            "not(wget)",
            "wget x or curl",
            "(wget or curl) (443 or 80)",
            "curl (!wget)",
            "NOT wget OR wget",
        ],
        &[
            "curl wget",
            "!curl",
            "!(curl or wget)",
            "(wget or curl) 80",
            "wget or curl !curl",
            "!!wget",
        ],
    );
}

#[test]
fn no_term_holds_for_a_property_that_a_flow_lacks() {
    let unasked = flow(0).with_owners(None, None);
    check(
        &unasked,
        &["!verdict:unknown", "!program:curl"],
        &["verdict:unknown", "curl", "user:0"],
    );
    let lossy = FlowRecord {
        tcp: Some(crate::model::flow::TcpFacts {
            sent_again: flowner_flows::Retransmissions::new(2, 10),
            received_again: flowner_flows::Retransmissions::new(1, 10),
            round_trip: Some(flowner_flows::RoundTrip::new(
                std::time::Duration::from_micros(99_900),
                std::time::Duration::ZERO,
                1,
            )),
            is_failed: false,
        }),
        ..flow(0)
    };
    for (text, expected) in [
        ("retransmits=3", true),
        ("retransmits>3", false),
        ("rtt=99", true),
        ("rtt>100", false),
        ("community:1:tnEFGl8SxoV1GV320LBGRdfBPVs=", true),
        ("community:1:LQU9qZlK+B5F3KDmev6m5PMibrg=", false),
    ] {
        assert_eq!(
            Filter::parse(text).unwrap().matches(&lossy),
            expected,
            "{text}"
        );
    }
    // An unknown value is neither large nor small.
    assert!(!Filter::parse("rtt>=0").unwrap().matches(&flow(0)));
    let icmp = FlowRecord {
        protocol: Protocol::ICMP,
        local: address("10.0.0.2:0"),
        remote: address("10.0.0.3:0"),
        service_port: 0,
        state: State::Datagram,
        ..flow(0)
    };
    check(
        &icmp,
        &["proto:icmp", "10.0.0.3", "state:datagram"],
        &[
            "port:0",
            "port:0-65535",
            "remote::0",
            "10.0.0.3:0",
            "10.0.0.3:",
        ],
    );
}

#[test]
fn programs_are_found_by_their_names_for_people() {
    let mut flow = flow(0);
    if let Principal::Program(program) = &flow.principal {
        let transfers = Program {
            name: "Übertragung".to_owned(),
            ..Program::clone(program)
        };
        flow.principal = Principal::Program(Arc::new(transfers));
    }
    check(
        &flow,
        &["program:übertragung", "übertragung", "program:curl", "curl"],
        &["program:wget", "wget"],
    );
}

#[test]
fn both_owners_of_a_loopback_flow_count() {
    let server = Verdict::Shared(vec![
        Arc::new(Process::new(7, "server")),
        Arc::new(Process::new(8, "worker")),
    ]);
    let loopback = FlowRecord {
        direction: Direction::Loopback,
        ..flow(0)
    };
    let server = owner(server, Some(Match::WildcardAddress));
    let client = loopback.owner.clone();
    let loopback = loopback.with_owners(client, Some(server));
    check(
        &loopback,
        &[
            "program:curl",
            "program:server",
            "pid:8",
            "verdict:shared",
            "match:wildcard-address",
        ],
        &["pid:9"],
    );
}

#[test]
fn partial_and_unknown_owners() {
    let with = |verdict| flow(0).with_owners(Some(owner(verdict, None)), None);
    let unit = Unit::new(UnitKind::Service, "sshd.service");
    let partial = with(Verdict::Partial {
        user: Some(user(7, "Bo")),
        unit: Some(unit),
    });
    check(
        &partial,
        &[
            "verdict:partial",
            "user:bo",
            "user:7",
            "unit:sshd",
            "unit:SSHD.service",
            "Bo",
        ],
        &["user:ada", "unit:curl", "program:sshd"],
    );
    check(
        &with(Verdict::Unknown(Reason::Gone)),
        &[
            "verdict:unknown",
            "reason:process-exited",
            // The name of an earlier version.
            "reason:Gone",
            "!verdict:process !verdict:shared",
        ],
        &["reason:not-permitted", "reason:denied", "curl"],
    );
}

#[test]
fn sockets() {
    let listener = {
        let mut socket = Socket::new(
            attribution::Protocol::Tcp,
            address("[::]:22"),
            Verdict::Process(Arc::new(Process::new(1, "sshd"))),
        );
        socket.state = Some(SocketState::Listen);
        socket
    };
    check(
        &listener,
        &[
            "sshd",
            "proto:tcp",
            "state:listen",
            "service:ssh",
            "port:22",
            "host:::",
            "!dir:out",
        ],
        &[
            "dir:out",
            "remote::22",
            "bytes<1",
            "bytes>=0",
            "match:five-tuple",
            "service:dns",
        ],
    );
    let connected = {
        let mut socket = listener;
        socket.local = address("10.0.0.2:41641");
        socket.remote = Some(address("10.0.0.3:443"));
        socket.state = Some(SocketState::TimeWait);
        socket
    };
    check(
        &connected,
        &["service:https", "state:time-wait", "remote:10.0.0.3:443"],
        &["service:tailscale"],
    );
}

#[test]
fn the_text_form_is_canonical() {
    let check = |text: &str, expected: &str| {
        assert_eq!(Filter::parse(text).unwrap().to_string(), expected);
    };
    check("", "");
    check("((a))  and (b c)", "a b c");
    check("(a b) | c", "a b or c");
    check("not(a || b) c", "!(a or b) c");
    check("!!(!a)", "!a");
    check("\"A B\" \"or\" \"x\"\"\"", "\"a b\" \"or\" \"x\"\"\"");
    check("Protocol:UDP dir:in", "proto:udp dir:incoming");
    check("bytes>1Ki host:10.1.2.3/8", "bytes>1024 host:10.0.0.0/8");
    check("remote:[::1]:80-80 fe80::1", "remote:[::1]:80 \"fe80::1\"");
}

#[test]
fn filters_are_joined() {
    let program = Filter::of_program("my \"app\"");
    assert_eq!(program.to_string(), "program:\"my \"\"app\"\"\"");
    let both = program
        .clone()
        .and(Filter::parse("port:1 or port:2").unwrap());
    let text = "program:\"my \"\"app\"\"\" (port:1 or port:2)";
    assert_eq!(both.to_string(), text);
    assert_eq!(both, Filter::parse(text).unwrap());
    assert_eq!(program.clone().and(Filter::default()), program);
    assert_eq!(Filter::default().and(program.clone()), program);
}

/// A person can type the shown form of a name.
#[test]
fn names_are_found_as_they_are_and_as_they_are_shown() {
    let process = {
        let mut process = Process::new(7, "s\u{1b}[mh");
        process.path = Some("/opt/\u{202e}x".into());
        process.user = Some(User::new(7, Some("a\u{200b}b".to_owned())));
        process
    };
    let mut flow = flow(0);
    flow.owner.as_mut().unwrap().verdict = Verdict::Process(Arc::new(process));
    flow.principal = Principal::of(flow.owner.as_ref());
    check(
        &flow,
        &[
            "program:s\u{1b}[mh",
            r"program:s\x1b[mh",
            r#"program:"s\x1b[mh""#,
            r"program:/opt/\u{202e}x",
            r"user:a\u{200b}b",
            r"\x1b[m",
        ],
        &["program:s[mh", "user:ab"],
    );
}
