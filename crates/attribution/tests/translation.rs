//! Packets that this host translates for others, with the ports of its own sockets.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]

mod behind;
mod helper;
mod patience;

use std::time::SystemTime;

use behind::{Behind, conntrack, is_run_elsewhere, nft};
use flowner_attribution::capture::{Confirmed, FastLookup};
use flowner_attribution::snapshot::linux::LinuxTable;
use flowner_attribution::snapshot::portable::PortableTable;
use flowner_attribution::{
    Initiator, LookupRequest, Ownership, Protocol, Reason, SocketQuery, SocketTable,
    TranslatedFrom, Verdict,
};
use helper::Helper;

struct Tables {
    table: LinuxTable,
    portable: PortableTable,
    fast_lookup: Box<dyn FastLookup>,
}

impl Tables {
    fn find(&mut self, protocol: Protocol, local: &str, remote: &str) -> Ownership {
        let (local, remote) = (local.parse().unwrap(), remote.parse().unwrap());
        let query = SocketQuery::new(protocol, local, Some(remote));
        let answer = self.table.find(&query).unwrap();
        let question = LookupRequest::new(query, SystemTime::now(), Initiator::Unknown);
        if let Some(fast) = self.fast_lookup.lookup(&question).ownership() {
            assert_eq!(fast.verdict, answer.verdict, "{query}");
        }
        let listed = self.table.snapshot_all_namespaces().unwrap();
        let listed = listed.find(&query);
        assert_eq!(listed.verdict, answer.verdict, "{query}");
        let from = |answer: &Ownership| answer.evidence.translated_from.clone();
        assert_eq!(from(&listed), from(&answer), "{query}");
        // A snapshot without other namespaces names no owner in another one.
        let own = self.table.snapshot().unwrap().find(&query);
        if answer.evidence.namespace.is_some() {
            let reason = own.verdict.reason();
            let expected = [Some(Reason::Translated), Some(Reason::OtherNamespace)];
            assert!(expected.contains(&reason), "{query}: {own:?}");
        }
        // The portable table may know less, and then names no owner.
        let portable = self.portable.find(&query).unwrap().verdict;
        if portable.is_named() {
            assert_eq!(pids(&portable), pids(&answer.verdict), "{query}");
        }
        answer
    }

    fn confirm(&mut self, known: &Ownership, local: &str, remote: &str) -> Confirmed {
        let query = SocketQuery::udp(local.parse().unwrap(), remote.parse().unwrap());
        patience::confirmed(&mut *self.fast_lookup, &query, known)
    }
}

fn tables() -> Tables {
    let mut table = LinuxTable::new().unwrap();
    let fast_lookup = table.fast_lookup().unwrap();
    Tables {
        table,
        portable: PortableTable::new().unwrap(),
        fast_lookup,
    }
}

fn pids(verdict: &Verdict) -> Vec<u32> {
    let processes = verdict.processes().iter();
    processes.map(|process| process.pid).collect()
}

const TRANSLATED: Verdict = Verdict::Unknown(Reason::Translated);
const HERE: &str = "10.97.0.1:5000";
const FAR: &str = "10.97.0.2:9000";

#[track_caller]
fn check(answer: &Ownership, pid: u32) {
    assert_eq!(pids(&answer.verdict), [pid], "{answer:?}");
    assert_eq!(answer.evidence.translated_from, None, "{answer:?}");
}

/// Checks that the answer names the process of a helper, by the original ends of its socket.
#[track_caller]
fn check_from(answer: &Ownership, pid: u32, local: &str, remote: &str) {
    assert_eq!(pids(&answer.verdict), [pid], "{answer:?}");
    let from = TranslatedFrom::new(local.parse().unwrap(), remote.parse().unwrap());
    assert_eq!(
        answer.evidence.translated_from.as_deref(),
        Some(&from),
        "{answer:?}"
    );
}

#[test]
fn the_owner_of_the_port_of_translated_packets_is_not_named() {
    const TEST: &str = "the_owner_of_the_port_of_translated_packets_is_not_named";
    if is_run_elsewhere(TEST, &["nft"]) {
        return;
    }
    let behind = Behind::new();
    let mut host = Helper::new(&["udp 0.0.0.0:5000 broadcast"]);
    let others = Helper::new(&["udp 10.97.0.1:7070 broadcast", "tcp 0.0.0.0:8080 listen"]);
    let mut tables = tables();
    let far = "10.97.0.2:9000";
    // The host translates nothing yet.
    check(
        &tables.find(Protocol::Udp, "10.97.0.1:5000", far),
        host.pid(),
    );
    check(
        &tables.find(Protocol::Tcp, "10.97.0.1:8080", far),
        others.pid(),
    );

    let mut world = behind.helper(
        1,
        &["tcp 10.97.0.2:9000 listen", "udp 10.97.0.2:9000 broadcast"],
    );
    let mut container = behind.helper(0, &["udp 10.98.0.2:5000 broadcast"]);
    container.tell(&format!("send {far}"));
    let answer = tables.find(Protocol::Udp, "10.97.0.1:5000", far);
    check_from(&answer, container.pid(), "10.98.0.2:5000", far);
    // A connection from the port on which the host listens.
    let connection = behind.helper(0, &[&format!("tcp 10.98.0.2:8080 to={far}")]);
    let answer = tables.find(Protocol::Tcp, "10.97.0.1:8080", far);
    check_from(&answer, connection.pid(), "10.98.0.2:8080", far);
    // A packet to a port that leads to the container.
    let mut client = behind.helper(1, &["udp 10.97.0.2:9001 broadcast"]);
    client.tell("send 10.97.0.1:7070");
    let answer = tables.find(Protocol::Udp, "10.97.0.1:7070", "10.97.0.2:9001");
    // No socket in there has that port.
    assert_eq!(answer.verdict, Verdict::Unknown(Reason::NotFound));
    let from = answer.evidence.translated_from.unwrap();
    assert_eq!(from.to_string(), "10.98.0.2:7071 -> 10.97.0.2:9001");
    let server = behind.helper(0, &["udp 10.98.0.2:7071 broadcast"]);
    let answer = tables.find(Protocol::Udp, "10.97.0.1:7070", "10.97.0.2:9001");
    check_from(&answer, server.pid(), "10.98.0.2:7071", "10.97.0.2:9001");

    // Packets of the host belong to its own socket, even from the same port.
    host.tell("send 10.97.0.2:9002");
    check(
        &tables.find(Protocol::Udp, "10.97.0.1:5000", "10.97.0.2:9002"),
        host.pid(),
    );
    // So do packets without an entry in conntrack.
    check(
        &tables.find(Protocol::Udp, "10.97.0.1:5000", "10.97.0.2:9003"),
        host.pid(),
    );
    check(
        &tables.find(Protocol::Tcp, "10.97.0.1:8080", "10.97.0.2:9003"),
        others.pid(),
    );
    drop((connection, container));
    world.tell("close");
}

/// A container's packets have these ends on their way already. The kernel gives this host's own
/// connection another port there.
#[test]
fn a_connection_with_the_ends_of_translated_packets_does_not_own_them() {
    const TEST: &str = "a_connection_with_the_ends_of_translated_packets_does_not_own_them";
    if is_run_elsewhere(TEST, &["nft"]) {
        return;
    }
    let behind = Behind::new();
    let _world = behind.helper(1, &[&format!("tcp {FAR} listen")]);
    let mut tables = tables();
    // A connection of this host alone.
    let own = Helper::new(&[&format!("tcp 10.97.0.1:5001 to={FAR}")]);
    check(
        &tables.find(Protocol::Tcp, "10.97.0.1:5001", FAR),
        own.pid(),
    );
    let container = behind.helper(0, &[&format!("tcp 10.98.0.2:5000 to={FAR}")]);
    let host = Helper::new(&[&format!("tcp {HERE} to={FAR}")]);
    let answer = tables.find(Protocol::Tcp, HERE, FAR);
    check_from(&answer, container.pid(), "10.98.0.2:5000", FAR);
    drop(host);
}

/// Rules may give this host's own packets another port on their way, or redirect packets for
/// another port to one of its ports: a query with the ends of the socket gets its process.
#[test]
fn a_query_with_the_original_ends_names_the_owner() {
    const TEST: &str = "a_query_with_the_original_ends_names_the_owner";
    if is_run_elsewhere(TEST, &["nft"]) {
        return;
    }
    let behind = Behind::new();
    nft("add rule ip nat post udp sport 5001 snat to 10.97.0.1:5002");
    nft("insert rule ip nat post tcp sport 5001 snat to 10.97.0.1:5002");
    nft("add rule ip nat pre tcp dport 443 redirect to :8443");
    let _world = behind.helper(1, &[&format!("tcp {FAR} listen")]);
    let mut tables = tables();
    let own = Helper::new(&[&format!("tcp 10.97.0.1:5001 to={FAR}")]);
    check(
        &tables.find(Protocol::Tcp, "10.97.0.1:5001", FAR),
        own.pid(),
    );
    let mut server = Helper::new(&["tcp 10.97.0.1:8443 listen"]);
    let _client = behind.helper(1, &["tcp 10.97.0.2:6000 to=10.97.0.1:443"]);
    let answer = tables.find(Protocol::Tcp, "10.97.0.1:8443", "10.97.0.2:6000");
    check(&answer, server.pid());
    server.tell("close");
}

/// Conntrack forgets a silent connection, and another one gets the same ends on its way.
#[test]
fn the_earlier_owner_of_translated_ends_is_not_confirmed() {
    const TEST: &str = "the_earlier_owner_of_translated_ends_is_not_confirmed";
    if is_run_elsewhere(TEST, &["nft", "conntrack"]) {
        return;
    }
    let behind = Behind::new();
    let _world = behind.helper(1, &[&format!("udp {FAR} broadcast")]);
    let mut tables = tables();
    for connected in ["broadcast".to_owned(), format!("to={FAR}")] {
        let mut host = Helper::new(&[&format!("udp {HERE} {connected}")]);
        if connected == "broadcast" {
            host.tell(&format!("send {FAR}"));
        }
        let known = tables.find(Protocol::Udp, HERE, FAR);
        check(&known, host.pid());
        assert_eq!(tables.confirm(&known, HERE, FAR), Confirmed::Same);
        conntrack("-F");
        let mut container = behind.helper(0, &["udp 10.98.0.2:5000 broadcast"]);
        container.tell(&format!("send {FAR}"));
        assert_eq!(tables.confirm(&known, HERE, FAR), Confirmed::Changed);
        let answer = tables.find(Protocol::Udp, HERE, FAR);
        check_from(&answer, container.pid(), "10.98.0.2:5000", FAR);
        conntrack("-F");
    }
}

/// A request for the connections of one zone does not find those of another.
#[test]
fn translations_in_a_zone_are_found() {
    const TEST: &str = "translations_in_a_zone_are_found";
    if is_run_elsewhere(TEST, &["nft"]) {
        return;
    }
    let behind = Behind::new();
    let _world = behind.helper(1, &[&format!("udp {FAR} broadcast")]);
    nft("add table ip raw");
    nft("add chain ip raw pre { type filter hook prerouting priority -300 ; }");
    let mut host = Helper::new(&["udp 0.0.0.0:5000 broadcast"]);
    for (rule, far) in [
        ("ct zone set 5", FAR),
        ("iifname n98 ct zone set 6", "10.97.0.2:9001"),
        ("iifname n98 ct original zone set 7", "10.97.0.2:9002"),
    ] {
        // The zone is unknown.
        let mut tables = tables();
        nft("flush chain ip raw pre");
        nft(&format!("add rule ip raw pre {rule}"));
        let mut container = behind.helper(0, &["udp 10.98.0.2:5000 broadcast"]);
        container.tell(&format!("send {far}"));
        let answer = tables.find(Protocol::Udp, HERE, far);
        check_from(&answer, container.pid(), "10.98.0.2:5000", far);
        // A packet of this host to the same end, in the default zone, has the same ends.
        host.tell(&format!("send {far}"));
        let answer = tables.find(Protocol::Udp, HERE, far);
        if rule.contains("original") {
            // Both have the same zone on their way back, so the host got another port.
            check_from(&answer, container.pid(), "10.98.0.2:5000", far);
        } else {
            assert_eq!(answer.verdict, TRANSLATED, "{rule}: {answer:?}");
        }
        let answer = tables.find(Protocol::Udp, HERE, "10.97.0.2:9009");
        check(&answer, host.pid());
    }
}

/// The capture thread has no time to list all connections: a thorough lookup finds the zones for
/// it.
#[test]
fn a_confirmation_does_not_search_for_zones() {
    const TEST: &str = "a_confirmation_does_not_search_for_zones";
    if is_run_elsewhere(TEST, &["nft"]) {
        return;
    }
    let behind = Behind::new();
    let _world = behind.helper(1, &[&format!("udp {FAR} broadcast")]);
    let host = Helper::new(&["udp 0.0.0.0:5000 broadcast"]);
    let mut earlier = tables();
    let known = earlier.find(Protocol::Udp, HERE, FAR);
    check(&known, host.pid());
    nft("add table ip raw");
    nft("add chain ip raw pre { type filter hook prerouting priority -300 ; }");
    nft("add rule ip raw pre ct zone set 5");
    let mut container = behind.helper(0, &["udp 10.98.0.2:5000 broadcast"]);
    container.tell(&format!("send {FAR}"));
    let mut tables = tables();
    let query = SocketQuery::udp(HERE.parse().unwrap(), FAR.parse().unwrap());
    for _ in 0..3 {
        let now = SystemTime::now();
        let confirmed = tables.fast_lookup.confirm(&query, &known, now);
        assert_eq!(confirmed, Confirmed::Unanswered);
    }
    let answer = tables.find(Protocol::Udp, HERE, FAR);
    check_from(&answer, container.pid(), "10.98.0.2:5000", FAR);
    assert_eq!(tables.confirm(&known, HERE, FAR), Confirmed::Changed);
}
