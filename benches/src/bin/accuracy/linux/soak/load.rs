//! The mixed load: processes that come and go, and what they do with their sockets.

use std::io::Read;
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use flowner_benches::random::Random;

use super::judge::Batch;
use crate::platform::Result;
use crate::platform::stage::read_lines;
use crate::platform::told::Told;
use crate::platform::venue::{DEVICES, Side, Venue};

/// How long a server may take to begin.
const PATIENCE: Duration = Duration::from_secs(20);
/// Ports of senders: each is used in one way, so that lines and truth meet.
const FIRST_PORT: u32 = 10_000;
const PORTS: u32 = 55_000;
/// Ports that the kernel picks, which are others.
pub(super) const PICKED_PORTS: &str = "2000 9999";

/// Servers and sinks, which are there all the time.
#[derive(Debug, Default)]
pub(super) struct Servers {
    processes: Vec<Child>,
    /// The sides of the observed host's address, and what listens there.
    pub(super) places: Vec<Place>,
}

/// One way out of the watched host, with who listens at its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The host's address there.
    pub(super) from: std::net::IpAddr,
    pub(super) serve_tcp: SocketAddr,
    pub(super) serve_udp: SocketAddr,
    pub(super) sink_tcp: SocketAddr,
    pub(super) sink_udp: SocketAddr,
}

/// An end that stays.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) protocol: &'static str,
    pub(super) at: SocketAddr,
    /// Who of the watched host holds it.
    pub(super) pids: Vec<u32>,
}

impl Servers {
    /// Starts all; also returns the owner of each end.
    pub(super) fn start(
        venue: &Venue,
        (lines, told): (&Sender<String>, &Receiver<String>),
    ) -> Result<(Self, Vec<Known>)> {
        let mut servers = Self::default();
        let mut known = Vec::new();
        let [first, second] = &DEVICES;
        let ways = [
            (Side::Here, "127.0.0.1", "127.0.0.1"),
            (Side::Here, "::1", "::1"),
            (Side::Client, first.peer, first.here),
            (Side::Server, second.peer, second.here),
        ];
        for (side, listen, from) in ways {
            let end = SocketAddr::new(listen.parse()?, 0).to_string();
            let from_end = format!("from={end}");
            let roles: [(&'static str, Vec<&str>); 4] = [
                ("tcp", vec!["serve-tcp", &end, "alone"]),
                ("udp", vec!["serve-udp", &end, "alone"]),
                ("tcp", vec!["sink", "kind=tcp", &from_end]),
                ("udp", vec!["sink", "kind=udp", &from_end]),
            ];
            let mut ends = Vec::new();
            for (protocol, role) in roles {
                let (at, pid) = servers.serve(venue, side, &role, (lines, told))?;
                ends.push(at);
                let pids = if side == Side::Here {
                    vec![pid]
                } else {
                    vec![]
                };
                known.push(Known { protocol, at, pids });
            }
            let [serve_tcp, serve_udp, sink_tcp, sink_udp] = ends[..] else {
                return Err("four ends are four".into());
            };
            servers.places.push(Place {
                from: from.parse()?,
                serve_tcp,
                serve_udp,
                sink_tcp,
                sink_udp,
            });
        }
        Ok((servers, known))
    }

    fn serve(
        &mut self,
        venue: &Venue,
        side: Side,
        role: &[&str],
        (lines, told): (&Sender<String>, &Receiver<String>),
    ) -> Result<(SocketAddr, u32)> {
        let mut process = venue.role(side, role).stdout(Stdio::piped()).spawn()?;
        read_lines(&mut process, lines.clone());
        let pid = process.id();
        self.processes.push(process);
        let line = told.recv_timeout(PATIENCE);
        let line = line.map_err(|_| format!("{role:?} does not begin"))?;
        let at = line.strip_prefix("ready ").ok_or("no server")?;
        Ok((at.parse()?, pid))
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _gone_already = process.kill();
            let _gone_already = process.wait();
        }
    }
}

/// What all who make load share.
pub(super) struct Load<'a> {
    pub(super) venue: &'a Venue,
    pub(super) places: &'a [Place],
    pub(super) until: Instant,
    pub(super) stop: &'a AtomicBool,
    pub(super) ports: AtomicU32,
    pub(super) processes: AtomicU32,
}

impl Load<'_> {
    pub(super) fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || Instant::now() >= self.until
    }

    /// An unused port, until the numbers start over.
    pub(super) fn port(&self) -> u16 {
        let number = self.ports.fetch_add(1, Ordering::Relaxed);
        u16::try_from(FIRST_PORT + number % PORTS).unwrap_or(u16::MAX)
    }

    /// Plays roles one after the other until it is over.
    pub(super) fn run(&self, seed: u64, batches: &Sender<Batch>) -> Result<()> {
        let mut random = Random::new(seed);
        while !self.is_over() {
            let told = self.act(&mut random)?;
            let is_exact = true;
            if batches.send(Batch { told, is_exact }).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Something that a program does.
    fn act(&self, random: &mut Random) -> Result<Vec<Told>> {
        let place = random.pick(self.places);
        let from = SocketAddr::new(place.from, self.port());
        match random.below(100) {
            0..35 => self.exchange(random, &place, from),
            35..50 => self.stream(random, &place, from),
            50..55 => self.long_stream(random, &place, from),
            55..75 => self.port_used_again(random, &place, from),
            75..92 => self.hand_over(random, &place, from),
            92..95 => {
                let count = format!("count={}", 2 + random.below(10));
                let (kind, to) = kind_and_sink(random, &place);
                self.play(&["thread", &kind, &format!("from={from}"), &to, &count])
            }
            _ => self.hold_together(random, &place),
        }
    }

    /// A request and an answer, by a process that lives for a moment. The server writes down
    /// who it was.
    fn exchange(&self, random: &mut Random, place: &Place, from: SocketAddr) -> Result<Vec<Told>> {
        let kind = random.pick(&["tcp", "tcp", "udp", "udp-connected"]);
        let linger = random.pick(&["0", "0", "1", "10", "200"]);
        let to = if kind == "tcp" {
            place.serve_tcp
        } else {
            place.serve_udp
        };
        let (from, to) = (from.to_string(), to.to_string());
        self.play(&["client", kind, &from, &to, linger, "1"])
    }

    fn stream(&self, random: &mut Random, place: &Place, from: SocketAddr) -> Result<Vec<Told>> {
        let (kind, to) = kind_and_sink(random, place);
        let count = format!("count={}", 1 + random.below(10));
        let gap = format!("gap={}", random.below(30));
        let linger = random.pick(&["linger=0", "linger=50"]);
        let from = format!("from={from}");
        self.play(&["stream", &kind, &from, &to, &count, &gap, linger])
    }

    /// One that lives for some seconds.
    fn long_stream(
        &self,
        random: &mut Random,
        place: &Place,
        from: SocketAddr,
    ) -> Result<Vec<Told>> {
        const GAP_MS: u64 = 20;
        let (kind, to) = kind_and_sink(random, place);
        let left = self.until.saturating_duration_since(Instant::now());
        let most = u64::try_from(left.as_millis()).unwrap_or(0) / GAP_MS;
        let count = (100 + random.below(500)).min(most + 1);
        let (count, gap) = (format!("count={count}"), format!("gap={GAP_MS}"));
        self.play(&[
            "stream",
            &kind,
            &format!("from={from}"),
            &to,
            &count,
            &gap,
            "linger=50",
        ])
    }

    /// Several processes, one after the other, with the same end.
    fn port_used_again(
        &self,
        random: &mut Random,
        place: &Place,
        from: SocketAddr,
    ) -> Result<Vec<Told>> {
        let kind = random.pick(&["kind=udp", "kind=udp-connected"]);
        let (from, to) = (format!("from={from}"), format!("to={}", place.sink_udp));
        let mut told = Vec::new();
        for _ in 0..2 + random.below(2) {
            let count = format!("count={}", 1 + random.below(12));
            told.extend(self.play(&["stream", kind, &from, &to, &count, "gap=10"])?);
            std::thread::sleep(Duration::from_millis(random.pick(&[0, 0, 50, 1_000])));
        }
        Ok(told)
    }

    /// A socket that is passed on, or inherited, or a process that executes another program.
    fn hand_over(&self, random: &mut Random, place: &Place, from: SocketAddr) -> Result<Vec<Told>> {
        let (kind, to) = kind_and_sink(random, place);
        let how = random.pick(&["how=pass", "how=exec", "how=fork"]);
        let first = format!("first={}", 1 + random.below(6));
        let then = format!("then={}", 1 + random.below(20));
        let from = format!("from={from}");
        self.play(&["hand-over", &kind, how, &from, &to, &first, &then])
    }

    /// Two processes that hold a socket together, one after the other or at once.
    fn hold_together(&self, random: &mut Random, place: &Place) -> Result<Vec<Told>> {
        let tcp = place.serve_tcp.to_string();
        // It sends from 127.0.0.1.
        let here = self.places[0].serve_udp.to_string();
        match random.below(4) {
            0 => self.play(&["pass", &here, "kept"]),
            1 => self.play(&["pass", &here, "given"]),
            2 => self.play(&["exec", &tcp]),
            _ => self.play(&["fork", &tcp]),
        }
    }

    /// Plays a role to its end, and reads what it and its children write down.
    pub(super) fn play(&self, role: &[&str]) -> Result<Vec<Told>> {
        let mut process = self
            .venue
            .role(Side::Here, role)
            .stdout(Stdio::piped())
            .spawn()?;
        self.processes.fetch_add(1, Ordering::Relaxed);
        let mut text = String::new();
        if let Some(out) = &mut process.stdout {
            // Until all who have it have ended.
            out.read_to_string(&mut text)?;
        }
        let status = process.wait()?;
        if !status.success() && !self.stop.load(Ordering::Relaxed) {
            return Err(format!("{role:?} ended with {status}").into());
        }
        text.lines().map(str::parse).collect()
    }
}

/// How a sender sends, and to whom.
fn kind_and_sink(random: &mut Random, place: &Place) -> (String, String) {
    let kind = random.pick(&["tcp", "udp", "udp-connected"]);
    let to = if kind == "tcp" {
        place.sink_tcp
    } else {
        place.sink_udp
    };
    (format!("kind={kind}"), format!("to={to}"))
}
