//! That no owner is lost for fewer privileges, and what each of those that are kept is for.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]

mod common;

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::namespace::Namespace;
use common::privileged::{ALL, By, Stage};
use flowner_testing::wait_until;

/// A process that holds a socket, with its name.
struct Holder {
    child: std::process::Child,
    port: u16,
}

impl Holder {
    fn new(mut command: Command) -> Self {
        // A port that is free here is free in a new network.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let address = format!("TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork");
        command.args([&address, "PIPE"]);
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        Self { child, port }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_waited = self.child.wait();
    }
}

/// A line without the time at which a process began, which may read a tick earlier or later.
fn without_start(line: &str) -> String {
    let Some((before, rest)) = line.split_once("\"started\":\"") else {
        return line.to_owned();
    };
    let (_, after) = rest.split_once('"').unwrap();
    format!("{before}{}", without_start(after))
}

/// The lines about a port, without start times.
#[track_caller]
fn owners(stage: &Stage, by: By, arguments: &[&str], port: u16, is_known: &str) -> Vec<String> {
    let port = port.to_string();
    let mut answer = Vec::new();
    wait_until("an owner", || {
        let output = stage.run(by, &[&["who", "--json", &port], arguments].concat());
        let lines = common::stdout(&output);
        // In other network namespaces, another process may have the same port.
        let lines = lines.lines().filter(|line| line.contains("socat"));
        answer = lines.map(without_start).collect();
        answer.iter().any(|line| line.contains(is_known))
    });
    answer
}

#[test]
fn no_owner_is_lost() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let Some(network) = Namespace::new() else {
        return;
    };
    let has_socat = Command::new("socat").arg("-V").output();
    if has_socat.is_err() {
        flowner_testing::skipped!("no socat to hold sockets");
        return;
    }
    let as_user = |program: &str| {
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid=65533",
            "--regid=65533",
            "--clear-groups",
            "--",
            program,
        ]);
        command
    };
    let elsewhere = |program: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--", program]);
        command
    };
    let holders = [
        ("here", Command::new("socat")),
        ("another user's", as_user("socat")),
        ("in another network", network.command("socat")),
        ("with files of its own", elsewhere("socat")),
    ];
    for (what, command) in holders {
        let mut holder = Holder::new(command);
        let without = owners(
            &stage,
            By::Root,
            &["--no-sandbox"],
            holder.port,
            "\"name\":\"socat\"",
        );
        for by in ALL {
            let with = owners(&stage, by, &[], holder.port, "socat");
            assert_eq!(with, without, "{what}, {by:?}");
        }
        assert!(holder.child.try_wait().unwrap().is_none());
    }
}

/// The use of each capability: without it, part of the answer is missing.
#[test]
fn each_capability_is_needed() {
    let (Some(stage), Some(network)) = (Stage::new(), Namespace::new()) else {
        return;
    };
    if Command::new("socat").arg("-V").output().is_err() {
        flowner_testing::skipped!("no socat to hold sockets");
        return;
    }
    let here = Holder::new(Command::new("socat"));
    let there = Holder::new(network.command("socat"));
    let is_told = |without: &str, port: u16| {
        stage.give_all_but(without);
        let output = stage.run(By::Capabilities, &["who", "--json", &port.to_string()]);
        common::stdout(&output).contains("\"name\":\"socat\"")
    };
    wait_until("both", || is_told("", here.port) && is_told("", there.port));
    for (without, here_is, there_is) in [
        ("cap_dac_read_search", false, false),
        ("cap_sys_ptrace", false, false),
        ("cap_sys_admin", true, false),
        ("cap_net_raw", true, true),
        ("cap_net_admin", true, true),
        ("cap_sys_nice", true, true),
    ] {
        assert_eq!(
            is_told(without, here.port),
            here_is,
            "here without {without}"
        );
        assert_eq!(
            is_told(without, there.port),
            there_is,
            "there without {without}"
        );
    }
}

/// Two networks with a cable between them: 10.90.0.1 here, 10.90.0.2 there.
fn cable() -> Option<[Namespace; 2]> {
    let (here, there) = (Namespace::new()?, Namespace::new()?);
    let peer = there.name();
    here.ip(&format!(
        "link add near type veth peer name far netns {peer}"
    ));
    here.ip("addr add 10.90.0.1/24 dev near");
    here.ip("link set near up");
    there.ip("addr add 10.90.0.2/24 dev far");
    there.ip("link set far up");
    Some([here, there])
}

/// How often a busy machine may find an owner too late.
const TIMES: u8 = 5;

/// Has `watch` see one connection across the cable, which another user opens here, and gives the
/// name of who owns it.
#[track_caller]
fn watched(
    stage: &Stage,
    by: By,
    sandbox: &[&str],
    networks: &[Namespace; 2],
    port: u16,
) -> Option<String> {
    let mut command = stage.command_in(&networks[0], by);
    command
        .args(sandbox)
        .args(["watch", "-i", "near", "--json"]);
    let running = common::Running::spawn(&mut command);
    running.line_with(|line| line.contains("\"type\":\"start\""));
    let client = networks[0]
        .command("setpriv")
        .args(["--reuid=65533", "--regid=65533", "--clear-groups", "--"])
        // It lives for long enough to be found on any host: what is tried here is who may look.
        .args(["socat", "-u", "SYSTEM:echo hello; sleep 0.2"])
        .arg(format!("TCP:10.90.0.2:{port}"))
        .status();
    assert!(client.unwrap().success());
    let line = running.line_with(|line| {
        line.contains("\"type\":\"flow\"") && line.contains(&format!(":{port}\""))
    });
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let name = &line["owner"]["processes"][0]["name"];
    name.as_str().map(str::to_owned)
}

#[test]
fn watching_names_the_same_with_and_without() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let Some(networks) = cable() else {
        return;
    };
    if Command::new("socat").arg("-V").output().is_err() {
        flowner_testing::skipped!("no socat to hold sockets");
        return;
    }
    // Another user's, in another network.
    let mut server = networks[1].command("setpriv");
    server.args([
        "--reuid=65533",
        "--regid=65533",
        "--clear-groups",
        "--",
        "socat",
    ]);
    server.args(["-u", "TCP-LISTEN:7007,reuseaddr,fork", "OPEN:/dev/null"]);
    let mut server = server.spawn().unwrap();
    let listens = || {
        let mut list = networks[1].command("ss");
        let listed = list.args(["-Hltn", "sport = :7007"]).output().unwrap();
        !listed.stdout.is_empty()
    };
    wait_until("a server", listens);
    // A busy machine may find the owner too late. Nobody else is named then.
    let is_named = |by, sandbox: &[&str]| {
        (0..TIMES).any(|_| {
            let name = watched(&stage, by, sandbox, &networks, 7007);
            let is_right = name.as_deref().is_none_or(|name| name == "socat");
            assert!(is_right, "wrong owner, {by:?} {sandbox:?}: {name:?}");
            name.is_some()
        })
    };
    assert!(is_named(By::Root, &["--no-sandbox"]));
    for by in ALL {
        assert!(is_named(by, &[]), "{by:?}");
    }
    let _already_gone = server.kill();
    server.wait().unwrap();
}

/// The scheduling policy of each watcher (`proc_pid_stat(5)`, field 41).
fn policies_of_watchers(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    let tasks = tasks.into_iter().flatten().flatten();
    let stats = tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
    let of_watchers = stats.filter(|stat| stat.contains("(flowner-watch-"));
    let policy = |stat: String| {
        let (_, fields) = stat.rsplit_once(')').unwrap();
        fields.split_whitespace().nth(38).unwrap().parse().unwrap()
    };
    of_watchers.map(policy).collect()
}

/// `SCHED_FIFO` in include/uapi/linux/sched.h.
const FIFO: u32 = 1;

/// What the capabilities are for that only capturing needs.
#[test]
fn watching_takes_what_it_is_given() {
    let Some(stage) = Stage::new() else {
        return;
    };
    stage.give_all_but("cap_net_raw");
    let output = stage.run(
        By::Capabilities,
        &["watch", "-i", "lo", "--duration", "10ms"],
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(common::stderr(&output).contains("no permission"));
    // Where there is one CPU, nothing watches.
    let processors = std::thread::available_parallelism().unwrap().get();
    if processors < 2 {
        flowner_testing::skipped!("watchers take two processors");
        return;
    }
    for (without, expected) in [("", true), ("cap_sys_nice", false)] {
        stage.give_all_but(without);
        let mut command = stage.command(By::Capabilities);
        command.args(["watch", "-i", "lo"]).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let mut policies = Vec::new();
        let mut at = None;
        wait_until("watchers", || {
            policies = policies_of_watchers(child.id());
            let is_fifo = policies.contains(&FIFO);
            // A thread takes its precedence once it runs; who gets none is given time to.
            let since = *at.get_or_insert_with(Instant::now);
            let is_late = since.elapsed() > Duration::from_secs(2);
            policies.len() >= processors && (is_fifo || (!expected && is_late))
        });
        assert_eq!(policies.contains(&FIFO), expected, "without {without}");
        let _already_gone = child.kill();
        child.wait().unwrap();
    }
}

/// Without `CAP_NET_ADMIN`, conntrack does not answer; its list in `/proc`, or silence, does.
#[test]
fn who_has_the_port_of_what_is_translated_is_never_named() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let (Some(host), Some(inner), Some(world)) =
        (Namespace::new(), Namespace::new(), Namespace::new())
    else {
        return;
    };
    for tool in ["nft", "socat"] {
        if Command::new(tool).arg("-V").output().is_err() {
            flowner_testing::skipped!("no {tool}");
            return;
        }
    }
    for (net, other) in [(98, &inner), (97, &world)] {
        let name = other.name();
        host.ip(&format!(
            "link add n{net} type veth peer name far netns {name}"
        ));
        host.ip(&format!("addr add 10.{net}.0.1/24 dev n{net}"));
        host.ip(&format!("link set n{net} up"));
        other.ip(&format!("addr add 10.{net}.0.2/24 dev far"));
        other.ip("link set far up");
    }
    inner.ip("route add default via 10.98.0.1");
    let mut forward = host.command("sh");
    forward.args(["-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
    assert!(forward.status().unwrap().success());
    for rule in [
        "add table ip nat",
        "add chain ip nat post { type nat hook postrouting priority 100 ; }",
        "add rule ip nat post oifname n97 masquerade",
    ] {
        let made = host.command("nft").arg(rule).output().unwrap();
        assert!(made.status.success(), "{rule}: {made:?}");
    }
    let receive = |network: &Namespace, port: u16| {
        let mut command = network.command("socat");
        command.args(["-u", &format!("UDP-RECV:{port}"), "OPEN:/dev/null"]);
        command.spawn().unwrap()
    };
    let mut receivers = [receive(&host, 5000), receive(&world, 9000)];
    let mut send = inner.command("socat");
    send.args([
        "-u",
        "EXEC:echo hello",
        "UDP-SENDTO:10.97.0.2:9000,bind=10.98.0.2:5000",
    ]);
    assert!(send.status().unwrap().success());
    let ask = |by: By, sandbox: &[&str]| {
        let mut command = stage.command_in(&host, by);
        command.args(sandbox);
        command.args(["who", "--json", "udp", "10.97.0.1:5000", "10.97.0.2:9000"]);
        common::stdout(&command.output().unwrap())
    };
    let is_translated = |answer: &str| answer.contains("translated") && !answer.contains("socat");
    wait_until("a translation", || {
        is_translated(&ask(By::Root, &["--no-sandbox"]))
    });
    for by in ALL {
        let answer = ask(by, &[]);
        assert!(is_translated(&answer), "{by:?}: {answer}");
    }
    stage.give_all_but("cap_net_admin");
    let answer = ask(By::Capabilities, &[]);
    assert!(
        answer.contains("unknown") && !answer.contains("socat"),
        "{answer}"
    );
    for receiver in &mut receivers {
        let _already_gone = receiver.kill();
        receiver.wait().unwrap();
    }
}
