//! The program that is judged: `flowner watch --json`, and what its lines say.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal};
use serde_json::Value;

use super::{Options, Result};

/// Who has one end of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    Named {
        paths: BTreeSet<String>,
        pids: BTreeSet<u32>,
    },
    /// The reason.
    Unknown(String),
}

/// One flow, as its line has it.
#[derive(Debug, Clone)]
pub(crate) struct Flow {
    pub(crate) remote: String,
    pub(crate) local: String,
    pub(crate) owner: Owner,
    pub(crate) remote_owner: Owner,
    /// Bytes on the wire.
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

/// The program while it watches.
#[derive(Debug)]
pub(crate) struct Watcher {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watcher {
    /// Starts it, and returns when it captures.
    pub(crate) fn start(options: &Options) -> Result<Self> {
        let mut command = Command::new(&options.program);
        command.args(["--no-config", "watch", "--json"]);
        if let Some(device) = &options.device {
            command.args(["-i", device]);
        }
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", options.program.display()))?;
        let out = process.stdout.take().ok_or("no output")?;
        let mut lines = BufReader::new(out).lines();
        let first = lines.next().ok_or("it does not start")??;
        let first: Value = serde_json::from_str(&first)?;
        if first["type"] != "start" {
            return Err(format!("it does not start: {first}").into());
        }
        Ok(Self { process, lines })
    }

    /// Asks it to end, and reads all flows that it saw.
    pub(crate) fn stop(&mut self) -> Result<Vec<Flow>> {
        let pid = Pid::from_raw(self.process.id().cast_signed()).ok_or("no pid")?;
        rustix::process::kill_process(pid, Signal::INT)?;
        let mut flows = Vec::new();
        for line in self.lines.by_ref() {
            let value: Value = serde_json::from_str(&line?)?;
            match value["type"].as_str() {
                Some("flow") => flows.push(flow(&value)?),
                Some("warning") => eprintln!("{value}"),
                _ => {}
            }
        }
        let status = self.process.wait()?;
        if !status.success() {
            return Err(format!("it ended with {status}").into());
        }
        Ok(flows)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _gone_already = self.process.kill();
        let _gone_already = self.process.wait();
    }
}

fn flow(value: &Value) -> Result<Flow> {
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    let bytes = |way: &str| value[way]["bytes"].as_u64().ok_or("a flow without bytes");
    Ok(Flow {
        local: text("local").ok_or("a flow without its ends")?,
        remote: text("remote").ok_or("a flow without its ends")?,
        owner: owner(&value["owner"]),
        remote_owner: owner(&value["remote_owner"]),
        sent: bytes("sent")?,
        received: bytes("received")?,
    })
}

fn owner(value: &Value) -> Owner {
    let processes = value["processes"].as_array();
    let processes = processes.map_or(&[][..], Vec::as_slice);
    if !matches!(value["verdict"].as_str(), Some("process" | "shared")) {
        let reason = value["reason"].as_str().or(value["verdict"].as_str());
        return Owner::Unknown(reason.unwrap_or("nothing").to_owned());
    }
    let path = |process: &Value| process["path"].as_str().map(str::to_owned);
    let pid = |process: &Value| u32::try_from(process["pid"].as_u64()?).ok();
    Owner::Named {
        paths: processes.iter().filter_map(path).collect(),
        pids: processes.iter().filter_map(pid).collect(),
    }
}
