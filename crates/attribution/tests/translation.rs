//! Packets that this host translates for others, with ports that its own sockets have.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]

mod helper;

use std::process::Command;
use std::time::SystemTime;

use flowner_attribution::snapshot::linux::LinuxTable;
use flowner_attribution::{
    Glance, Opened, Ownership, Protocol, Question, Reason, SocketQuery, SocketTable, Verdict,
};
use helper::Helper;
use helper::netns::{ip, is_run_inside};

/// This host, with 10.98.0.1 towards a container and 10.97.0.1 towards the world: two
/// namespaces, which are removed at the end.
struct Behind([String; 2]);

impl Behind {
    fn new() -> Self {
        let names = ["c", "w"].map(|end| format!("flowner-nat-{end}-{}", std::process::id()));
        let behind = Self(names);
        ip("link set lo up");
        for (name, net) in behind.0.iter().zip([98, 97]) {
            ip(&format!("netns add {name}"));
            ip(&format!(
                "link add n{net} type veth peer name far netns {name}"
            ));
            ip(&format!("addr add 10.{net}.0.1/24 dev n{net}"));
            ip(&format!("link set n{net} up"));
            ip(&format!("-n {name} addr add 10.{net}.0.2/24 dev far"));
            ip(&format!("-n {name} link set far up"));
        }
        ip(&format!(
            "-n {} route add default via 10.98.0.1",
            behind.0[0]
        ));
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        for rule in [
            "add table ip nat",
            "add chain ip nat post { type nat hook postrouting priority 100 ; }",
            "add rule ip nat post oifname n97 masquerade",
            "add chain ip nat pre { type nat hook prerouting priority -100 ; }",
            "add rule ip nat pre udp dport 7070 dnat to 10.98.0.2:7071",
        ] {
            let output = Command::new("nft").arg(rule).output().unwrap();
            assert!(output.status.success(), "{rule}: {output:?}");
        }
        behind
    }

    fn helper(&self, end: usize, sockets: &[&str]) -> Helper {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0[end]]);
        Helper::through(command, sockets)
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        for name in &self.0 {
            ip(&format!("netns del {name}"));
        }
    }
}

struct Asked {
    table: LinuxTable,
    glance: Box<dyn Glance>,
}

impl Asked {
    fn find(&mut self, protocol: Protocol, local: &str, remote: &str) -> Ownership {
        let (local, remote) = (local.parse().unwrap(), remote.parse().unwrap());
        let query = SocketQuery::new(protocol, local, Some(remote));
        let answer = self.table.find(&query).unwrap();
        let question = Question {
            query,
            seen_at: SystemTime::now(),
            opened: Opened::Earlier,
        };
        if let Some(fast) = self.glance.glance(&question).told() {
            assert_eq!(fast.verdict, answer.verdict, "{query}");
        }
        answer
    }
}

#[track_caller]
fn check(answer: &Ownership, pid: u32) {
    let pids: Vec<u32> = answer.verdict.processes().iter().map(|p| p.pid).collect();
    assert_eq!(pids, [pid], "{answer:?}");
}

#[test]
fn who_has_the_port_of_what_is_translated_is_not_named() {
    if Command::new("nft").arg("--version").output().is_err() {
        eprintln!("SKIPPED: nothing here translates addresses without nft");
        return;
    }
    if is_run_inside("who_has_the_port_of_what_is_translated_is_not_named") {
        return;
    }
    let behind = Behind::new();
    let mut host = Helper::new(&["udp 0.0.0.0:5000 broadcast"]);
    let others = Helper::new(&["udp 10.97.0.1:7070 broadcast", "tcp 0.0.0.0:8080 listen"]);
    let mut table = LinuxTable::new().unwrap();
    let glance = table.glance().unwrap();
    let mut asked = Asked { table, glance };
    let far = "10.97.0.2:9000";
    // Nothing is translated yet.
    check(
        &asked.find(Protocol::Udp, "10.97.0.1:5000", far),
        host.pid(),
    );
    check(
        &asked.find(Protocol::Tcp, "10.97.0.1:8080", far),
        others.pid(),
    );

    let mut world = behind.helper(
        1,
        &["tcp 10.97.0.2:9000 listen", "udp 10.97.0.2:9000 broadcast"],
    );
    let mut container = behind.helper(0, &["udp 10.98.0.2:5000 broadcast"]);
    container.tell(&format!("send {far}"));
    let translated = Verdict::Unknown(Reason::Translated);
    let answer = asked.find(Protocol::Udp, "10.97.0.1:5000", far);
    assert_eq!(answer.verdict, translated);
    // A connection from the port on which the host listens.
    let connection = behind.helper(0, &[&format!("tcp 10.98.0.2:8080 to={far}")]);
    let answer = asked.find(Protocol::Tcp, "10.97.0.1:8080", far);
    assert_eq!(answer.verdict, translated);
    // What comes to a port that leads to the container.
    let mut client = behind.helper(1, &["udp 10.97.0.2:9001 broadcast"]);
    client.tell("send 10.97.0.1:7070");
    let answer = asked.find(Protocol::Udp, "10.97.0.1:7070", "10.97.0.2:9001");
    assert_eq!(answer.verdict, translated);

    // What the host itself sends is its own, also from the same port.
    host.tell("send 10.97.0.2:9002");
    check(
        &asked.find(Protocol::Udp, "10.97.0.1:5000", "10.97.0.2:9002"),
        host.pid(),
    );
    // So is what conntrack does not know.
    check(
        &asked.find(Protocol::Udp, "10.97.0.1:5000", "10.97.0.2:9003"),
        host.pid(),
    );
    check(
        &asked.find(Protocol::Tcp, "10.97.0.1:8080", "10.97.0.2:9003"),
        others.pid(),
    );
    drop((connection, container));
    world.tell("close");
}
