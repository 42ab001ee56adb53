//! Starts the processes of one case, collects what is true and what was observed.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::Result;
use super::bytes::{self, Seen, Sent};
use super::plan::Plan;
use super::told::Told;
use super::truth::{Answer, HeldBy, Outcome, Truth, Worth, judge};
use super::venue::{Place, Side, Venue};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The processes of one case.
#[derive(Debug)]
pub(crate) struct Stage {
    observed: Receiver<String>,
    stop: Option<ChildStdin>,
    /// The observer first.
    processes: Vec<Child>,
    told: (Sender<String>, Receiver<String>),
    /// Lines that no caller has waited for yet.
    kept: Vec<String>,
    truths: Vec<Truth>,
    /// Messages that processes sent, where each message is judged.
    sent: Vec<Sent>,
    venue: Venue,
}

impl Stage {
    /// Starts the observer, and returns when it captures.
    pub(crate) fn open(table: &str, place: Place) -> Result<Self> {
        let venue = Venue::open(place)?;
        let mut process = venue
            .observer()
            .args(["role", "observe", table, place.device()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (lines, observed) = channel();
        read_lines(&mut process, lines);
        let stop = process.stdin.take();
        if next_line(&observed)? != "ready" {
            return Err("the observer did not start".into());
        }
        Ok(Self {
            observed,
            stop,
            processes: vec![process],
            told: channel(),
            kept: Vec::new(),
            truths: Vec::new(),
            sent: Vec::new(),
            venue,
        })
    }

    /// Plays a client's role to its end.
    pub(crate) fn play(&self, arguments: &[&str]) -> Result<()> {
        self.venue.play(arguments)
    }

    /// Plays a client's role as often as planned.
    pub(crate) fn play_many(&self, arguments: &[&str], plan: Plan) -> Result<()> {
        let Plan { count, at_once } = plan;
        let venue = &self.venue;
        std::thread::scope(|scope| {
            let share = |thread| (count + thread) / at_once;
            let players: Vec<_> = (0..at_once)
                .map(|thread| {
                    scope.spawn(move || {
                        for _ in 0..share(thread) {
                            venue.play(arguments).map_err(|error| error.to_string())?;
                        }
                        Ok::<(), String>(())
                    })
                })
                .collect();
            for player in players {
                player.join().map_err(|_| "a player failed")??;
            }
            Ok(())
        })
    }

    /// Runs a role to its end, and counts its lines.
    pub(crate) fn perform(&mut self, side: Side, arguments: &[&str]) -> Result<()> {
        let place = self.start(side, arguments)?;
        self.finish(place)
    }

    /// Starts a role; its lines count when it is [finished](Self::finish).
    pub(crate) fn start(&mut self, side: Side, arguments: &[&str]) -> Result<usize> {
        let mut process = self
            .venue
            .role(side, arguments)
            .stdout(Stdio::piped())
            .spawn()?;
        read_lines(&mut process, self.told.0.clone());
        self.processes.push(process);
        Ok(self.processes.len() - 1)
    }

    /// Waits until a role that was started ends well.
    pub(crate) fn finish(&mut self, place: usize) -> Result<()> {
        let status = self.processes[place].wait()?;
        if !status.success() {
            return Err(format!("a role ended with {status}").into());
        }
        Ok(())
    }

    /// Records that no process of the observed host sent so many messages.
    pub(crate) fn nobody_sent(&mut self, way: bytes::Way, messages: u64) {
        self.sent.push(Sent {
            way,
            pid: None,
            messages,
        });
    }

    /// Says that no process has the receiving end, either.
    pub(crate) fn nobody_received(&mut self, (protocol, from, to): bytes::Way) {
        self.truths.push(Truth {
            protocol,
            local: to,
            remote: from,
            is_server: true,
            held_by: HeldBy::default(),
        });
    }

    /// Waits until so many processes reported what they sent.
    pub(crate) fn await_sent(&mut self, count: usize) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.sent.iter().filter(|sent| sent.pid.is_some()).count() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.told.1.recv_timeout(left);
            self.note(line.map_err(|_| format!("{} of {count} senders told", self.sent.len()))?)?;
        }
        Ok(())
    }

    /// The index of a device of the observed host.
    pub(crate) fn index_of(device: &str) -> Result<u32> {
        let socket = rustix::net::socket(
            rustix::net::AddressFamily::INET,
            rustix::net::SocketType::DGRAM,
            None,
        )?;
        Ok(rustix::net::netdevice::name_to_index(&socket, device)?)
    }

    /// Starts a server; its address and pid.
    pub(crate) fn serve(&mut self, arguments: &[&str]) -> Result<(SocketAddr, u32)> {
        self.serve_at(Side::Server, arguments)
    }

    /// As [`serve`](Self::serve), on a side.
    pub(crate) fn serve_at(&mut self, side: Side, arguments: &[&str]) -> Result<(SocketAddr, u32)> {
        let mut server = self
            .venue
            .role(side, arguments)
            .stdout(Stdio::piped())
            .spawn()?;
        let pid = server.id();
        read_lines(&mut server, self.told.0.clone());
        self.processes.push(server);
        let line = self.await_line("ready ")?;
        Ok((line.parse()?, pid))
    }

    /// Waits for a line of a server that begins like this.
    pub(crate) fn await_line(&mut self, start: &str) -> Result<String> {
        let kept = self.kept.iter().position(|line| line.starts_with(start));
        let line = match kept {
            Some(place) => self.kept.remove(place),
            None => loop {
                let line = next_line(&self.told.1)?;
                if line.starts_with(start) {
                    break line;
                }
                self.note(line)?;
            },
        };
        Ok(line[start.len()..].to_owned())
    }

    fn note(&mut self, line: String) -> Result<()> {
        match line.parse()? {
            Told::End(truth) => self.truths.push(truth),
            Told::Sent(sent) => self.sent.push(sent),
            Told::Other => self.kept.push(line),
        }
        Ok(())
    }

    /// Waits until so many ends were written down.
    pub(crate) fn await_truths(&mut self, count: usize) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.truths.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.told.1.recv_timeout(left);
            let line = line.map_err(|_| format!("{} of {count} ends told", self.truths.len()))?;
            self.note(line)?;
        }
        Ok(())
    }

    /// Servers are not on the observed host.
    pub(crate) fn judge_clients(&mut self) {
        self.truths.retain(|truth| !truth.is_server);
    }

    /// Clients are not on the observed host, which shows the end of servers as this one: they are what
    /// is judged first, in place of clients.
    pub(crate) fn judge_servers_at(&mut self, shown: SocketAddr) {
        self.truths.retain(|truth| truth.is_server);
        for truth in &mut self.truths {
            (truth.local, truth.is_server) = (shown, false);
        }
    }

    /// These fit the sockets of servers as well as those that were asked.
    pub(crate) fn add_alike(&mut self, pids: &[u32]) {
        for truth in self.truths.iter_mut().filter(|truth| truth.is_server) {
            truth.held_by.alike.extend(pids);
        }
    }

    /// Each of two clients that sent at once, from neighbouring ports, might have sent what the other did.
    pub(crate) fn pair_clients(&mut self) {
        let clients = self.truths.iter().filter(|truth| !truth.is_server);
        let sent: Vec<(u16, Vec<u32>)> = clients
            .map(|truth| (truth.local.port(), truth.held_by.always.clone()))
            .collect();
        for truth in self.truths.iter_mut().filter(|truth| !truth.is_server) {
            let partner = truth.local.port() ^ 1;
            let partners = sent.iter().filter(|(port, _)| *port == partner);
            let pids = partners.flat_map(|(_, pids)| pids.iter().copied());
            truth.held_by.alike.extend(pids);
        }
    }

    /// Stops everything, and judges what was observed.
    pub(crate) fn close(mut self) -> Result<Vec<Outcome>> {
        if let Some(mut stop) = self.stop.take() {
            stop.write_all(b"\n")?;
        }
        let mut answers: HashMap<(String, SocketAddr, SocketAddr), Vec<Answer>> = HashMap::new();
        let mut seen = Vec::new();
        loop {
            let line = next_line(&self.observed)?;
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                [
                    "flow",
                    protocol,
                    local,
                    remote,
                    owner,
                    remote_owner,
                    sent,
                    received,
                ] => {
                    let (local, remote) = (local.parse()?, remote.parse()?);
                    let mut put = |from, to, answer: &str, bytes: &str| -> Result<()> {
                        let way = (protocol.to_owned(), from, to);
                        let answer: Answer = answer.parse()?;
                        seen.push(Seen {
                            way: way.clone(),
                            answer: answer.clone(),
                            bytes: bytes.parse()?,
                        });
                        answers.entry(way).or_default().push(answer);
                        Ok(())
                    };
                    put(local, remote, owner, sent)?;
                    put(remote, local, remote_owner, received)?;
                }
                ["done"] => break,
                _ => return Err(format!("the observer said: {line}").into()),
            }
        }
        let truths = std::mem::take(&mut self.truths);
        let uid = self.venue.place.uid();
        let mut judged = outcomes(&truths, &mut answers, uid);
        judged.extend(bytes::judge(&self.sent, &seen, uid));
        Ok(judged)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _gone_already = process.kill();
            let _gone_already = process.wait();
        }
    }
}

/// Flows with the same ends come in the order in which they were opened.
fn outcomes(
    truths: &[Truth],
    answers: &mut HashMap<(String, SocketAddr, SocketAddr), Vec<Answer>>,
    uid: u32,
) -> Vec<Outcome> {
    let mut judged = HashSet::new();
    let key_of = |truth: &Truth| (truth.protocol.clone(), truth.local, truth.remote);
    // Ends that one connection had.
    let mut times = HashMap::new();
    for truth in truths.iter().filter(|truth| truth.protocol == "tcp") {
        *times.entry(key_of(truth)).or_insert(0) += 1;
    }
    times.retain(|_, times| *times == 1);
    let alone: HashSet<_> = times.into_keys().collect();
    let outcome = |truth: &Truth| {
        let key = key_of(truth);
        let told = answers.get_mut(&key).filter(|told| !told.is_empty());
        let answer = told.map(|told| told.remove(0));
        // Datagrams between the same ends are one flow, no matter which process got the port again.
        let is_first = judged.insert(key.clone());
        if answer.is_none() && !is_first && truth.protocol == "udp" {
            return None;
        }
        let mut worth = match &answer {
            Some(answer) => judge(&truth.held_by, answer, uid),
            None => Worth::Missing,
        };
        // Where others turn out to hold the socket, too, the rest of the flow is another one.
        if let Some(told) = answers.get_mut(&key).filter(|_| alone.contains(&key)) {
            let rest = told.drain(..).map(|rest| judge(&truth.held_by, &rest, uid));
            worth = rest.fold(worth, Worth::with_rest);
        }
        let HeldBy {
            always,
            sometimes,
            alike,
        } = &truth.held_by;
        Some(Outcome {
            is_server: truth.is_server,
            worth,
            words: format!(
                "{} {} -> {}: always {always:?}, sometimes {sometimes:?}, alike {alike:?}; told {answer:?}",
                truth.protocol, truth.local, truth.remote
            ),
        })
    };
    truths.iter().filter_map(outcome).collect()
}

/// Passes the lines on that a process writes, until it ends.
pub(crate) fn read_lines(process: &mut Child, lines: Sender<String>) {
    if let Some(out) = process.stdout.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(std::io::Result::ok) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
    }
}

fn next_line(lines: &Receiver<String>) -> Result<String> {
    let line = lines.recv_timeout(PATIENCE);
    Ok(line.map_err(|_| "a process that should tell something does not")?)
}
