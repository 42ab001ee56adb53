//! Programs in containers behind the address of this host, found by the flows of its outer device.
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
use flowner_attribution::{
    Initiator, LookupRequest, Ownership, Protocol, Reason, SocketQuery, SocketTable, Verdict,
};
use helper::Helper;

const FAR: &str = "10.97.0.2:9000";
const HOST: &str = "10.97.0.1";

/// A table and its fast lookup, which knows the earlier network namespaces.
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

    fn find(&mut self, query: &SocketQuery) -> Ownership {
        let answer = self.table.find(query).unwrap();
        let listed = self.table.snapshot_all_namespaces().unwrap().find(query);
        assert_eq!(listed.verdict, answer.verdict, "{query}");
        answer
    }

    /// Checks that both name the process of a helper, by the original ends of its socket.
    #[track_caller]
    fn check(&mut self, query: &SocketQuery, helper: &Helper, from: &str) -> Ownership {
        let request = LookupRequest::new(*query, SystemTime::now(), Initiator::Unknown);
        let fast = patience::fast_answer(&mut *self.fast_lookup, &request);
        let answer = self.find(query);
        for answer in [&answer, &fast] {
            let pids = answer.verdict.processes().iter().map(|it| it.pid);
            assert_eq!(pids.collect::<Vec<_>>(), [helper.pid()], "{answer:?}");
            assert_eq!(shown(answer), from, "{answer:?}");
            assert!(answer.evidence.namespace.is_some(), "{answer:?}");
        }
        answer
    }

    fn confirm(&mut self, query: &SocketQuery, known: &Ownership) -> Confirmed {
        patience::confirmed(&mut *self.fast_lookup, query, known)
    }
}

/// The original ends of the socket.
fn shown(answer: &Ownership) -> String {
    let from = answer.evidence.translated_from.as_ref();
    from.map(ToString::to_string).unwrap_or_default()
}

/// The ends of a container's flow to the far end, on the outer device.
fn behind_host(protocol: Protocol, container: &str) -> SocketQuery {
    let name = if protocol == Protocol::Tcp {
        "tcp"
    } else {
        "udp"
    };
    let listed = conntrack(&format!("-L -p {name} -s {container} -d 10.97.0.2"));
    // The reply comes to the port that the kernel chose.
    let port = listed.rsplit("dport=").next().unwrap();
    let port = port.split(' ').next().unwrap();
    let local = format!("{HOST}:{port}").parse().unwrap();
    SocketQuery::new(protocol, local, Some(FAR.parse().unwrap()))
}

fn query(protocol: Protocol, local: &str, remote: &str) -> SocketQuery {
    SocketQuery::new(
        protocol,
        local.parse().unwrap(),
        Some(remote.parse().unwrap()),
    )
}

/// Both have the same port inside, but the host can use it for only one of them outside.
#[test]
fn two_containers_behind_one_address_are_distinguished() {
    const TEST: &str = "two_containers_behind_one_address_are_distinguished";
    if is_run_elsewhere(TEST, &["nft", "conntrack"]) {
        return;
    }
    let behind = Behind::new();
    let far = [format!("tcp {FAR} listen"), format!("udp {FAR} broadcast")];
    let _world = behind.helper(1, &[&far[0], &far[1]]);
    for (protocol, name) in [(Protocol::Tcp, "tcp"), (Protocol::Udp, "udp")] {
        let insides = [(0, "10.98.0.2"), (2, "10.99.0.2")];
        let helpers = insides.map(|(place, ip)| {
            let mut helper = behind.helper(place, &[&format!("{name} {ip}:5000 to={FAR}")]);
            if protocol == Protocol::Udp {
                helper.tell(&format!("send {FAR}"));
            }
            helper
        });
        let mut tables = Tables::new();
        let mut queries = Vec::new();
        for ((_, ip), helper) in insides.iter().zip(&helpers) {
            let query = behind_host(protocol, ip);
            let known = tables.check(&query, helper, &format!("{ip}:5000 -> {FAR}"));
            assert_eq!(tables.confirm(&query, &known), Confirmed::Same, "{query}");
            queries.push((query, known));
        }
        assert_ne!(queries[0].0, queries[1].0);
        drop(helpers);
        for (query, known) in queries {
            // The rest of a connection exists for a while, and the table remembers its owner.
            let answer = tables.table.find(&query).unwrap();
            let is_same = answer.verdict == known.verdict && protocol == Protocol::Tcp;
            assert!(
                is_same || !answer.verdict.is_named(),
                "wrong owner: {answer:?}"
            );
            assert_eq!(shown(&answer), shown(&known));
            let confirmed = tables.confirm(&query, &known);
            assert!(
                matches!(confirmed, Confirmed::Gone | Confirmed::Closed),
                "{query}: {confirmed:?}"
            );
        }
    }
}

/// A proxy on the host listens on the port as well, for connections from the host itself.
#[test]
fn the_server_behind_a_port_forward_is_named() {
    const TEST: &str = "the_server_behind_a_port_forward_is_named";
    if is_run_elsewhere(TEST, &["nft"]) {
        return;
    }
    let behind = Behind::new();
    let proxy = Helper::new(&["tcp 0.0.0.0:8000 listen"]);
    let mut server = behind.helper(0, &["tcp 10.98.0.2:80"]);
    let _client = behind.helper(1, &["tcp 10.97.0.2:6000 to=10.97.0.1:8000"]);
    let mut tables = Tables::new();
    let forwarded = query(Protocol::Tcp, "10.97.0.1:8000", "10.97.0.2:6000");
    let from = "10.98.0.2:80 -> 10.97.0.2:6000";
    let known = tables.check(&forwarded, &server, from);
    server.tell("accept");
    let accepted = tables.check(&forwarded, &server, from);
    for known in [known, accepted] {
        assert_eq!(tables.confirm(&forwarded, &known), Confirmed::Same);
    }
    // The port itself belongs to the proxy.
    let local = "10.97.0.1:8000".parse().unwrap();
    let own = tables
        .table
        .find(&SocketQuery::new(Protocol::Tcp, local, None));
    let pids = own
        .unwrap()
        .verdict
        .processes()
        .iter()
        .map(|it| it.pid)
        .collect::<Vec<_>>();
    assert_eq!(pids, [proxy.pid()]);
}

/// A container connects to itself, or to its neighbour, through the address of the host.
#[test]
fn both_ends_of_a_hairpin_are_named() {
    const TEST: &str = "both_ends_of_a_hairpin_are_named";
    if is_run_elsewhere(TEST, &["nft"]) {
        return;
    }
    let behind = Behind::new();
    let server = behind.helper(0, &["tcp 10.98.0.2:80"]);
    let itself = behind.helper(0, &["tcp 10.98.0.2:6001 to=10.97.0.1:8000"]);
    let neighbour = behind.helper(2, &["tcp 10.99.0.2:6002 to=10.97.0.1:8000"]);
    let mut tables = Tables::new();
    // As the packet leaves one container, and as it arrives at the other.
    let out = query(Protocol::Tcp, "10.97.0.1:8000", "10.98.0.2:6001");
    let back = query(Protocol::Tcp, "10.98.0.1:6001", "10.98.0.2:80");
    tables.check(&out, &server, "10.98.0.2:80 -> 10.98.0.1:6001");
    tables.check(&back, &itself, "10.98.0.2:6001 -> 10.97.0.1:8000");
    let out = query(Protocol::Tcp, "10.97.0.1:8000", "10.99.0.2:6002");
    tables.check(&out, &server, "10.98.0.2:80 -> 10.99.0.2:6002");
    // The neighbour's own packets, on the device that leads to it.
    let own = query(Protocol::Tcp, "10.99.0.2:6002", "10.97.0.1:8000");
    let answer = tables.find(&own);
    let pids = answer.verdict.processes().iter().map(|it| it.pid);
    assert_eq!(pids.collect::<Vec<_>>(), [neighbour.pid()], "{answer:?}");
    assert_eq!(shown(&answer), "");
    // On the device that leads to the server, the far end is still the neighbour.
    let there = query(Protocol::Tcp, "10.99.0.2:6002", "10.98.0.2:80");
    let answer = tables.find(&there);
    let pids = answer.verdict.processes().iter().map(|it| it.pid);
    assert_eq!(pids.collect::<Vec<_>>(), [neighbour.pid()], "{answer:?}");
    assert_eq!(shown(&answer), "10.99.0.2:6002 -> 10.97.0.1:8000");
}

#[test]
fn a_connection_that_conntrack_has_forgotten_is_unknown() {
    const TEST: &str = "a_connection_that_conntrack_has_forgotten_is_unknown";
    if is_run_elsewhere(TEST, &["nft", "conntrack"]) {
        return;
    }
    let behind = Behind::new();
    let _world = behind.helper(1, &[&format!("udp {FAR} broadcast")]);
    let mut first = behind.helper(0, &["udp 10.98.0.2:5000 broadcast"]);
    let mut second = behind.helper(2, &["udp 10.99.0.2:5000 broadcast"]);
    first.tell(&format!("send {FAR}"));
    let mut tables = Tables::new();
    let outside = behind_host(Protocol::Udp, "10.98.0.2");
    let known = tables.check(&outside, &first, &format!("10.98.0.2:5000 -> {FAR}"));
    conntrack("-F");
    let confirmed = tables.confirm(&outside, &known);
    assert!(
        matches!(confirmed, Confirmed::Gone | Confirmed::Changed),
        "{confirmed:?}"
    );
    let answer = tables.find(&outside);
    assert_eq!(answer.verdict, Verdict::Unknown(Reason::NotFound));
    // The ends on the outside belong to another container by now.
    second.tell(&format!("send {FAR}"));
    assert_eq!(behind_host(Protocol::Udp, "10.99.0.2"), outside);
    assert_eq!(tables.confirm(&outside, &known), Confirmed::Changed);
    tables.check(&outside, &second, &format!("10.99.0.2:5000 -> {FAR}"));
    // And then to the host itself.
    conntrack("-F");
    let mut host = Helper::new(&["udp 10.97.0.1:5000 broadcast"]);
    host.tell(&format!("send {FAR}"));
    assert_eq!(tables.confirm(&outside, &known), Confirmed::Changed);
    let answer = tables.find(&outside);
    let pids = answer.verdict.processes().iter().map(|it| it.pid);
    assert_eq!(pids.collect::<Vec<_>>(), [host.pid()], "{answer:?}");
    assert_eq!(shown(&answer), "");
}

/// The address of a service stands for that of a server, which packets have on the way out.
#[test]
fn a_client_of_a_service_address_is_named() {
    const TEST: &str = "a_client_of_a_service_address_is_named";
    if is_run_elsewhere(TEST, &["nft"]) {
        return;
    }
    let behind = Behind::new();
    nft("add rule ip nat pre ip daddr 192.0.2.53 dnat to 10.97.0.2");
    nft("add chain ip nat out { type nat hook output priority -100 ; }");
    nft("add rule ip nat out ip daddr 192.0.2.53 dnat to 10.97.0.2");
    flowner_testing::namespace::ip("route add 192.0.2.0/24 via 10.97.0.2");
    let _world = behind.helper(1, &[&format!("tcp {FAR} listen")]);
    let service = "192.0.2.53:9000";
    let container = behind.helper(0, &[&format!("tcp 10.98.0.2:5001 to={service}")]);
    let host = Helper::new(&[&format!("tcp 10.97.0.1:5002 to={service}")]);
    let mut tables = Tables::new();
    let outside = query(Protocol::Tcp, "10.97.0.1:5001", FAR);
    tables.check(
        &outside,
        &container,
        &format!("10.98.0.2:5001 -> {service}"),
    );
    let outside = query(Protocol::Tcp, "10.97.0.1:5002", FAR);
    let answer = tables.find(&outside);
    let pids = answer.verdict.processes().iter().map(|it| it.pid);
    assert_eq!(pids.collect::<Vec<_>>(), [host.pid()], "{answer:?}");
    assert_eq!(shown(&answer), format!("10.97.0.1:5002 -> {service}"));
    assert_eq!(tables.confirm(&outside, &answer), Confirmed::Same);
    drop(host);
    assert_eq!(tables.confirm(&outside, &answer), Confirmed::Closed);
}

/// A cgroup with a name like those of Docker containers, until it is dropped.
struct Group(std::path::PathBuf);

impl Group {
    fn new(id: &str) -> Option<Self> {
        // A cgroup of version 2, or of systemd's hierarchy of version 1.
        let mounts = ["", "unified", "systemd"].map(|mount| format!("/sys/fs/cgroup/{mount}"));
        let mount = mounts.iter().map(std::path::Path::new);
        let mut mount = mount.filter(|mount| mount.join("cgroup.procs").exists());
        let path = mount.next()?.join(format!("docker-{id}.scope"));
        std::fs::create_dir(&path).ok()?;
        Some(Self(path))
    }

    fn add(&self, helper: &Helper) {
        std::fs::write(self.0.join("cgroup.procs"), helper.pid().to_string()).unwrap();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Its processes have exited, but may still exist.
        for _ in 0..1_000 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

/// Docker's files are those of the test, in its own mount namespace.
#[test]
fn a_container_behind_the_host_has_its_name_and_image() {
    const TEST: &str = "a_container_behind_the_host_has_its_name_and_image";
    if is_run_elsewhere(TEST, &["nft"]) {
        return;
    }
    let pid = std::process::id();
    let id = format!("{:0>64x}", u64::from(pid) + (now() << 24));
    let Some(group) = Group::new(&id) else {
        flowner_testing::skipped!("no cgroup may be made in /sys/fs/cgroup");
        return;
    };
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "none", "/var/lib"])
        .status();
    assert!(mounted.unwrap().success());
    let directory = format!("/var/lib/docker/containers/{id}");
    std::fs::create_dir_all(&directory).unwrap();
    let file =
        format!(r#"{{"ID":"{id}","Name":"/web","Config":{{"Image":"nginx:1.27","Labels":{{}}}}}}"#);
    std::fs::write(format!("{directory}/config.v2.json"), file).unwrap();
    let behind = Behind::new();
    let _world = behind.helper(1, &[&format!("udp {FAR} broadcast")]);
    let mut container = behind.helper(0, &["udp 10.98.0.2:5000 broadcast"]);
    group.add(&container);
    container.tell(&format!("send {FAR}"));
    let mut tables = Tables::new();
    let outside = query(Protocol::Udp, "10.97.0.1:5000", FAR);
    let answer = tables.check(&outside, &container, &format!("10.98.0.2:5000 -> {FAR}"));
    let unit = answer.verdict.unit().unwrap();
    assert_eq!(
        (&*unit.name, unit.to_string()),
        (&*id, "container web".to_owned())
    );
    let image = unit.container().unwrap().image.clone();
    assert_eq!(image.as_deref(), Some("nginx:1.27"));
    drop(container);
}

/// The current second, so that numbers differ from one run to the next.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap().as_secs()
}

/// The kernel may change the id of an echo request as it does a port.
#[test]
fn an_echo_from_behind_the_host_is_named() {
    const TEST: &str = "an_echo_from_behind_the_host_is_named";
    if is_run_elsewhere(TEST, &["nft", "conntrack"]) {
        return;
    }
    if std::process::Command::new("ping")
        .arg("-V")
        .output()
        .is_err()
    {
        flowner_testing::skipped!("ping is not installed");
        return;
    }
    let behind = Behind::new();
    // It takes a socket of this kind if it may.
    let mut allow = behind.command(0);
    allow.args([
        "sh",
        "-c",
        "echo 0 2147483647 > /proc/sys/net/ipv4/ping_group_range",
    ]);
    assert!(allow.status().unwrap().success());
    let mut ping = behind.command(0);
    ping.args(["ping", "-q", "-i", "0.2", "10.97.0.2"]);
    let mut ping = ping.stdout(std::process::Stdio::null()).spawn().unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let id = loop {
        let listed = conntrack("-L -p icmp -s 10.98.0.2");
        let id = listed
            .rsplit("id=")
            .next()
            .filter(|_| listed.contains("type=0"));
        if let Some(id) = id {
            break id
                .split_whitespace()
                .next()
                .unwrap()
                .parse::<u16>()
                .unwrap();
        }
        assert!(std::time::Instant::now() < deadline, "no echo");
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    let mut tables = Tables::new();
    let [host, far] = ["10.97.0.1", "10.97.0.2"].map(|ip| ip.parse().unwrap());
    let query = SocketQuery::icmp_echo(id, host, far).as_sender();
    let answer = tables.table.find(&query).unwrap();
    let pids = answer.verdict.processes().iter().map(|it| it.pid);
    assert_eq!(pids.collect::<Vec<_>>(), [ping.id()], "{answer:?}");
    assert!(shown(&answer).starts_with("10.98.0.2:"), "{answer:?}");
    ping.kill().unwrap();
    ping.wait().unwrap();
}
