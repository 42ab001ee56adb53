//! Sockets in other network namespaces, such as those of containers.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]

mod helper;
mod patience;

use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use flowner_attribution::capture::{Confirmed, FastLookup};
use flowner_attribution::snapshot::linux::{LinuxOptions, LinuxTable};
use flowner_attribution::{
    Attributor, Initiator, LookupRequest, Match, Ownership, Protocol, Reason, SocketQuery,
    SocketTable, Verdict,
};
use flowner_testing::namespace::is_run_inside;
use helper::Helper;
use patience::{confirmed, fast_answer};

/// Two network namespaces with a veth pair between them, removed at the end.
struct Networks {
    names: [String; 2],
}

impl Networks {
    /// With the [addresses](Self::address) of `net` at the ends of the pair. `None`, with a
    /// message, if this process may not make them.
    fn new(net: u8) -> Option<Self> {
        let names = ["a", "b"].map(|end| format!("flowner-{net}-{end}-{}", std::process::id()));
        let networks = Self { names };
        for name in &networks.names {
            if !ip(&["netns", "add", name]) {
                flowner_testing::skipped!("no privilege to make a network namespace");
                return None;
            }
        }
        let [a, b] = &networks.names;
        let wire = [
            &["-n", a, "link", "add", "wire", "type", "veth"][..],
            &["peer", "name", "wire", "netns", b],
        ];
        assert!(ip(&wire.concat()));
        for (name, end) in [(a, 1), (b, 2)] {
            let address = format!("{}/24", Self::address(net, end));
            assert!(ip(&["-n", name, "addr", "add", &address, "dev", "wire"]));
            assert!(ip(&["-n", name, "link", "set", "wire", "up"]));
        }
        Some(networks)
    }

    /// The address of the first or the second end of a pair: another one in each process, because
    /// these tests may run several times at once on a host.
    fn address(net: u8, end: u8) -> String {
        let process = std::process::id() % 250;
        format!("10.{net}.{process}.{end}")
    }

    fn helper(&self, end: usize, sockets: &[&str]) -> Helper {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.names[end]]);
        Helper::through(command, sockets)
    }

    fn has_wire(&self, end: usize) -> bool {
        ip(&["-n", &self.names[end], "link", "show", "wire"])
    }

    fn remove(&self, end: usize) {
        assert!(ip(&["netns", "del", &self.names[end]]));
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        for name in &self.names {
            ip(&["netns", "del", name]);
        }
    }
}

fn ip(arguments: &[&str]) -> bool {
    let output = Command::new("ip").args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}

fn with_port(ip: &str, address: SocketAddr) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), address.port())
}

#[track_caller]
fn check(answer: &Ownership, pid: u32, matched: Match, namespace: Option<&str>) {
    let pids: Vec<u32> = answer.verdict.processes().iter().map(|p| p.pid).collect();
    let found = answer.evidence.namespace.as_ref();
    let found = found.and_then(|namespace| namespace.name.as_deref());
    assert_eq!(
        (pids, answer.evidence.matched, found),
        (vec![pid], Some(matched), namespace),
        "{answer:?}"
    );
}

/// A listener of this process, and one of another process on the same port in another namespace.
fn on_the_same_port(networks: &Networks) -> (TcpListener, Helper) {
    let helper = networks.helper(0, &["tcp 0.0.0.0:0"]);
    let port = helper.addresses[0].port();
    match TcpListener::bind(("0.0.0.0", port)) {
        Ok(listener) => (listener, helper),
        // Another test has the port.
        Err(_) => on_the_same_port(networks),
    }
}

#[test]
fn each_namespace_has_its_own_ports() {
    let Some(networks) = Networks::new(71) else {
        return;
    };
    let mut table = LinuxTable::new().unwrap();
    let (ours, theirs) = on_the_same_port(&networks);
    let port = ours.local_addr().unwrap();
    let name = networks.names[0].as_str();
    let inside = &*Networks::address(71, 1);
    for (ip, pid, namespace) in [
        ("127.0.0.1", std::process::id(), None),
        (inside, theirs.pid(), Some(name)),
    ] {
        let query = SocketQuery::new(Protocol::Tcp, with_port(ip, port), None);
        let answer = table.find(&query).unwrap();
        check(&answer, pid, Match::WildcardAddress, namespace);
    }
    // An address of no namespace of this host.
    let query = SocketQuery::new(Protocol::Tcp, with_port("203.0.113.171", port), None);
    let nowhere = Verdict::Unknown(Reason::Forwarded);
    assert_eq!(table.find(&query).unwrap().verdict, nowhere);
    // The lists agree.
    let snapshot = table.snapshot_all_namespaces().unwrap();
    for (ip, expected) in [
        ("127.0.0.1", vec![(std::process::id(), None)]),
        (inside, vec![(theirs.pid(), Some(name))]),
        ("203.0.113.171", vec![]),
    ] {
        let query = SocketQuery::new(Protocol::Tcp, with_port(ip, port), None);
        let sockets = snapshot.sockets_of(&query).into_iter();
        let found = sockets.map(|socket| {
            let namespace = socket.namespace.as_ref();
            let pid = socket.owner.processes()[0].pid;
            (pid, namespace.and_then(|it| it.name.as_deref()))
        });
        assert_eq!(found.collect::<Vec<_>>(), expected, "{ip}");
    }
    // The table does not take a socket of ours for one of theirs, even if it may not enter their
    // namespace.
    let query = SocketQuery::new(Protocol::Tcp, with_port(inside, port), None);
    let mut options = LinuxOptions::default();
    options.other_namespaces = false;
    let mut blind = LinuxTable::with_options(&options);
    let answer = blind.as_mut().unwrap().find(&query).unwrap();
    assert_eq!(answer.verdict, nowhere);
}

#[test]
fn sockets_of_other_namespaces_are_listed() {
    let Some(networks) = Networks::new(72) else {
        return;
    };
    let inside = Networks::address(72, 1);
    let helper = networks.helper(0, &[&format!("tcp {inside}:0"), &format!("udp {inside}:0")]);
    // They are among the sockets of their process, too.
    let mut attributor = Attributor::new().unwrap();
    let held = attributor.sockets_of(helper.pid()).unwrap();
    let mut held: Vec<_> = held.iter().map(|socket| socket.local).collect();
    held.sort();
    let mut expected = helper.addresses.clone();
    expected.sort();
    assert_eq!(held, expected);
    let mut table = LinuxTable::new().unwrap();
    let snapshot = table.snapshot_all_namespaces().unwrap();
    for (protocol, local) in [Protocol::Tcp, Protocol::Udp].iter().zip(&helper.addresses) {
        let mut sockets = snapshot.sockets().iter();
        let is_it = |s: &&flowner_attribution::Socket| s.protocol == *protocol && s.local == *local;
        let socket = sockets.find(is_it).unwrap();
        assert_eq!(socket.owner.processes()[0].pid, helper.pid());
        let namespace = socket.namespace.as_ref().unwrap();
        assert_eq!(namespace.name.as_deref(), Some(&*networks.names[0]));
        let query = SocketQuery::new(*protocol, *local, None);
        for answer in [snapshot.find(&query), table.find(&query).unwrap()] {
            let name = networks.names[0].as_str();
            check(&answer, helper.pid(), Match::LocalEndpoint, Some(name));
        }
    }
}

/// Waits until the other end of the pair is gone.
#[track_caller]
fn wait_gone(networks: &Networks, mut meanwhile: impl FnMut()) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while networks.has_wire(1) {
        assert!(Instant::now() < deadline, "the network is kept");
        meanwhile();
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_table_does_not_keep_namespaces_alive() {
    let Some(networks) = Networks::new(73) else {
        return;
    };
    let mut table = LinuxTable::new().unwrap();
    let helper = networks.helper(0, &[&format!("tcp {}:0", Networks::address(73, 1))]);
    let query = SocketQuery::new(Protocol::Tcp, helper.addresses[0], None);
    assert!(table.find(&query).unwrap().verdict.is_named());
    drop(helper);
    networks.remove(0);
    // The next lookup, if it is not immediate, finds no such namespace.
    wait_gone(&networks, || _ = table.snapshot_all_namespaces().unwrap());

    let Some(networks) = Networks::new(74) else {
        return;
    };
    let helper = networks.helper(0, &[&format!("tcp {}:0", Networks::address(74, 1))]);
    let query = SocketQuery::new(Protocol::Tcp, helper.addresses[0], None);
    assert!(table.find(&query).unwrap().verdict.is_named());
    drop(helper);
    networks.remove(0);
    table.release_idle();
    wait_gone(&networks, || {});
}

/// The only process that a fast lookup names for a query.
#[track_caller]
fn fast_lookup_of(
    fast_lookup: &mut dyn FastLookup,
    query: SocketQuery,
    expected: &Helper,
) -> Ownership {
    let request = LookupRequest::new(query, SystemTime::now(), Initiator::Unknown);
    let known = fast_answer(fast_lookup, &request);
    let pids: Vec<_> = known.verdict.processes().iter().map(|it| it.pid).collect();
    assert_eq!(pids, [expected.pid()], "{known:?}");
    known
}

/// The sockets on its port stay open in both namespaces.
#[test]
fn an_address_moves_to_another_namespace() {
    let Some(networks) = Networks::new(77) else {
        return;
    };
    let moving = Networks::address(77, 50);
    let change = |what: &str, end: usize| {
        let (name, address) = (&networks.names[end], format!("{moving}/32"));
        assert!(ip(&["-n", name, "addr", what, &address, "dev", "wire"]));
    };
    for bound in ["0.0.0.0", &moving] {
        let first = networks.helper(0, &[&format!("udp {bound}:0 freebind")]);
        let port = first.addresses[0].port();
        let second = networks.helper(1, &[&format!("udp {bound}:{port} freebind")]);
        let local = with_port(&moving, first.addresses[0]);
        let peer = "192.0.2.9:9".parse().unwrap();
        let query = SocketQuery::udp(local, peer);
        change("add", 0);
        let mut table = LinuxTable::new().unwrap();
        let mut fast_lookup = table.fast_lookup().unwrap();
        for query in [query, query.as_sender()] {
            let known = fast_lookup_of(&mut *fast_lookup, query, &first);
            let confirmed = |fast: &mut dyn FastLookup| confirmed(fast, &query, &known);
            assert_eq!(confirmed(&mut *fast_lookup), Confirmed::Same);
            change("add", 1);
            assert_eq!(confirmed(&mut *fast_lookup), Confirmed::Changed, "in both");
            change("del", 0);
            assert_eq!(confirmed(&mut *fast_lookup), Confirmed::Changed, "moved");
            fast_lookup_of(&mut *fast_lookup, query, &second);
            change("add", 0);
            change("del", 1);
            assert_eq!(confirmed(&mut *fast_lookup), Confirmed::Same, "moved back");
        }
        change("del", 0);
    }
}

/// Such a socket gets the packets before one that is bound to no device.
#[test]
fn another_socket_is_bound_to_the_device_in_a_namespace() {
    let Some(networks) = Networks::new(78) else {
        return;
    };
    let first = networks.helper(0, &["udp 0.0.0.0:0 broadcast"]);
    let local = with_port(&Networks::address(78, 1), first.addresses[0]);
    let query = SocketQuery::udp(local, "192.0.2.9:9".parse().unwrap());
    let mut table = LinuxTable::new().unwrap();
    let mut fast_lookup = table.fast_lookup().unwrap();
    let known = fast_lookup_of(&mut *fast_lookup, query, &first);
    let mut confirmed = || confirmed(&mut *fast_lookup, &query, &known);
    assert_eq!(confirmed(), Confirmed::Same);
    let port = local.port();
    let second = networks.helper(0, &[&format!("udp 0.0.0.0:{port} dev=wire")]);
    assert_eq!(confirmed(), Confirmed::Changed);
    drop(second);
    assert_eq!(confirmed(), Confirmed::Same);
}

#[test]
fn addresses_of_possible_containers_are_distinguished() {
    let Some(networks) = Networks::new(75) else {
        return;
    };
    // One end of the pair is here, the other one there.
    let here = format!("flw{}", std::process::id());
    let peer = ["peer", "name", "there", "netns", &networks.names[0]];
    assert!(ip(
        &[&["link", "add", &here, "type", "veth"], &peer[..]].concat()
    ));
    assert!(ip(&["addr", "add", "198.51.100.1/24", "dev", &here]));
    let mut options = LinuxOptions::default();
    options.other_namespaces = false;
    let mut blind = LinuxTable::with_options(&options).unwrap();
    let mut verdict = |local: &str| {
        let query = SocketQuery::new(Protocol::Udp, local.parse().unwrap(), None);
        blind.find(&query).unwrap().verdict
    };
    let hidden = Verdict::Unknown(Reason::OtherNamespace);
    assert_eq!(verdict("198.51.100.2:53"), hidden);
    assert_eq!(
        verdict("203.0.113.2:53"),
        Verdict::Unknown(Reason::Forwarded)
    );
    assert_eq!(
        verdict("198.51.100.1:53"),
        Verdict::Unknown(Reason::NotFound)
    );
    ip(&["link", "del", &here]);
}

/// Two containers, one of which sends with the address and the port of the other one.
#[test]
fn a_container_that_makes_up_its_source_does_not_send_for_another() {
    let Some(networks) = Networks::new(78) else {
        return;
    };
    let [first, second] = [1, 2].map(|end| format!("flw{end}{}", std::process::id()));
    for (end, here) in [&first, &second].into_iter().enumerate() {
        let name = &networks.names[end];
        let peer = ["peer", "name", "there", "netns", name];
        assert!(ip(
            &[&["link", "add", here, "type", "veth"], &peer[..]].concat()
        ));
    }
    // Nothing leads from one to the other but this host.
    let [one, other] = &networks.names;
    assert!(ip(&["-n", one, "link", "del", "wire"]));
    let address = Networks::address(78, 2);
    let with_length = format!("{address}/24");
    assert!(ip(&[
        "-n",
        other,
        "addr",
        "add",
        &with_length,
        "dev",
        "there"
    ]));
    let owner = networks.helper(1, &[&format!("udp {address}:0")]);
    let index = |here: &str| {
        let path = format!("/sys/class/net/{here}/ifindex");
        let index = std::fs::read_to_string(path).unwrap();
        index.trim().parse::<u32>().unwrap()
    };
    let query = SocketQuery::udp(owner.addresses[0], "203.0.113.171:9".parse().unwrap());
    let mut table = LinuxTable::new().unwrap();
    let snapshot = table.snapshot_all_namespaces().unwrap();
    for (here, is_owner) in [(&first, false), (&second, true)] {
        let sent = query.on_device(index(here)).as_sender();
        for verdict in [
            table.find(&sent).unwrap().verdict,
            snapshot.find(&sent).verdict,
        ] {
            let pids: Vec<_> = verdict.processes().iter().map(|it| it.pid).collect();
            let expected = if is_owner { vec![owner.pid()] } else { vec![] };
            assert_eq!(pids, expected, "wrong owner behind {here}: {verdict:?}");
        }
    }
    for here in [&first, &second] {
        ip(&["link", "del", here]);
    }
}

/// However often a caller repeats the query, one lookup gives the same answer.
#[test]
fn a_foreign_address_is_foreign_each_time() {
    // In a separate process, without the threads of other tests.
    if is_run_inside("a_foreign_address_is_foreign_each_time") {
        return;
    }
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
    // Each lookup has to check all of their threads.
    let threads: Vec<_> = (0..300)
        .map(|_| {
            let wait = std::sync::Arc::clone(&wait);
            std::thread::spawn(move || _ = wait.lock().unwrap().recv())
        })
        .collect();
    let mut table = LinuxTable::new().unwrap();
    let query = SocketQuery::new(Protocol::Udp, "203.0.113.77:53".parse().unwrap(), None);
    let started = Instant::now();
    let mut rounds = 0;
    while rounds < 20 || (started.elapsed() < Duration::from_secs(2) && rounds < 400) {
        rounds += 1;
        // A namespace of another test may be disappearing just now.
        let Ok(answer) = table.find(&query) else {
            continue;
        };
        let foreign = Verdict::Unknown(Reason::Forwarded);
        assert_eq!(answer.verdict, foreign, "{rounds}");
    }
    drop(done);
    for thread in threads {
        thread.join().unwrap();
    }
}

/// `ip netns` makes a file before the namespace exists, and may leave it behind.
#[test]
fn a_file_without_a_namespace_is_no_failure() {
    if is_run_inside("a_file_without_a_namespace_is_no_failure") {
        return;
    }
    std::fs::create_dir_all("/run/netns").unwrap();
    let path = format!("/run/netns/flowner-plain-{}", std::process::id());
    std::fs::write(&path, "").unwrap();
    let mut table = LinuxTable::new().unwrap();
    let query = SocketQuery::new(Protocol::Udp, "203.0.114.77:53".parse().unwrap(), None);
    let answer = table.find(&query);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(answer.unwrap().verdict, Verdict::Unknown(Reason::Forwarded));
}

/// Namespaces that an unprivileged user makes, each with a process in it, until it is dropped.
struct Flood(Vec<std::process::Child>);

impl Flood {
    fn start(count: usize) -> Option<Self> {
        let start = |_| {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", "23451", "--regid", "23451", "--clear-groups"]);
            command.args(["unshare", "-Urn", "sleep", "1000"]);
            command.spawn().unwrap()
        };
        let mut flood = Self((0..count).map(start).collect());
        let own = std::fs::read_link("/proc/self/ns/net").unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        for child in &mut flood.0 {
            let link = format!("/proc/{}/ns/net", child.id());
            while std::fs::read_link(&link).is_ok_and(|it| it == own) {
                if child.try_wait().unwrap().is_some() {
                    flowner_testing::skipped!("users may not make network namespaces here");
                    return None;
                }
                assert!(Instant::now() < deadline, "the namespaces are not made");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        Some(flood)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _gone = child.kill();
            child.wait().unwrap();
        }
    }
}

/// Any user may make namespaces. They must neither use up descriptors that others need nor displace
/// the namespaces of others.
#[test]
fn many_namespaces_of_a_user_take_nothing_from_others() {
    if is_run_inside("many_namespaces_of_a_user_take_nothing_from_others") {
        return;
    }
    let files = rustix::process::Rlimit {
        current: Some(1_024),
        maximum: Some(1_024),
    };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, files).unwrap();
    let Some(networks) = Networks::new(76) else {
        return;
    };
    let Some(_flood) = Flood::start(90) else {
        return;
    };
    let inside = Networks::address(76, 1);
    let theirs = networks.helper(0, &[&format!("tcp {inside}:0")]);
    let ours = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut table = LinuxTable::new().unwrap();
    let _glance = table.fast_lookup().unwrap();
    let skipped = table.skipped_namespaces().unwrap();
    assert!(skipped.is_file_limit_reached, "{skipped}");
    assert!(skipped.skipped >= 40, "{skipped}");
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
    assert!(open < 400, "{open}");
    for _ in 0..3 {
        for (local, pid) in [
            (ours.local_addr().unwrap(), std::process::id()),
            (theirs.addresses[0], theirs.pid()),
        ] {
            let query = SocketQuery::new(Protocol::Tcp, local, None);
            let verdict = table.find(&query).unwrap().verdict;
            let pids: Vec<_> = verdict.processes().iter().map(|it| it.pid).collect();
            assert_eq!(pids, [pid], "{verdict:?}");
        }
    }
    let snapshot = table.snapshot_all_namespaces().unwrap();
    let mut sockets = snapshot.sockets().iter();
    assert!(sockets.any(|socket| socket.local == theirs.addresses[0]));
    assert!(table.skipped_namespaces().is_some());
}
