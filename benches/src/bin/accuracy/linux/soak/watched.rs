//! The program that is watched while it watches: `flowner watch --json`, its lines, and what it
//! takes of the machine.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::platform::Result;
use crate::platform::other_program::{OTHER_PROGRAM, OTHER_SUFFIX};
use crate::platform::truth::Answer;

/// How long it may take to begin, and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// One flow, from its line.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) protocol: String,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) owner: Answer,
    pub(super) remote_owner: Answer,
    pub(super) sent: Counted,
    pub(super) received: Counted,
}

/// Frames and their bytes on the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) packets: u64,
    pub(super) bytes: u64,
}

impl std::ops::AddAssign for Counted {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

/// What the program says at its end.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Summary {
    /// With the copies on other devices.
    pub(super) total: Counted,
    /// Packets on other devices of their way.
    pub(super) seen_again: Counted,
    pub(super) undecodable: Counted,
    /// In flows that have no line.
    pub(super) unlisted: Counted,
    pub(super) dropped: u64,
}

/// What a process takes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    pub(super) resident_kib: u64,
    pub(super) descriptors: u64,
    pub(super) threads: u64,
}

/// The program, until it is dropped.
#[derive(Debug)]
pub(super) struct Watched {
    process: Child,
    lines: Receiver<String>,
    /// Bytes of the header that a frame of this capture begins with.
    pub(super) header: u64,
    /// Lines that are no flows, and not of the end.
    pub(super) remarks: Vec<String>,
    pub(super) summary: Option<Summary>,
}

impl Watched {
    /// Starts it, and returns when it captures.
    pub(super) fn start(program: &Path, device: &str) -> Result<Self> {
        let mut process = Command::new(program)
            .args(["watch", "--json", "-i", device])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let out = process.stdout.take().ok_or("no output")?;
        let (lines, read) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(std::io::Result::ok) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
        let mut watched = Self {
            process,
            lines: read,
            header: 0,
            remarks: Vec::new(),
            summary: None,
        };
        let first = watched.lines.recv_timeout(PATIENCE);
        let first: Value = serde_json::from_str(&first.map_err(|_| "it does not start")?)?;
        // Of the devices, whose headers count.
        watched.header = match first["link_type"].as_str() {
            Some("LINUX_SLL" | "EN10MB") => 14,
            other => return Err(format!("an unknown link type: {other:?}").into()),
        };
        Ok(watched)
    }

    /// What it wrote since this was called last.
    pub(super) fn news(&mut self) -> Result<Vec<Line>> {
        let mut found = Vec::new();
        loop {
            match self.lines.try_recv() {
                Ok(line) => found.extend(self.read(&line)?),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return Ok(found),
            }
        }
    }

    /// What it takes now; an error if it is gone.
    pub(super) fn usage(&self) -> Result<Usage> {
        let folder = format!("/proc/{}", self.process.id());
        let status = fs::read_to_string(format!("{folder}/status"))?;
        let number = |key: &str| -> Result<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let word = line.and_then(|line| line.split_whitespace().next());
            Ok(word.ok_or("it has ended")?.parse()?)
        };
        Ok(Usage {
            resident_kib: number("VmRSS:")?,
            descriptors: fs::read_dir(format!("{folder}/fd"))?.count() as u64,
            threads: number("Threads:")?,
        })
    }

    /// Asks it to end, and reads what it has left to say.
    pub(super) fn stop(&mut self) -> Result<(Vec<Line>, ExitStatus)> {
        if let Some(pid) = Pid::from_raw(self.process.id().cast_signed()) {
            let _gone_already = rustix::process::kill_process(pid, Signal::INT);
        }
        let mut found = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        // Its output is closed when it has ended.
        while let Ok(line) = self
            .lines
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            found.extend(self.read(&line)?);
        }
        if Instant::now() >= deadline {
            return Err("it does not end".into());
        }
        Ok((found, self.process.wait()?))
    }

    fn read(&mut self, line: &str) -> Result<Option<Line>> {
        let value: Value = serde_json::from_str(line)?;
        match value["type"].as_str() {
            Some("flow") => return flow(&value),
            Some("summary") => self.summary = Some(summary(&value)),
            Some("start" | "program" | "process" | "host" | "service" | "protocol") => {}
            _ => self.remarks.push(line.to_owned()),
        }
        Ok(None)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _gone_already = self.process.kill();
        let _gone_already = self.process.wait();
    }
}

/// A flow with ports at its ends; the processes record no other flows.
fn flow(value: &Value) -> Result<Option<Line>> {
    let text = |key: &str| value[key].as_str().ok_or("a line without its ends");
    let (protocol, local, remote) = (text("protocol")?, text("local")?, text("remote")?);
    let ends = local.parse().and_then(|local| Ok((local, remote.parse()?)));
    let (local, remote) = if let ("tcp" | "udp", Ok(ends)) = (protocol, ends) {
        ends
    } else {
        // Kept for the sums.
        let nowhere = SocketAddr::from(([0; 4], 0));
        (nowhere, nowhere)
    };
    Ok(Some(Line {
        protocol: protocol.to_owned(),
        local,
        remote,
        owner: answer(&value["owner"]),
        remote_owner: answer(&value["remote_owner"]),
        sent: counted(&value["sent"]),
        received: counted(&value["received"]),
    }))
}

fn summary(value: &Value) -> Summary {
    let mut undecodable = Counted::default();
    for reason in value["undecodable"].as_object().into_iter().flatten() {
        undecodable += counted(reason.1);
    }
    // The kernel counts a packet on each device.
    let seen_again = counted(&value["seen_again"]);
    let mut total = counted(&value["total"]);
    total += seen_again;
    Summary {
        total,
        seen_again,
        undecodable,
        unlisted: counted(&value["unlisted"]),
        dropped: value["dropped"].as_u64().unwrap_or(0),
    }
}

fn counted(value: &Value) -> Counted {
    let number = |key: &str| value[key].as_u64().unwrap_or(0);
    Counted {
        packets: number("packets"),
        bytes: number("bytes"),
    }
}

/// An owner in the harness's words.
fn answer(owner: &Value) -> Answer {
    let processes = owner["processes"].as_array();
    let processes = processes.map_or(&[][..], Vec::as_slice);
    let pids = processes.iter().filter_map(|process| {
        let path = process["path"].as_str().unwrap_or_default();
        let pid = u32::try_from(process["pid"].as_u64()?).ok()?;
        let is_other = path.ends_with(OTHER_SUFFIX);
        Some(pid + if is_other { OTHER_PROGRAM } else { 0 })
    });
    match owner["verdict"].as_str() {
        Some("process" | "shared") => Answer::Named(pids.collect()),
        Some("partial") => Answer::Partial(owner["user"].as_str().map(|user| match user {
            "root" => 0,
            other => other.parse().unwrap_or(u32::MAX),
        })),
        _ => Answer::Unknown(
            owner["reason"]
                .as_str()
                .unwrap_or("nobody-asked")
                .to_owned(),
        ),
    }
}
