//! Sockets that differ in their device. Each test runs in its own network namespace.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]

#[path = "devices/groups.rs"]
mod groups;
mod helper;
mod patience;

use std::net::SocketAddr;
use std::process::Command;
use std::time::SystemTime;

use flowner_attribution::capture::FastLookup;
use flowner_attribution::snapshot::linux::LinuxTable;
use flowner_attribution::{
    Initiator, LookupRequest, Match, Ownership, Protocol, Reason, Snapshot, SocketQuery,
    SocketTable, Verdict,
};
use flowner_testing::namespace::{ip, is_run_inside};
use helper::Helper;

/// Two veth pairs, `w0` to `p0` and `w1` to `p1`, with 10.77.0.1, 10.77.1.1 and `fe80::1` at the
/// near ends.
fn wires() {
    ip("link set lo up");
    for number in 0..2 {
        ip(&format!("link add w{number} type veth peer name p{number}"));
        ip(&format!("addr add 10.77.{number}.1/24 dev w{number}"));
        ip(&format!("addr add fe80::1/64 dev w{number} nodad"));
        ip(&format!("link set w{number} up"));
        ip(&format!("link set p{number} up"));
    }
}

fn index(device: &str) -> u32 {
    index_in(&[], device)
}

/// The index of a device, from the output of `ip` in a namespace: `4: w0@p0: <BROADCAST…`.
fn index_in(namespace: &[&str], device: &str) -> u32 {
    let mut command = Command::new("ip");
    command
        .args(namespace)
        .args(["-o", "link", "show", "dev", device]);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split(':').next().unwrap().parse().unwrap()
}

fn query(protocol: Protocol, local: &str, remote: &str) -> SocketQuery {
    let end = |text: &str| text.parse::<SocketAddr>().unwrap();
    SocketQuery::new(protocol, end(local), Some(end(remote)))
}

/// The table, and its fast lookups.
struct Tables {
    table: LinuxTable,
    fast_lookup: Box<dyn FastLookup>,
}

impl Tables {
    fn new() -> Self {
        let mut table = LinuxTable::new().unwrap();
        let fast_lookup = table.fast_lookup().unwrap();
        Self { table, fast_lookup }
    }

    /// Checks the answers of the table, its list and the fast lookup for packets on a device: the
    /// pids, or none. The fast lookup may name fewer.
    #[track_caller]
    fn check(&mut self, query: &SocketQuery, device: &str, expected: &[u32]) -> Ownership {
        let list = |table: &mut LinuxTable| table.snapshot().unwrap();
        self.check_with(query, device, expected, list)
    }

    /// As [`check`](Self::check), with the sockets of all namespaces in the list.
    #[track_caller]
    fn check_all(&mut self, query: &SocketQuery, device: &str, expected: &[u32]) -> Ownership {
        let list = |table: &mut LinuxTable| table.snapshot_all_namespaces().unwrap();
        self.check_with(query, device, expected, list)
    }

    /// Checks that the kernel's own lookup decides among several sockets: the table and the fast
    /// lookup name one, the list names all.
    #[track_caller]
    fn check_decided(&mut self, query: &SocketQuery, device: &str, decided: u32, all: &[u32]) {
        let query_on_device = query.on_device(index(device));
        let answer = self.table.find(&query_on_device).unwrap();
        assert_eq!(
            pids(&answer.verdict),
            [decided],
            "{query_on_device}: {answer:?}"
        );
        let question = LookupRequest::new(query_on_device, SystemTime::now(), Initiator::Unknown);
        if let Some(fast) = self.fast_lookup.lookup(&question).ownership() {
            assert_eq!(
                pids(&fast.verdict),
                [decided],
                "{query_on_device}, fast: {fast:?}"
            );
        }
        let mut all = all.to_vec();
        all.sort_unstable();
        let listed = self.table.snapshot().unwrap().find(&query_on_device);
        assert_eq!(
            pids(&listed.verdict),
            all,
            "{query_on_device}, listed: {listed:?}"
        );
    }

    #[track_caller]
    fn check_with(
        &mut self,
        query: &SocketQuery,
        device: &str,
        expected: &[u32],
        list: impl Fn(&mut LinuxTable) -> Snapshot,
    ) -> Ownership {
        let query = if device.is_empty() {
            *query
        } else {
            query.on_device(index(device))
        };
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        let answer = self.table.find(&query).unwrap();
        assert_eq!(
            pids(&answer.verdict),
            expected,
            "{query} on {device}: {answer:?}"
        );
        let listed = list(&mut self.table).find(&query);
        assert_eq!(
            listed.verdict, answer.verdict,
            "{query} on {device}, listed"
        );
        let evidence = |answer: &Ownership| {
            let evidence = answer.evidence.clone();
            (evidence.matched, evidence.namespace, evidence.socket)
        };
        assert_eq!(evidence(&listed), evidence(&answer), "{query} on {device}");
        let question = LookupRequest::new(query, SystemTime::now(), Initiator::Unknown);
        if let Some(fast) = self.fast_lookup.lookup(&question).ownership() {
            let found = pids(&fast.verdict);
            assert!(
                found.iter().all(|pid| expected.contains(pid)),
                "{query} on {device}, fast: {fast:?}"
            );
        }
        answer
    }
}

fn pids(verdict: &Verdict) -> Vec<u32> {
    verdict
        .processes()
        .iter()
        .map(|process| process.pid)
        .collect()
}

#[test]
fn datagram_sockets_of_another_device_are_no_answer() {
    if is_run_inside("datagram_sockets_of_another_device_are_no_answer") {
        return;
    }
    wires();
    let a = Helper::new(&["udp 10.77.0.1:7601 dev=w1"]);
    let b = Helper::new(&["udp 0.0.0.0:7601 broadcast"]);
    let mut tables = Tables::new();
    let query = query(Protocol::Udp, "10.77.0.1:7601", "10.77.0.2:4761");
    let answer = tables.check(&query, "w0", &[b.pid()]);
    assert!(answer.evidence.socket.is_some());
    tables.check(&query, "w1", &[a.pid()]);
    tables.check(&query, "", &[a.pid(), b.pid()]);
    // A packet from this host to itself may belong to either.
    tables.check(&query, "lo", &[a.pid(), b.pid()]);
    drop(b);
    tables.check(&query, "w1", &[a.pid()]);
    let answer = tables.check(&query, "w0", &[]);
    assert_eq!(answer.verdict, Verdict::Unknown(Reason::NotFound));
}

#[test]
fn sockets_that_are_bound_to_a_device_are_found() {
    if is_run_inside("sockets_that_are_bound_to_a_device_are_found") {
        return;
    }
    wires();
    let w0 = index("w0");
    let link_local = format!("udp [fe80::1%{w0}]:0 to=[fe80::2%{w0}]:53");
    for (socket, local, remote) in [
        ("udp 0.0.0.0:5300 dev=w0", "10.77.0.1:5300", "10.77.0.2:1"),
        (
            "udp 0.0.0.0:68 dev=w0 broadcast",
            "0.0.0.0:68",
            "255.255.255.255:67",
        ),
        ("udp [::]:546 dev=w0", "[fe80::1]:546", "[ff02::1:2]:547"),
        (&link_local, "[fe80::1]:0", "[fe80::2]:53"),
        (
            "tcp 0.0.0.0:80 dev=w0 listen",
            "10.77.0.1:80",
            "10.77.0.2:1",
        ),
        ("tcp [::]:80 dev=w0 listen", "[fe80::1]:80", "[fe80::2]:1"),
    ] {
        let helper = Helper::new(&[socket]);
        let mut tables = Tables::new();
        let protocol = if socket.starts_with("tcp") {
            Protocol::Tcp
        } else {
            Protocol::Udp
        };
        let mut query = query(protocol, local, remote);
        if query.local().port() == 0 {
            let mut local = query.local();
            local.set_port(helper.addresses[0].port());
            query = SocketQuery::new(protocol, local, query.remote());
        }
        let now = SystemTime::now();
        let request = LookupRequest::new(query.on_device(w0), now, Initiator::Unknown);
        let fast = patience::fast_answer(&mut *tables.fast_lookup, &request);
        assert_eq!(pids(&fast.verdict), [helper.pid()], "{socket}");
        tables.check(&query, "w0", &[helper.pid()]);
        tables.check(&query, "w1", &[]);
        tables.check(&query, "", &[helper.pid()]);
    }
}

/// The same four ends on two links are two connections.
#[test]
fn link_local_connections_are_distinguished_by_their_device() {
    if is_run_inside("link_local_connections_are_distinguished_by_their_device") {
        return;
    }
    // With the near ends here, and the far ones in another namespace.
    let name = format!("flowner-ll-{}", std::process::id());
    ip(&format!("netns add {name}"));
    wires();
    for number in 0..2 {
        ip(&format!("link set p{number} netns {name}"));
        ip(&format!(
            "-n {name} addr add fe80::2/64 dev p{number} nodad"
        ));
        ip(&format!("-n {name} link set p{number} up"));
    }
    let far = |device: &str| index_in(&["-n", &name], device);
    let mut inside = Command::new("ip");
    inside.args(["netns", "exec", &name]);
    let servers = ["p0", "p1"].map(|device| format!("tcp [fe80::2%{}]:7004 listen", far(device)));
    let server = Helper::through(inside, &[&*servers[0], &*servers[1]]);
    let clients = ["w0", "w1"].map(|device| {
        let index = index(device);
        Helper::new(&[&format!(
            "tcp [fe80::1%{index}]:4004 to=[fe80::2%{index}]:7004"
        )])
    });
    let mut tables = Tables::new();
    let bare = query(Protocol::Tcp, "[fe80::1]:4004", "[fe80::2]:7004");
    let [one, other] = clients.each_ref().map(Helper::pid);
    let first = tables.check(&bare, "w0", &[one]);
    let second = tables.check(&bare, "w1", &[other]);
    assert_ne!(first.evidence.socket, second.evidence.socket);
    tables.check(&bare, "", &[one, other]);
    let scoped = format!("[fe80::1%{}]:4004", index("w1"));
    tables.check(
        &query(Protocol::Tcp, &scoped, "[fe80::2]:7004"),
        "",
        &[other],
    );
    drop((server, clients));
    ip(&format!("netns del {name}"));
}

#[test]
fn a_socket_of_a_bridge_is_found_by_packets_of_its_ports() {
    if is_run_inside("a_socket_of_a_bridge_is_found_by_packets_of_its_ports") {
        return;
    }
    wires();
    let mut tables = Tables::new();
    ip("link add br0 type bridge");
    ip("addr add 10.78.0.1/24 dev br0");
    ip("link set br0 up");
    ip("link set p0 master br0");
    let bound = Helper::new(&["udp 0.0.0.0:5300 dev=br0"]);
    let query = query(Protocol::Udp, "10.78.0.1:5300", "10.78.0.2:1");
    tables.check(&query, "br0", &[bound.pid()]);
    tables.check(&query, "p0", &[bound.pid()]);
    tables.check(&query, "w1", &[]);
    // Either may be right: a packet on a port goes through the bridge, or not.
    let unbound = Helper::new(&["udp 0.0.0.0:5300 broadcast"]);
    tables.check_decided(&query, "br0", bound.pid(), &[bound.pid(), unbound.pid()]);
    tables.check(&query, "p0", &[bound.pid(), unbound.pid()]);
    tables.check(&query, "w1", &[unbound.pid()]);
}

/// `SO_REUSEPORT` makes the first socket of the kernel's list the receiver, whatever its device.
/// Only the kernel's own lookup shows which one that is.
#[test]
fn the_kernel_decides_among_sockets_that_share_a_port() {
    if is_run_inside("the_kernel_decides_among_sockets_that_share_a_port") {
        return;
    }
    wires();
    let mut port = 5100;
    for (protocol, name, end) in [
        (Protocol::Udp, "udp", "share"),
        (Protocol::Udp, "udp", "broadcast"),
        (Protocol::Tcp, "tcp", "share listen"),
    ] {
        for is_dual in [false, true] {
            for is_bound_last in [false, true] {
                port += 1;
                let any = if is_dual { "[::]" } else { "0.0.0.0" };
                let free = format!("{name} {any}:{port} {end}");
                let bound = format!("{name} 0.0.0.0:{port} dev=w0 {end}");
                let mut order = [bound, free];
                if is_bound_last {
                    order.reverse();
                }
                let helpers = order.map(|socket| Helper::new(&[&socket]));
                let both = helpers.each_ref().map(Helper::pid);
                // The kernel puts the newest socket first, but IPv6 ones with the option last.
                // Without the option, the device decides.
                let is_first_of_all = end.starts_with("share") && !is_dual;
                let receiver = both[usize::from(is_first_of_all || is_bound_last)];
                let (local, remote) = (format!("10.77.0.1:{port}"), "10.77.0.2:6000");
                let query = query(protocol, &local, remote);
                Tables::new().check_decided(&query, "w0", receiver, &both);
            }
        }
    }
}

/// `SO_INCOMING_CPU` is worth as much as the family.
#[test]
fn sockets_of_both_families_are_named_together() {
    if is_run_inside("sockets_of_both_families_are_named_together") {
        return;
    }
    wires();
    let v4 = Helper::new(&["udp 0.0.0.0:5200 broadcast"]);
    let dual = Helper::new(&["udp [::]:5200 broadcast"]);
    let mut tables = Tables::new();
    let query = query(Protocol::Udp, "10.77.0.1:5200", "10.77.0.2:6000");
    tables.check(&query, "w0", &[v4.pid(), dual.pid()]);
}

/// Routes make addresses the host's own, though no device has them.
#[test]
fn addresses_of_local_routes_are_our_own() {
    if is_run_inside("addresses_of_local_routes_are_our_own") {
        return;
    }
    wires();
    let sockets = ["udp 0.0.0.0:7650 broadcast", "udp [::]:7652 broadcast"];
    let datagrams = Helper::new(&sockets);
    let listener = Helper::new(&["tcp 0.0.0.0:7651 listen"]);
    let mut tables = Tables::new();
    let foreign = Verdict::Unknown(Reason::Forwarded);
    let udp = query(Protocol::Udp, "203.0.113.5:7650", "198.51.100.1:9");
    let tcp = query(Protocol::Tcp, "203.0.113.6:7651", "198.51.100.1:9");
    let v6 = query(Protocol::Udp, "[2001:db8:77::5]:7652", "[2001:db8::1]:9");
    let beside = query(Protocol::Udp, "203.0.114.5:7650", "198.51.100.1:9");
    for _ in 0..2 {
        assert_eq!(tables.check_all(&udp, "", &[]).verdict, foreign);
        ip("route add local 203.0.113.0/24 dev lo");
        tables.check_all(&udp, "", &[datagrams.pid()]);
        tables.check_all(&udp, "w0", &[datagrams.pid()]);
        tables.check_all(&tcp, "", &[listener.pid()]);
        assert_eq!(tables.check_all(&beside, "", &[]).verdict, foreign);
        assert_eq!(tables.check_all(&v6, "", &[]).verdict, foreign);
        ip("-6 route add local 2001:db8:77::/48 dev lo");
        tables.check_all(&v6, "", &[datagrams.pid()]);
        ip("-6 route del local 2001:db8:77::/48 dev lo");
        // One more, for a single address, and routes of other kinds and tables.
        ip("route add local 203.0.114.5 dev lo");
        tables.check_all(&beside, "", &[datagrams.pid()]);
        ip("route del local 203.0.114.5 dev lo");
        ip("route add 203.0.114.0/24 dev lo");
        ip("route add local 203.0.114.0/24 dev lo table 100");
        assert_eq!(tables.check_all(&beside, "", &[]).verdict, foreign);
        ip("route del 203.0.114.0/24 dev lo");
        ip("route del local 203.0.114.0/24 dev lo table 100");
        ip("route del local 203.0.113.0/24 dev lo");
    }
}

/// A socket may have an address that no device has.
#[test]
fn a_socket_bound_to_a_foreign_address_is_found_by_it() {
    if is_run_inside("a_socket_bound_to_a_foreign_address_is_found_by_it") {
        return;
    }
    wires();
    let everywhere = Helper::new(&["udp 0.0.0.0:7660 broadcast"]);
    let listener = Helper::new(&["tcp 0.0.0.0:7661 listen"]);
    let mut tables = Tables::new();
    let udp = query(Protocol::Udp, "198.18.113.5:7660", "198.51.100.1:9");
    let tcp = query(Protocol::Tcp, "198.18.113.5:7661", "198.51.100.1:9");
    let foreign = Verdict::Unknown(Reason::Forwarded);
    for query in [&udp, &tcp] {
        // A socket that is bound to all addresses is not bound to this one.
        assert_eq!(tables.check_all(query, "", &[]).verdict, foreign);
    }
    // Two sockets cannot listen there.
    drop(listener);
    let sockets = [
        "udp 198.18.113.5:7660 freebind",
        "tcp 198.18.113.5:7661 freebind listen",
    ];
    let bound = Helper::new(&sockets);
    let other = Helper::new(&["udp 198.18.113.6:7660 freebind"]);
    for query in [udp, tcp] {
        let alone = SocketQuery::new(query.protocol(), query.local(), None);
        for query in [query, alone] {
            for device in ["", "w0"] {
                let answer = tables.check_all(&query, device, &[bound.pid()]);
                assert_eq!(answer.evidence.matched, Some(Match::LocalEndpoint));
            }
        }
    }
    let sent = udp.as_sender();
    tables.check_all(&sent, "", &[bound.pid()]);
    drop((bound, other, everywhere));
    for query in [&udp, &tcp] {
        assert_eq!(tables.check_all(query, "", &[]).verdict, foreign);
    }
}

/// Containers may have equal addresses: the device decides which one the packet belongs to.
#[test]
fn the_device_decides_among_namespaces_with_the_same_address() {
    if is_run_inside("the_device_decides_among_namespaces_with_the_same_address") {
        return;
    }
    ip("link set lo up");
    let names = ["a", "b"].map(|end| format!("flowner-same-{end}-{}", std::process::id()));
    let sockets = [
        "udp 10.79.0.2:5000 to=10.79.0.1:9",
        "udp 10.79.0.2:5000 broadcast",
    ];
    let mut helpers = Vec::new();
    for (number, name) in names.iter().enumerate() {
        ip(&format!("netns add {name}"));
        ip(&format!(
            "link add n{number} type veth peer name far netns {name}"
        ));
        ip(&format!("link set n{number} up"));
        ip(&format!("-n {name} addr add 10.79.0.2/24 dev far"));
        ip(&format!("-n {name} link set far up"));
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", name]);
        helpers.push(Helper::through(inside, &sockets[number..=number]));
    }
    ip("link add br0 type bridge");
    ip("link set n1 master br0");
    let [silent, sender] = [helpers[0].pid(), helpers[1].pid()];
    let mut tables = Tables::new();
    let query = query(Protocol::Udp, "10.79.0.2:5000", "10.79.0.1:9");
    for (device, expected) in [
        ("n0", vec![silent]),
        ("n1", vec![sender]),
        ("br0", vec![sender]),
        ("", vec![silent, sender]),
        ("lo", vec![silent, sender]),
    ] {
        tables.check_all(&query, device, &expected);
    }
    // A namespace without sockets.
    let unowned = self::query(Protocol::Udp, "10.79.0.2:5001", "10.79.0.1:9");
    let answer = tables.check_all(&unowned, "", &[]);
    assert_eq!(answer.verdict, Verdict::Unknown(Reason::NotFound));
    assert_eq!(answer.evidence.namespace, None);
    drop(helpers);
    for name in &names {
        ip(&format!("netns del {name}"));
    }
}
