//! Sockets of real processes that are neither TCP nor UDP. Each test runs in its own network
//! namespace.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]

use std::io::{BufRead, BufReader, Lines};
use std::net::{IpAddr, SocketAddr};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use flowner_attribution::capture::{Observation, Observer};
use flowner_attribution::snapshot::linux::{LinuxOptions, LinuxTable};
use flowner_attribution::{
    Match, PacketKind, Protocol, Reason, Socket, SocketQuery, SocketTable, Verdict,
};
use flowner_testing::namespace::{ip, is_run_inside};

/// The script of the other processes, chosen by the first argument. Each reports that it is ready,
/// and ends with its standard input.
const SCRIPT: &str = r"
import socket, struct, sys
IP, IP6, PACKET = socket.AF_INET, socket.AF_INET6, socket.AF_PACKET
act, words, kept = sys.argv[1], sys.argv[2:], []

def sum16(data):
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff

def echo(ident, sequence):
    bare = struct.pack('!BBHHH', 8, 0, 0, ident, sequence) + b'12345678'
    return struct.pack('!BBHHH', 8, 0, sum16(bare), ident, sequence) + b'12345678'

def frame(source, target, number, hardware):
    data = struct.pack('!HHHH', 40000, 9102, 13, 0) + b'hello'
    head = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(data), 1, 0, 64, number, 0,
                       socket.inet_aton(source), socket.inet_aton(target))
    head = head[:10] + struct.pack('!H', sum16(head)) + head[12:]
    return bytes.fromhex('020000000002') + hardware + b'\x08\x00' + head + data

if act == 'all':
    kept.append(socket.socket(IP, socket.SOCK_RAW, 253))
    kept[-1].bind(('127.0.0.9', 0))
    kept.append(socket.socket(IP6, socket.SOCK_RAW, 58))
    kept.append(socket.socket(IP, socket.SOCK_DGRAM, 136))
    kept[-1].bind(('127.0.0.9', 7136))
    kept.append(socket.socket(IP, socket.SOCK_DGRAM, 1))
    kept[-1].bind(('127.0.0.9', 777))
    kept.append(socket.socket(PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)))
    kept[-1].bind(('lo', 0x0800))
elif act == 'raw':
    kept.append(socket.socket(IP, socket.SOCK_RAW, int(words[0])))
elif act == 'sniff':
    kept.append(socket.socket(PACKET, socket.SOCK_RAW, socket.htons(3)))
elif act == 'pinger':
    kept.append(socket.socket(IP, socket.SOCK_RAW, 1))
elif act == 'send':
    socket.socket(IP, socket.SOCK_RAW, int(words[0])).sendto(b'hello', (words[1], 0))
    sys.exit()
elif act == 'inject':
    sender = socket.socket(PACKET, socket.SOCK_RAW, 0)
    sender.bind((words[0], 0))
    sender.send(frame(words[1], words[2], int(words[3]), sender.getsockname()[4]))
    sys.exit()
print('ready', flush=True)
for line in sys.stdin:
    if act == 'pinger':
        words = line.split()
        kept[0].sendto(echo(int(words[0]), 1), (words[1], 0))
        print('sent', flush=True)
";

/// A process that holds sockets until it is dropped.
struct Python {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Python {
    /// `None`, with a message, if there is no Python.
    fn run(words: &[&str]) -> Option<Self> {
        let mut command = Command::new("python3");
        command.args(["-S", "-c", SCRIPT]).args(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let Ok(mut child) = command.spawn() else {
            flowner_testing::skipped!("python3 is not installed");
            return None;
        };
        Some(Self {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().unwrap()).lines(),
            child,
        })
    }

    /// The same, after it has opened its sockets.
    fn ready(words: &[&str]) -> Option<Self> {
        let mut python = Self::run(words)?;
        assert_eq!(python.output.next().unwrap().unwrap(), "ready");
        Some(python)
    }

    fn tell(&mut self, line: &str) {
        use std::io::Write;
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
        assert_eq!(self.output.next().unwrap().unwrap(), "sent");
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        drop(self.input.take());
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

fn pids(verdict: &Verdict) -> Vec<u32> {
    let processes = verdict.processes().iter();
    processes.map(|process| process.pid).collect()
}

/// A veth pair from `w0` with 10.77.0.1 to `p0`, without a host at the other end: all of
/// 10.77.0.0/24 has one hardware address.
/// hardware address.
fn wire() {
    ip("link set lo up");
    ip("link add w0 type veth peer name p0");
    ip("addr add 10.77.0.1/24 dev w0");
    ip("link set w0 up");
    ip("link set p0 up");
}

fn neighbour(host: u8) -> String {
    let address = format!("10.77.0.{host}");
    ip(&format!(
        "neigh replace {address} lladdr 02:00:00:00:00:02 dev w0"
    ));
    address
}

fn allow_ping_sockets() {
    std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 100").unwrap();
}

#[test]
fn sockets_of_every_family_are_listed_with_their_own_fields() {
    if is_run_inside("sockets_of_every_family_are_listed_with_their_own_fields") {
        return;
    }
    ip("link set lo up");
    allow_ping_sockets();
    let Some(python) = Python::ready(&["all"]) else {
        return;
    };
    for sock_diag in [true, false] {
        let mut options = LinuxOptions::default();
        options.sock_diag = sock_diag;
        let mut table = LinuxTable::with_options(&options).unwrap();
        let snapshot = table.snapshot().unwrap();
        let theirs = snapshot.held_by(python.pid());
        let theirs: Vec<&Socket> = theirs.collect();
        let one = |protocol, local: &str| {
            let local: SocketAddr = local.parse().unwrap();
            let is_it = |socket: &&&Socket| (socket.protocol, socket.local) == (protocol, local);
            let found = theirs.iter().find(is_it).copied();
            found.unwrap_or_else(|| panic!("{protocol} {local}: {theirs:?}"))
        };
        assert_eq!(theirs.len(), 5, "{theirs:?}");
        let raw = one(Protocol::Raw, "127.0.0.9:253");
        assert_eq!((raw.protocol_number(), raw.local_port()), (Some(253), None));
        let raw = one(Protocol::Raw, "[::]:58");
        assert_eq!(raw.protocol_number(), Some(58));
        let ping = one(Protocol::Icmp, "127.0.0.9:777");
        assert_eq!((ping.icmp_id(), ping.local_port()), (Some(777), None));
        let light = one(Protocol::UdpLite, "127.0.0.9:7136");
        assert_eq!(light.local_port(), Some(7_136));
        let packet = one(Protocol::Packet, "0.0.0.0:0");
        assert_eq!(packet.device, Some(1));
        let facts = packet.packet.unwrap();
        assert_eq!(
            (facts.kind, facts.ether_type),
            (PacketKind::Datagram, 0x0800)
        );
        assert_eq!(facts.has_filter, sock_diag.then_some(false));
        assert_eq!(packet.cookie().is_some(), sock_diag);
        for protocol in [Protocol::Icmp, Protocol::Raw, Protocol::Packet] {
            let owners = snapshot.sockets().iter();
            let mut owners = owners.filter(|socket| socket.protocol == protocol);
            assert!(owners.all(|socket| pids(&socket.owner) == [python.pid()]));
        }
    }
}

/// Checks that the table and its list agree: the owner, the match, or the reason.
#[track_caller]
fn check(
    table: &mut LinuxTable,
    query: &SocketQuery,
    (verdict, matched): (Verdicts<'_>, Option<Match>),
) {
    let listed = table.snapshot().unwrap().find(query);
    let found = table.find(query).unwrap();
    for answer in [&listed, &found] {
        let found = pids(&answer.verdict);
        match verdict {
            Verdicts::Pids(pids) => assert_eq!(found, pids, "{query}: {answer:?}"),
            Verdicts::Unknown(reason) => {
                assert_eq!(answer.verdict, Verdict::Unknown(reason), "{query}");
            }
        }
        assert_eq!(answer.evidence.matched, matched, "{query}");
    }
}

#[derive(Clone, Copy)]
enum Verdicts<'a> {
    Pids(&'a [u32]),
    Unknown(Reason),
}

#[test]
fn a_packet_without_port_is_attributed_to_all_matching_sockets() {
    use Verdicts::{Pids, Unknown};
    if is_run_inside("a_packet_without_port_is_attributed_to_all_matching_sockets") {
        return;
    }
    wire();
    allow_ping_sockets();
    let (here, far): (IpAddr, IpAddr) = ([10, 77, 0, 1].into(), [10, 77, 0, 2].into());
    let raw = SocketQuery::raw(253, here, Some(far));
    let mut table = LinuxTable::new().unwrap();
    check(&mut table, &raw, (Unknown(Reason::NotFound), None));
    let Some(one) = Python::ready(&["raw", "253"]) else {
        return;
    };
    let other = Python::ready(&["raw", "254"]).unwrap();
    let by_protocol = Some(Match::Protocol);
    check(&mut table, &raw, (Pids(&[one.pid()]), by_protocol));
    // No send watcher observed the sender.
    check(
        &mut table,
        &raw.as_sender(),
        (Unknown(Reason::PacketSocket), None),
    );
    let second = Python::ready(&["raw", "253"]).unwrap();
    let mut both = [one.pid(), second.pid()];
    both.sort_unstable();
    check(&mut table, &raw, (Pids(&both), by_protocol));
    drop(other);
    // Packets that the kernel itself answers, also beside raw sockets.
    let icmp = Python::ready(&["raw", "1"]).unwrap();
    let reply = SocketQuery::icmp_echo(0, here, far);
    check(&mut table, &reply, (Unknown(Reason::Kernel), None));
    check(
        &mut table,
        &reply.as_sender(),
        (Unknown(Reason::PacketSocket), None),
    );
    drop(icmp);
    check(
        &mut table,
        &reply.as_sender(),
        (Unknown(Reason::Kernel), None),
    );
    let report = SocketQuery::raw(2, here, Some([224, 0, 0, 22].into())).as_sender();
    check(&mut table, &report, (Unknown(Reason::Kernel), None));
    // A ping socket has its id for itself.
    let pings = Python::ready(&["all"]).unwrap();
    let (near, back): (IpAddr, IpAddr) = ([127, 0, 0, 9].into(), [127, 0, 0, 1].into());
    let echo = SocketQuery::icmp_echo(777, near, back);
    let exact = Some(Match::LocalEndpoint);
    check(&mut table, &echo, (Pids(&[pings.pid()]), exact));
    check(&mut table, &echo.as_sender(), (Pids(&[pings.pid()]), exact));
    let other = SocketQuery::icmp_echo(778, near, back);
    check(&mut table, &other, (Unknown(Reason::NotFound), None));
}

/// The send watchers, and their observations.
struct Watched {
    _observer: Box<dyn Observer>,
    seen: Receiver<Observation>,
}

impl Watched {
    /// `None`, with a message, if they do not run.
    fn new() -> Option<Self> {
        let mut options = LinuxOptions::default();
        options.realtime = true;
        let mut table = LinuxTable::with_options(&options).unwrap();
        // After this, the table knows earlier sockets.
        let _fast_lookup = table.fast_lookup();
        let mut observer = table.observer()?;
        let (tell, seen) = channel();
        observer.start(Arc::new(move |observation| {
            let _nobody_listens = tell.send(observation);
        }));
        let watched = Self {
            _observer: observer,
            seen,
        };
        // A process that may not capture packets observes none.
        ip("link set w0 up");
        Some(watched)
    }

    /// The observation for a query, whatever the device.
    fn of(&self, query: &SocketQuery) -> Option<Observation> {
        let end = Instant::now() + Duration::from_secs(5);
        while let Ok(seen) = self
            .seen
            .recv_timeout(end.saturating_duration_since(Instant::now()))
        {
            let seen_query = seen.query.on_device(0);
            if seen_query == query.as_sender() {
                return Some(seen);
            }
        }
        None
    }
}

/// How many of those who sent were named. Nobody else may be, alone or with others.
#[derive(Debug, Default)]
struct Score {
    named: usize,
    shared: usize,
    unknown: usize,
}

impl Score {
    #[track_caller]
    fn add(&mut self, seen: Option<&Observation>, pid: u32) {
        let named = seen
            .map(|seen| pids(&seen.owner.verdict))
            .unwrap_or_default();
        match &named[..] {
            [] => self.unknown += 1,
            [only] => {
                assert_eq!(*only, pid, "wrong owner: {seen:?}");
                self.named += 1;
            }
            several => {
                assert!(several.contains(&pid), "wrong owner for {pid}: {seen:?}");
                self.shared += 1;
            }
        }
    }
}

/// Repeats the test until one turn names enough senders: on a busy machine most senders exit before
/// a send watcher runs. No turn may give a wrong name.
#[track_caller]
fn until_named(wanted: usize, mut take_turn: impl FnMut(&mut Score)) -> Score {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let mut score = Score::default();
        take_turn(&mut score);
        if score.named >= wanted {
            return score;
        }
        let is_over = score.named + score.shared + score.unknown == 0;
        assert!(
            !is_over && Instant::now() < deadline,
            "{score:?}, not {wanted} named"
        );
    }
}

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 77, 0, 1));

#[test]
fn raw_senders_that_exit_at_once_are_named_beside_others() {
    if is_run_inside("raw_senders_that_exit_at_once_are_named_beside_others") {
        return;
    }
    wire();
    // It may have sent all of them, and does not run.
    let Some(_idle) = Python::ready(&["raw", "253"]) else {
        return;
    };
    let Some(watched) = Watched::new() else {
        flowner_testing::skipped!("no send watchers here");
        return;
    };
    // Each packet has its own number, because an observation may be late.
    let mut hosts = (10..250).map(neighbour);
    let score = until_named(10, |score| {
        for host in hosts.by_ref().take(20) {
            let sender = Python::run(&["send", "253", &host]).unwrap();
            let query = SocketQuery::raw(253, HERE, Some(host.parse().unwrap()));
            score.add(watched.of(&query).as_ref(), sender.pid());
        }
    });
    assert_eq!(score.shared, 0);
}

#[test]
fn two_concurrent_pings_are_distinguished() {
    if is_run_inside("two_concurrent_pings_are_distinguished") {
        return;
    }
    wire();
    let host = neighbour(9);
    let Some(mut one) = Python::ready(&["pinger"]) else {
        return;
    };
    let mut other = Python::ready(&["pinger"]).unwrap();
    let Some(watched) = Watched::new() else {
        flowner_testing::skipped!("no send watchers here");
        return;
    };
    let mut ids = 1..;
    until_named(10, |score| {
        for id in ids.by_ref().take(20) {
            let sender = if id % 2 == 0 { &mut one } else { &mut other };
            sender.tell(&format!("{id} {host}"));
            let query = SocketQuery::icmp_echo(id, HERE, host.parse().unwrap());
            score.add(watched.of(&query).as_ref(), sender.pid());
        }
    });
}

#[test]
fn a_sniffer_is_not_named_for_injected_frames() {
    if is_run_inside("a_sniffer_is_not_named_for_injected_frames") {
        return;
    }
    wire();
    let Some(watched) = Watched::new() else {
        flowner_testing::skipped!("no send watchers here");
        return;
    };
    for number in [17, 253] {
        let query = |host: &str| match number {
            17 => {
                let (here, far) = ("10.77.0.1:40000", format!("{host}:9102"));
                SocketQuery::udp(here.parse().unwrap(), far.parse().unwrap())
            }
            _ => SocketQuery::raw(number, HERE, Some(host.parse().unwrap())),
        };
        // Each frame has its own number, because an observation may be late.
        let mut hosts = 10..250;
        let mut inject = |score: &mut Score| {
            let host = hosts.next().expect("few turns are enough");
            let host = format!("10.77.0.{host}");
            let sender = Python::run(&["inject", "w0", "10.77.0.1", &host, &number.to_string()]);
            let sender = sender.unwrap();
            score.add(watched.of(&query(&host)).as_ref(), sender.pid());
        };
        if Python::run(&["send", "253", "127.0.0.1"]).is_none() {
            return;
        }
        let alone = until_named(5, |score| (0..10).for_each(|_| inject(score)));
        // The packet wakes it, so it runs as well.
        let _sniffer = Python::ready(&["sniff"]).unwrap();
        let mut beside = Score::default();
        (0..10).for_each(|_| inject(&mut beside));
        assert_eq!((alone.shared, beside.shared), (0, 0));
    }
}
