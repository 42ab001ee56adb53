//! One situation played once, and the verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use super::generator::Count;
use super::lab::{Crossed, Lab};
use super::situations::{Place, Situation};
use super::watcher::{Flow, Owner, Watcher};
use super::{Options, Result};

/// What the last packets take from the device to the program: its buffer is read ten times a
/// second at least.
const SETTLE: Duration = Duration::from_millis(500);
/// By how much bytes may be off, in per cent.
const TOLERANCE: u64 = 10;

/// What came out.
#[derive(Debug)]
pub(crate) struct Trial {
    /// Processes that ran, and those of them that were named.
    pub(crate) processes: usize,
    pub(crate) named: usize,
    /// Named in place of a process of the situation.
    pub(crate) wrong: BTreeSet<String>,
    /// Bytes without an owner, by reason.
    pub(crate) unknown: BTreeMap<String, u64>,
    /// The program's bytes, and what is right; `None` where no bytes are judged.
    pub(crate) sent: Option<(u64, u64)>,
    pub(crate) received: Option<(u64, u64)>,
}

impl Trial {
    pub(crate) fn is_detected(&self) -> bool {
        self.named == self.processes && self.wrong.is_empty()
    }

    pub(crate) fn counts_right(&self) -> bool {
        [self.sent, self.received]
            .into_iter()
            .flatten()
            .all(|(found, right)| found.abs_diff(right) * 100 <= right * TOLERANCE)
    }
}

pub(crate) fn play(options: &Options, lab: &Lab, situation: &Situation) -> Result<Trial> {
    let program = Program::copied()?;
    let mut watcher = Watcher::start(options)?;
    lab.reset()?;
    let mut ran = Ran::default();
    for _ in 0..situation.times {
        let started = situation.plans.iter().map(|plan| {
            let command = lab.process(&program.path, situation.place, plan, options.is_quick);
            Ok(command?.spawn()?)
        });
        let started: Vec<Child> = started.collect::<Result<_>>()?;
        started.into_iter().try_for_each(|child| ran.wait(child))?;
    }
    std::thread::sleep(SETTLE);
    let crossed = lab.crossed()?;
    let flows = watcher.stop()?;
    let right = match situation.place {
        // Nothing crossed the device. Headers are small there, with packets of 64 KiB.
        Place::Loopback => Crossed {
            sent: ran.count.sent,
            received: ran.count.received,
        },
        Place::Host | Place::Container => crossed,
    };
    Ok(judge(situation, &program, &ran, right, &flows))
}

fn judge(
    situation: &Situation,
    program: &Program,
    ran: &Ran,
    right: Crossed,
    flows: &[Flow],
) -> Trial {
    let path = program.path.to_string_lossy().into_owned();
    let server = program.server.to_string_lossy().into_owned();
    let mut trial = Trial {
        processes: ran.pids.len(),
        named: 0,
        wrong: BTreeSet::new(),
        unknown: BTreeMap::new(),
        sent: None,
        received: None,
    };
    let mut named = BTreeSet::new();
    let mut found = Crossed::default();
    for flow in flows {
        if !Lab::concerns(&flow.remote) && !Lab::concerns(&flow.local) {
            continue;
        }
        let sides = [
            (&flow.owner, flow.sent, flow.received),
            (&flow.remote_owner, flow.received, flow.sent),
        ];
        let own = sides.iter().find(|(owner, ..)| owner.is(&path));
        if let Some((Owner::Named { pids, .. }, sent, received)) = own {
            named.extend(pids);
            found.sent += sent;
            found.received += received;
            continue;
        }
        match &flow.owner {
            Owner::Named { .. } if flow.owner.is(&server) => {}
            Owner::Named { paths, .. } => trial.wrong.extend(paths.iter().cloned()),
            Owner::Unknown(reason) => {
                *trial.unknown.entry(reason.clone()).or_default() += flow.sent + flow.received;
            }
        }
    }
    trial.named = ran.pids.intersection(&named).count();
    trial.sent = situation.judges_sent.then_some((found.sent, right.sent));
    trial.received = situation
        .judges_received
        .then_some((found.received, right.received));
    trial
}

impl Owner {
    /// Whether it is processes of this program, and of no other.
    fn is(&self, path: &str) -> bool {
        matches!(self, Self::Named { paths, .. } if paths.iter().eq([path]))
    }
}

/// The processes that ran, and what they counted.
#[derive(Debug, Default)]
struct Ran {
    pids: BTreeSet<u32>,
    count: Count,
}

impl Ran {
    fn wait(&mut self, mut child: Child) -> Result<()> {
        self.pids.insert(child.id());
        let mut line = String::new();
        let mut out = child.stdout.take().ok_or("no output")?;
        out.read_to_string(&mut line)?;
        let status = child.wait()?;
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        match (status.success(), numbers.next(), numbers.next()) {
            (true, Some(Ok(sent)), Some(Ok(received))) => {
                self.count.sent += sent;
                self.count.received += received;
                Ok(())
            }
            _ => Err(format!("a process ended with {status}: {line}").into()),
        }
    }
}

/// A copy of this program that is another one than the server, and than that of other trials.
#[derive(Debug)]
struct Program {
    path: PathBuf,
    server: PathBuf,
    _folder: tempfile::TempDir,
}

impl Program {
    fn copied() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("generator");
        let server = std::env::current_exe()?;
        std::fs::copy(&server, &path)?;
        Ok(Self {
            path,
            server,
            _folder: folder,
        })
    }
}
