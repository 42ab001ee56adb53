//! The owners of bytes when sockets change hands, compared with what the processes say they sent.
//! Linux only: real processes, in a network namespace of their own.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]

use std::collections::HashMap;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use flowner_attribution::snapshot::linux::{LinuxOptions, LinuxTable};
use flowner_attribution::{Attributor, Error, Process, Snapshot, Socket, Source, Verdict};
use flowner_core::flows::Protocol;
use flowner_core::{Config, FlowRecord, Input, Monitor, Report};
use flowner_testing::LIST;

/// The action of the inner test.
const ACT: &str = "FLOWNER_TEST_ACT";

/// Runs an act in a network namespace of its own, with a monitor there.
fn check(act: &str) {
    let mut command = Command::new("unshare");
    command.arg("--net").arg(std::env::current_exe().unwrap());
    command.args(["--exact", "inner", "--ignored", "--nocapture"]);
    let Ok(output) = command.env(ACT, act).env_remove(LIST).output() else {
        flowner_testing::skipped!("unshare(1) is missing");
        return;
    };
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    if errors.contains("unshare failed") {
        flowner_testing::skipped!("no privilege to make a network namespace");
        return;
    }
    flowner_testing::relay(&errors);
    assert!(output.status.success(), "{act}:\n{printed}\n{errors}");
    eprintln!(
        "{act}: {}",
        printed
            .lines()
            .find(|line| line.contains("named"))
            .unwrap_or(&printed)
    );
}

/// In an act, that the kernel is not asked to report executed programs, which it does not everywhere.
const UNREPORTED: &str = "unreported";

fn without_reports() -> LinuxTable {
    let mut options = LinuxOptions::default();
    options.executions = false;
    LinuxTable::with_options(&options).unwrap()
}

/// How many bytes named show that more than the first actor is known, who sends 500.
const ENOUGH: u64 = 10_000;

/// Bytes by who is said to have sent them: a pid, or the name of a program.
type Sent = HashMap<String, u64>;

#[test]
#[ignore = "is run by the other tests, in a network namespace of its own"]
fn inner() {
    let act = std::env::var(ACT).expect("only the other tests run this");
    let words: Vec<&str> = act.split_whitespace().collect();
    let up = Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .status();
    if !up.is_ok_and(|up| up.success()) {
        flowner_testing::skipped!("ip(8) is missing");
        return;
    }
    serve();
    if words[0] == "scripted" {
        return another_owner_at_the_end();
    }
    let device = match words[0] {
        "elsewhere" => {
            link();
            "v0"
        }
        _ => "lo",
    };
    let config = Config {
        input: Input::Device(device.to_owned()),
        capture_filter: missed(words.get(4).copied()),
        ..Config::default()
    };
    let mut builder = Monitor::builder(&config);
    if words.contains(&UNREPORTED) {
        builder = builder.attributor(Attributor::with_table(without_reports()));
    }
    let monitor = builder.start().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/owners/actors.py");
    let mut script_command = Command::new("python3");
    script_command.arg(script).args(&words);
    let piped = script_command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut actors) = piped.spawn() else {
        flowner_testing::skipped!("python3 is missing");
        return;
    };
    // Some stay for that; others end before.
    let end = Instant::now() + Duration::from_secs(30);
    let is_enough = |report: &Report| named(report).values().sum::<u64>() > ENOUGH;
    while actors.try_wait().unwrap().is_none()
        && Instant::now() < end
        && !is_enough(&monitor.report())
    {
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = actors.wait_with_output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{lines}");
    let mut sent = Sent::new();
    for line in lines.lines().filter_map(|line| line.strip_prefix("sent ")) {
        let (who, bytes) = line.split_once(' ').unwrap();
        *sent.entry(who.to_owned()).or_default() += bytes.parse::<u64>().unwrap();
    }
    let all = sent.values().sum();
    let deadline = Instant::now() + Duration::from_secs(20);
    while counted(&monitor.report()) < all {
        assert!(Instant::now() < deadline, "not everything was seen");
        std::thread::sleep(Duration::from_millis(20));
    }
    let report = monitor.stop();
    // TCP sends again what was not acknowledged in time.
    let is_again = words[1] == "tcp" && counted(&report) > all;
    assert!(is_again || counted(&report) == all, "every byte once");
    compare(
        &report,
        &sent,
        ["storming", "at_once", "reopening", "sharing", "daemonising"].contains(&words[0]),
    );
}

/// What passes the filter of a capture that misses some segments.
fn missed(which: Option<&str>) -> Option<String> {
    let flags = match which? {
        UNREPORTED => return None,
        "openings" => "tcp-syn",
        _ => "tcp-syn|tcp-fin|tcp-rst",
    };
    Some(format!("udp or (tcp[tcpflags] & ({flags}) == 0)"))
}

/// A table that does not identify sockets, as the portable one, with one socket, until the test has
/// every list fail.
struct Anonymous {
    local: SocketAddr,
    fails: Arc<AtomicBool>,
}

impl flowner_attribution::SocketTable for Anonymous {
    fn source(&self) -> Source {
        Source::Portable
    }

    fn snapshot(&mut self) -> Result<Snapshot, Error> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(Error::Thread(std::io::Error::other("there is no list")));
        }
        let started = SystemTime::now();
        let owner = Verdict::Process(Arc::new(Process::new(1, "holder")));
        let protocol = flowner_attribution::Protocol::Udp;
        let sockets = vec![Socket::new(protocol, self.local, owner)];
        let finished = SystemTime::now();
        Ok(Snapshot::new(Source::Portable, started, finished, sockets))
    }
}

/// After the last list, another process may have the socket when it sends, until the capture ends.
fn another_owner_at_the_end() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect("127.0.0.1:7100").unwrap();
    let fails = Arc::new(AtomicBool::new(false));
    let table = Anonymous {
        local: socket.local_addr().unwrap(),
        fails: Arc::clone(&fails),
    };
    let config = Config {
        input: Input::Device("lo".to_owned()),
        ..Config::default()
    };
    let builder = Monitor::builder(&config).attributor(Attributor::with_table(table));
    let monitor = builder.start().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut first = 0;
    while named(&monitor.report()).is_empty() {
        assert!(Instant::now() < deadline, "the first holder is named");
        first += socket.send(&[0; 100]).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    fails.store(true, Ordering::Relaxed);
    let mut second = 0;
    for _ in 0..20 {
        second += socket.send(&[0; 1_000]).unwrap();
    }
    let (first, all) = (first as u64, (first + second) as u64);
    while counted(&monitor.report()) < all {
        assert!(Instant::now() < deadline, "not everything was seen");
    }
    let report = monitor.stop();
    let printed: Vec<String> = report.flows.iter().map(described).collect();
    assert_eq!(counted(&report), all, "every byte once");
    let named = named(&report).get("1").copied().unwrap_or_default();
    assert!(
        0 < named && named <= first,
        "nobody, or a wrong owner: {named} of {first}\n{printed:?}"
    );
    println!("named {named} of {all} bytes");
}

/// Makes a device that leads to another one, `v1`, and forwards what comes from there to a
/// device that takes everything.
fn link() {
    for command in [
        "link add v0 type veth peer v1",
        "address add 10.9.0.1/24 dev v0",
        "link set v0 up",
        "link add w0 type veth peer w1",
        "address add 10.8.0.1/24 dev w0",
        "link set w0 up arp off",
        "link set w1 up arp off",
    ] {
        let mut ip = Command::new("ip");
        let made = ip.args(command.split(' ')).status().unwrap();
        assert!(made.success(), "{command}");
    }
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
}

/// Takes what comes and answers nothing: then all that is counted is what the others sent.
fn serve() {
    let socket = UdpSocket::bind("127.0.0.1:7100").unwrap();
    let listener = TcpListener::bind("127.0.0.1:7100").unwrap();
    std::thread::spawn(move || while socket.recv(&mut [0; 2_000]).is_ok() {});
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _read = stream.unwrap().read_to_end(&mut Vec::new());
        }
    });
}

/// Payload of either end, but for what the kernel answers.
fn counted(report: &Report) -> u64 {
    let of_ours = report
        .flows
        .iter()
        .filter(|flow| [Protocol::TCP, Protocol::UDP].contains(&flow.protocol));
    of_ours.map(|flow| flow.total().payload_bytes).sum()
}

/// Whom the report names for what was sent.
fn named(report: &Report) -> Sent {
    let mut named = Sent::new();
    for flow in &report.flows {
        let ends = [
            (&flow.owner, flow.sent.payload_bytes),
            (&flow.remote_owner, flow.received.payload_bytes),
        ];
        for (owner, bytes) in ends {
            let processes = owner.iter().flat_map(|owner| owner.verdict.processes());
            let mut processes = processes.filter(|_| bytes > 0);
            if let (Some(process), None) = (processes.next(), processes.next()) {
                let pid = process.pid.to_string();
                let is_perl = process.name == "perl";
                let mut arguments = process.arguments.iter().flatten();
                let said = arguments.find_map(|it| it.to_str()?.strip_prefix("who="));
                let has_arguments = process.arguments.iter().flatten().next().is_some();
                let who = match said {
                    Some(who) => who.to_owned(),
                    // While a process executes a program, its arguments cannot be read: that does not
                    // tell which of two scripts it was.
                    None if is_perl && !has_arguments => continue,
                    None if is_perl => "perl".to_owned(),
                    None => pid,
                };
                *named.entry(who).or_default() += bytes;
            }
        }
    }
    named
}

fn compare(report: &Report, sent: &Sent, is_fast: bool) {
    let named = named(report);
    let printed: Vec<String> = report.flows.iter().take(20).map(described).collect();
    let printed = printed.join("\n");
    for (who, bytes) in &named {
        let true_bytes = sent.get(who).copied().unwrap_or_default();
        assert!(
            *bytes <= true_bytes,
            "wrong owner, {who}: {bytes} of {true_bytes}\n{printed}"
        );
    }
    let (named, all): (u64, u64) = (named.values().sum(), sent.values().sum());
    println!("named {named} of {all} bytes");
    // Else it says nothing that nothing is wrong. How much it is depends on how busy the
    // processors are. Where all is over within milliseconds, it may be nothing.
    assert!(named > 0 || is_fast, "nobody of {all}\n{printed}");
}

fn described(flow: &FlowRecord) -> String {
    let owner = |owner: &Option<flowner_core::attribution::Ownership>| {
        owner.as_ref().map_or_else(String::new, |owner| {
            let (matched, socket) = (owner.evidence.matched, owner.evidence.socket);
            format!("{} {matched:?} {socket:?}", owner.verdict)
        })
    };
    format!(
        "{} {} -> {}: {} and {} bytes, {:?}, {} | {}",
        flow.id,
        flow.local,
        flow.remote,
        flow.sent.payload_bytes,
        flow.received.payload_bytes,
        flow.ended,
        owner(&flow.owner),
        owner(&flow.remote_owner)
    )
}

#[test]
fn a_udp_port_is_used_again() {
    for (gap, pause) in [(0.05, 0.02), (2.0, 0.02), (0.0, 0.02), (0.0, 0.002)] {
        check(&format!("reuse udp {gap} {pause}"));
    }
    if std::env::var_os("FLOWNER_TEST_LONG").is_some() {
        for gap in [25, 65] {
            check(&format!("reuse udp {gap} 0.02"));
        }
    }
}

#[test]
fn a_descriptor_is_passed_on() {
    for kind in ["udp", "tcp"] {
        check(&format!("passing {kind} 0 0.02"));
    }
}

/// All who have it are named together, or none is.
#[test]
fn a_descriptor_is_passed_on_and_kept() {
    for kind in ["udp", "tcp"] {
        for way in ["passed", "counted", "taken", "forked", "turns", "three"] {
            check(&format!("sharing {kind} {way} 0.02"));
        }
    }
}

#[test]
fn a_connection_is_accepted_passed_on_and_kept() {
    for way in ["accepted", "listener"] {
        check(&format!("sharing tcp {way} 0.02"));
    }
}

#[test]
fn another_program_is_executed() {
    for kind in ["udp", "tcp"] {
        check(&format!("executing {kind} 0 0.02"));
    }
}

#[test]
fn the_same_interpreter_runs_another_program() {
    for kind in ["udp", "tcp"] {
        check(&format!("interpreting {kind} 0 0.02"));
    }
}

#[test]
fn a_udp_port_of_a_container_is_used_again() {
    for gap in [0.0, 0.05, 0.5] {
        check(&format!("elsewhere udp {gap} 0.02"));
    }
}

#[test]
fn a_child_keeps_the_socket() {
    for kind in ["udp", "tcp"] {
        check(&format!("leaving {kind} 0 0.02"));
    }
}

/// Its grandchild is there when its packets are looked at.
#[test]
fn a_process_goes_into_the_background_after_its_first_packet() {
    for kind in ["udp", "tcp"] {
        for pause in [0.0, 0.002] {
            check(&format!("daemonising {kind} 0 {pause}"));
        }
    }
}

#[test]
fn a_server_starts_a_process_for_a_connection() {
    check("forking tcp 0 0.02");
}

/// Each sends once. How much of it can be named depends on how busy the processors are: what was sent when
/// the program before was known, or the next one, is of neither.
#[test]
fn a_process_executes_one_program_after_the_other() {
    for pause in [0.0, 0.002, 0.015] {
        for kind in ["udp", "tcp"] {
            check(&format!("storming {kind} 0 {pause}"));
        }
    }
}

#[test]
fn a_process_executes_programs_and_the_kernel_does_not_report_it() {
    for kind in ["udp", "tcp"] {
        for pause in [0.0, 0.002] {
            check(&format!("storming {kind} 0 {pause} {UNREPORTED}"));
        }
        for (keeps, forks) in [(1, 0), (1, 1)] {
            check(&format!("at_once {kind} {keeps} {forks} {UNREPORTED}"));
        }
        check(&format!("executing {kind} 0 0.02 {UNREPORTED}"));
    }
}

/// The program that is executed then has the socket, or has inherited it, and has sent nothing.
#[test]
fn a_process_executes_another_program_right_after_its_first_packet() {
    for kind in ["udp", "tcp"] {
        for (keeps, forks) in [(1, 0), (0, 0), (1, 1)] {
            check(&format!("at_once {kind} {keeps} {forks}"));
        }
    }
}

/// From the same port to the same server: after a reset at once, else when the kernel gives the ends
/// to another connection, a second later.
#[test]
fn a_tcp_connection_is_opened_again_with_the_same_ends() {
    for (gap, pause) in [(0.0, 0.0), (0.0, 0.005), (0.05, 0.02), (1.2, 0.005)] {
        for missed in ["", " openings", " marks"] {
            check(&format!("reopening tcp {gap} {pause}{missed}"));
        }
    }
}

#[test]
fn a_udp_port_changes_hands_within_milliseconds() {
    for gap in [0.0, 0.002] {
        check(&format!("handing udp {gap} 0"));
        check(&format!("handing udp {gap} 1"));
    }
}

#[test]
fn one_socket_has_many_peers() {
    check("many udp 0 0.2");
}

#[test]
fn what_came_after_the_last_list_of_a_table_without_identities_has_no_owner() {
    check("scripted");
}
