mod properties;

use super::*;
use crate::samples::{Record, announcement, query, response};
use crate::wire::dns;

const HOST: &str = "10.0.0.2";
const OTHER: &str = "10.0.0.3";
const SERVER: &str = "9.9.9.9:53";
/// A server that has several names.
const CDN: &str = "192.0.2.1";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// A table of a host, and what happens there.
struct Host {
    table: NameTable,
    port: u16,
}

impl Host {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let mut table = NameTable::new(limits);
        table.set_own_addresses([ip(HOST)]);
        Self { table, port: 1_024 }
    }

    /// A question and its answer, in a flow of its own, whose number is given back.
    fn resolve(&mut self, client: &str, name: &str, address: &str, life: u32, now: u64) -> u64 {
        self.port = self.port.wrapping_add(1).max(1_024);
        let client = SocketAddr::new(ip(client), self.port);
        let server: SocketAddr = SERVER.parse().unwrap();
        let flow = u64::from(self.port);
        let asked = dns::read(&query(7, name)).unwrap();
        let told = [Record::Address(name, address, life)];
        let answered = dns::read(&response(7, name, &told)).unwrap();
        let now = seconds(now);
        let table = &mut self.table;
        table.observe(&asked, Source::Dns, (client, server), flow, now);
        table.observe(&answered, Source::Dns, (server, client), flow, now);
        flow
    }

    fn names(&self, local: &str, owner: Option<FlowOwner>, began: u64) -> Names {
        let facts = FlowFacts {
            local: ip(local),
            owner,
            began: seconds(began),
            server: None,
        };
        let names = self.table.names_of(ip(CDN), &facts);
        assert_eq!(names, self.table.names_of_all(ip(CDN), &facts));
        names
    }

    /// The name, and who asked.
    fn name(&self, local: &str, owner: Option<FlowOwner>, began: u64) -> Option<(String, AskedBy)> {
        let name = self.names(local, owner, began).name?;
        Some((name.name.to_string(), name.asked_by))
    }
}

fn named(name: &str, asked_by: AskedBy) -> (String, AskedBy) {
    (name.to_owned(), asked_by)
}

#[test]
fn an_answer_names_flows_that_begin_while_it_is_valid() {
    let mut host = Host::new();
    host.resolve(HOST, "a.example", CDN, 30, 100);
    assert_eq!(host.name(HOST, None, 99), None, "before the answer");
    for began in [100, 130, 190] {
        assert_eq!(
            host.name(HOST, None, began),
            Some(named("a.example", AskedBy::Host))
        );
    }
    assert_eq!(host.name(HOST, None, 191), None, "after the grace");
    // As a dual-stack socket has it.
    assert!(host.name("::ffff:10.0.0.2", None, 100).is_some());
    // Through the stub on this host.
    host.resolve("127.0.0.1", "b.example", CDN, 30, 500);
    assert_eq!(
        host.name(HOST, None, 500),
        Some(named("b.example", AskedBy::Host))
    );
}

#[test]
fn what_the_client_said_is_stronger_than_any_answer() {
    let mut host = Host::new();
    host.resolve(HOST, "cdn.example", CDN, 300, 100);
    let server = ServerName {
        name: Name::from_text(b"www.example.com").unwrap(),
        may_be_outer: false,
        is_proxied: false,
    };
    let facts = FlowFacts {
        local: ip(HOST),
        owner: None,
        began: seconds(101),
        server: Some((&server, Source::Tls, seconds(102))),
    };
    let names = host.table.names_of(ip(CDN), &facts);
    let name = names.name.unwrap();
    assert_eq!(
        (name.name.as_str(), name.source),
        ("www.example.com", Source::Tls)
    );
    let others: Vec<_> = names.others.iter().map(said).collect();
    assert_eq!(others, [("cdn.example", Source::Dns, AskedBy::Host)]);
}

fn said(name: &HostName) -> (&str, Source, AskedBy) {
    (name.name.as_str(), name.source, name.asked_by)
}

#[test]
fn each_other_name_has_its_own_evidence() {
    let mut host = Host::new();
    let own = host.resolve(HOST, "a.example", CDN, 300, 100);
    let theirs = host.resolve(HOST, "b.example", CDN, 300, 101);
    host.resolve(OTHER, "c.example", CDN, 300, 102);
    // The same name, asked for by this host before another one did.
    host.resolve(OTHER, "b.example", CDN, 300, 103);
    let owner = FlowOwner::process(1, 10);
    host.table.set_dns_flow_owner(own, owner);
    host.table
        .set_dns_flow_owner(theirs, FlowOwner::process(2, 20));
    let names = host.names(HOST, Some(owner), 104);
    assert_eq!(
        names.name.as_ref().map(said),
        Some(("a.example", Source::Dns, AskedBy::Program))
    );
    let mut others: Vec<_> = names.others.iter().map(said).collect();
    others.sort_unstable_by_key(|it| it.0);
    assert_eq!(
        others,
        [
            ("b.example", Source::Dns, AskedBy::Host),
            ("c.example", Source::Dns, AskedBy::AnotherHost),
        ]
    );
}

/// A process of a program, both by number.
fn process(program: u64, process: u64) -> FlowOwner {
    FlowOwner::process(program, process)
}

#[test]
fn each_program_has_the_name_that_it_asked_for() {
    let mut host = Host::new();
    let first = host.resolve(HOST, "a.example", CDN, 300, 100);
    let second = host.resolve(HOST, "b.example", CDN, 300, 101);
    // Nobody knows yet who asked.
    assert_eq!(host.name(HOST, Some(process(1, 10)), 102), None);
    assert_eq!(host.names(HOST, Some(process(1, 10)), 102).others.len(), 2);
    host.table.set_dns_flow_owner(first, process(1, 10));
    // Who asked for the other one is still unknown: perhaps the same program.
    assert_eq!(host.name(HOST, Some(process(1, 10)), 102), None);
    host.table.set_dns_flow_owner(second, process(2, 20));
    let by_program = |name| Some(named(name, AskedBy::Program));
    for owner in [process(1, 10), process(1, 11), FlowOwner::program(1)] {
        assert_eq!(host.name(HOST, Some(owner), 102), by_program("a.example"));
    }
    assert_eq!(
        host.name(HOST, Some(process(2, 20)), 102),
        by_program("b.example")
    );
    assert_eq!(host.name(HOST, Some(process(3, 30)), 102), None);
    // One process asks for both, and may mean either.
    let third = host.resolve(HOST, "b.example", CDN, 300, 105);
    host.table.set_dns_flow_owner(third, process(1, 10));
    assert_eq!(
        host.name(HOST, Some(process(1, 10)), 104),
        by_program("a.example")
    );
    assert_eq!(host.name(HOST, Some(process(1, 10)), 105), None);
}

#[test]
fn processes_of_one_program_have_what_each_asked_for() {
    let mut host = Host::new();
    let first = host.resolve(HOST, "a.example", CDN, 300, 100);
    let second = host.resolve(HOST, "b.example", CDN, 300, 100);
    host.table.set_dns_flow_owner(first, process(1, 10));
    host.table.set_dns_flow_owner(second, process(1, 11));
    let by_program = |name| Some(named(name, AskedBy::Program));
    assert_eq!(
        host.name(HOST, Some(process(1, 10)), 100),
        by_program("a.example")
    );
    assert_eq!(
        host.name(HOST, Some(process(1, 11)), 100),
        by_program("b.example")
    );
    for owner in [process(1, 12), FlowOwner::program(1)] {
        assert_eq!(host.name(HOST, Some(owner), 100), None, "{owner:?}");
    }
}

#[test]
fn a_stub_asks_for_others() {
    const STUB: &str = "127.0.0.1";
    let mut host = Host::new();
    let mut through_stub = |name, owner| {
        // Nobody knows who asks the server.
        host.resolve(HOST, name, CDN, 300, 100);
        let flow = host.resolve(STUB, name, CDN, 300, 101);
        host.table.set_dns_flow_owner(flow, owner);
    };
    through_stub("a.example", process(1, 10));
    through_stub("b.example", process(1, 11));
    let by_program = |name| Some(named(name, AskedBy::Program));
    for (owner, name) in [(10, "a.example"), (11, "b.example")] {
        let owner = Some(process(1, owner));
        assert_eq!(host.name(HOST, owner, 101), by_program(name));
        // Until the stub has answered.
        assert_eq!(host.name(HOST, owner, 100), None);
    }
    // What came without a stub may be of any of them.
    host.resolve(HOST, "c.example", CDN, 300, 102);
    assert_eq!(host.name(HOST, Some(process(1, 10)), 102), None);
}

#[test]
fn no_weaker_source_names_what_has_several_names() {
    let mut host = Host::new();
    let first = host.resolve(HOST, "a.example", CDN, 30, 100);
    let second = host.resolve(HOST, "b.example", CDN, 30, 100);
    host.table
        .set_hosts(Hosts::parse(b"192.0.2.1 hosts.example other"));
    let reverse = Name::from_text(b"reverse.example").unwrap();
    host.table.observe_reverse(ip(CDN), reverse, seconds(1));
    let others = |names: &Names| {
        let mut others: Vec<String> = names
            .others
            .iter()
            .map(|other| other.name.to_string())
            .collect();
        others.sort();
        others
    };
    let all = ["a.example", "b.example", "hosts.example", "reverse.example"];
    let names = host.names(HOST, None, 100);
    assert_eq!(
        (names.name.as_ref(), &others(&names)[..]),
        (None, &all.map(str::to_owned)[..])
    );
    // Nor if one process asked for both.
    host.table.set_dns_flow_owner(first, process(1, 10));
    host.table.set_dns_flow_owner(second, process(1, 10));
    let names = host.names(HOST, Some(process(1, 10)), 100);
    assert_eq!((names.name.as_ref(), others(&names).len()), (None, 4));
    // When the answers are over, it has the name that the host itself has for it.
    assert_eq!(
        host.name(HOST, None, 191),
        Some(named("hosts.example", AskedBy::None))
    );
    // What another host asked for is no evidence of what this one means.
    host.resolve(OTHER, "theirs.example", CDN, 30, 200);
    host.resolve(OTHER, "others.example", CDN, 30, 200);
    assert_eq!(
        host.name(HOST, None, 200),
        Some(named("hosts.example", AskedBy::None))
    );
}

#[test]
fn multicast_dns_counts_within_its_network_and_domain() {
    let told = |name, life| {
        let told = announcement(&[Record::Address(name, CDN, life)]);
        dns::read(&told).unwrap()
    };
    let put = |host: &mut Host, from: &str, to: &str, message: &dns::Message, now| {
        let ends = (from.parse().unwrap(), to.parse().unwrap());
        host.table
            .observe(message, Source::Mdns, ends, 9, seconds(now));
    };
    let group = "224.0.0.251:5353";
    for (from, to, name) in [
        // From afar, to this host alone, though nobody asked.
        ("198.51.100.1:5353", "10.0.0.2:5353", "printer.local"),
        ("198.51.100.1:5353", "10.0.0.2:40000", "printer.local"),
        // From a port of anybody.
        ("10.0.0.9:40000", group, "printer.local"),
        // A name of others.
        ("10.0.0.9:5353", group, "www.example.com"),
        ("10.0.0.9:5353", group, "notlocal"),
    ] {
        let mut host = Host::new();
        put(&mut host, from, to, &told(name, 120), 100);
        assert_eq!(host.name(HOST, None, 100), None, "{from} {to} {name}");
    }
    let mut host = Host::new();
    put(
        &mut host,
        "[fe80::9]:5353",
        "[ff02::fb]:5353",
        &told("printer.local", 120),
        100,
    );
    let name = host.names(HOST, None, 160).name.unwrap();
    assert_eq!(
        (name.name.as_str(), name.source),
        ("printer.local", Source::Mdns)
    );
    // It says goodbye.
    put(
        &mut host,
        "10.0.0.9:5353",
        group,
        &told("printer.local", 0),
        161,
    );
    assert!(host.name(HOST, None, 162).is_some());
    assert_eq!(host.name(HOST, None, 163), None);
    // This host asks, and one of the group answers it alone (RFC 6762, section 6.7).
    let asked = dns::read(&query(7, "printer.local")).unwrap();
    put(&mut host, "10.0.0.2:40000", group, &asked, 300);
    let records = [Record::Address("printer.local", CDN, 10)];
    let answer = dns::read(&response(7, "printer.local", &records)).unwrap();
    put(&mut host, "10.0.0.9:5353", "10.0.0.2:40000", &answer, 300);
    assert!(host.name(HOST, None, 300).is_some());
}

#[test]
fn what_another_host_asked_for_is_marked_and_never_wins() {
    let mut host = Host::new();
    host.resolve(OTHER, "theirs.example", CDN, 300, 100);
    assert_eq!(
        host.name(HOST, None, 101),
        Some(named("theirs.example", AskedBy::AnotherHost))
    );
    assert_eq!(
        host.name(OTHER, None, 101),
        Some(named("theirs.example", AskedBy::Host))
    );
    host.resolve(HOST, "ours.example", CDN, 300, 102);
    host.resolve(OTHER, "theirs.example", CDN, 300, 103);
    assert_eq!(
        host.name(HOST, None, 104),
        Some(named("ours.example", AskedBy::Host))
    );
    assert_eq!(
        host.name(OTHER, None, 104),
        Some(named("theirs.example", AskedBy::Host))
    );
}

#[test]
fn an_answer_that_nobody_asked_for_says_nothing() {
    let mut host = Host::new();
    let told = [Record::Address("bank.example", CDN, 300)];
    let forged = dns::read(&response(7, "bank.example", &told)).unwrap();
    let server: SocketAddr = SERVER.parse().unwrap();
    let client = SocketAddr::new(ip(HOST), 5_000);
    host.table
        .observe(&forged, Source::Dns, (server, client), 1, seconds(100));
    assert_eq!(host.name(HOST, None, 100), None);
    // Asked for, and answered by somebody else, with another number, or for another name.
    for (from, id, name) in [
        ("198.51.100.1:53", 7, "bank.example"),
        (SERVER, 8, "bank.example"),
        (SERVER, 7, "evil.example"),
    ] {
        let asked = dns::read(&query(7, "bank.example")).unwrap();
        host.table
            .observe(&asked, Source::Dns, (client, server), 1, seconds(100));
        let told = [Record::Address(name, CDN, 300)];
        let forged = dns::read(&response(id, name, &told)).unwrap();
        let from = from.parse().unwrap();
        host.table
            .observe(&forged, Source::Dns, (from, client), 1, seconds(100));
        assert_eq!(host.name(HOST, None, 100), None, "{from} {id} {name}");
    }
    assert_eq!(host.table.statistics().unsolicited, 4);
    // Late, too.
    let told = [Record::Address("bank.example", CDN, 300)];
    let late = dns::read(&response(7, "bank.example", &told)).unwrap();
    host.table
        .observe(&late, Source::Dns, (server, client), 1, seconds(131));
    assert_eq!(host.name(HOST, None, 131), None);
}

#[test]
fn weaker_sources_step_in_by_their_strength() {
    let mut host = Host::new();
    let reverse = Name::from_text(b"reverse.example").unwrap();
    host.table.observe_reverse(ip(CDN), reverse, seconds(1));
    assert_eq!(
        host.name(HOST, None, 100),
        Some(named("reverse.example", AskedBy::None))
    );
    host.resolve(OTHER, "theirs.example", CDN, 300, 100);
    assert_eq!(
        host.name(HOST, None, 100),
        Some(named("theirs.example", AskedBy::AnotherHost))
    );
    host.table
        .set_hosts(Hosts::parse(b"192.0.2.1 Hosts.Example other"));
    assert_eq!(
        host.name(HOST, None, 100),
        Some(named("hosts.example", AskedBy::None))
    );
    let told = announcement(&[Record::Address("printer.local", CDN, 120)]);
    let told = dns::read(&told).unwrap();
    let group = (
        "192.0.2.1:5353".parse().unwrap(),
        "224.0.0.251:5353".parse().unwrap(),
    );
    host.table
        .observe(&told, Source::Mdns, group, 9, seconds(100));
    assert_eq!(
        host.name(HOST, None, 100),
        Some(named("printer.local", AskedBy::Host))
    );
    host.resolve(HOST, "ours.example", CDN, 300, 100);
    assert_eq!(
        host.name(HOST, None, 100),
        Some(named("ours.example", AskedBy::Host))
    );
}

#[test]
fn a_question_to_a_group_is_answered_by_one_of_its_hosts() {
    let mut host = Host::new();
    let client: SocketAddr = "10.0.0.2:5000".parse().unwrap();
    let group: SocketAddr = "224.0.0.252:5355".parse().unwrap();
    let neighbour: SocketAddr = "10.0.0.9:5355".parse().unwrap();
    let asked = dns::read(&query(7, "printer")).unwrap();
    let told = [Record::Address("printer", CDN, 30)];
    let answered = dns::read(&response(7, "printer", &told)).unwrap();
    host.table
        .observe(&asked, Source::Llmnr, (client, group), 1, seconds(1));
    host.table
        .observe(&answered, Source::Llmnr, (neighbour, client), 2, seconds(1));
    assert_eq!(
        host.names(HOST, None, 1).name.unwrap().source,
        Source::Llmnr
    );
}

#[test]
fn an_address_with_more_names_than_there_is_room_for_is_silent() {
    let mut host = Host::with(Limits {
        of_address: 4,
        ..Limits::default()
    });
    host.resolve(HOST, "b.example", CDN, 300, 99);
    for number in 0..10 {
        host.resolve(HOST, "a.example", CDN, 300, 100 + number);
    }
    // All that is left is one name, and there was another one.
    assert_eq!(host.name(HOST, None, 111), None);
    // Once that one would be invalid, too, it is certain again.
    assert_eq!(
        host.name(HOST, None, 460),
        Some(named("a.example", AskedBy::Host))
    );
}

/// Ten million, where that does not take half a minute.
const ANSWERS: u32 = if cfg!(debug_assertions) {
    300_000
} else {
    10_000_000
};

#[test]
fn many_answers_take_bounded_room() {
    let mut host = Host::with(Limits {
        answers: 1_000,
        questions: 100,
        dns_flows: 100,
        reverse: 100,
        ..Limits::default()
    });
    // Without reading as many messages.
    for number in 0..ANSWERS {
        let address = std::net::Ipv4Addr::from(number).into();
        let now = seconds(u64::from(number));
        let answer = Answer {
            name: Name::from_text(b"a.example").unwrap(),
            source: Source::Dns,
            client: Some(ip(HOST)),
            flow: number.into(),
            first_at: now,
            last_at: now,
            valid_until: now + GRACE,
        };
        host.table.answers.put(address, answer);
    }
    let (kept, order) = host.table.answers.sizes();
    assert_eq!(kept, 1_000);
    assert!(order <= 2_100, "{order}");
    for number in 0..1_000 {
        host.resolve(HOST, &format!("n{number}.example"), CDN, 10, 1);
        host.table
            .set_dns_flow_owner(number, FlowOwner::program(number));
        let address = std::net::Ipv4Addr::from(u32::try_from(number).unwrap()).into();
        let name = Name::from_text(b"a.example").unwrap();
        host.table.observe_reverse(address, name, seconds(1));
    }
    assert_eq!(host.table.dns_flows.len(), 100);
    assert_eq!(host.table.reverse.len(), 100);
    assert!(host.table.statistics().names_dropped > 0);
}
