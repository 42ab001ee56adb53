//! Where processes and observer are: on one network, or on several with a bridge.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::Result;

/// Where a case takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Observer and processes share one network, and the observer may see everything.
    Here,
    /// The processes are in networks of their own, as containers are. The observer is on
    /// the bridge between them.
    Bridge,
    /// As on a bridge, by an observer who may capture and nothing else.
    BridgeUnprivileged,
    /// The observer may capture and nothing else; the processes are root's.
    Unprivileged,
    /// The observer may capture and nothing else; the processes are its own user's.
    SameUser,
}

/// Which side of an exchange a process is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// The user who may do nothing special.
const NOBODY: u32 = 65_534;

impl Place {
    pub(crate) const fn is_bridged(self) -> bool {
        matches!(self, Self::Bridge | Self::BridgeUnprivileged)
    }

    /// What the observer captures from.
    pub(crate) const fn device(self) -> &'static str {
        if self.is_bridged() { "bridge" } else { "lo" }
    }

    /// The user of the processes.
    pub(crate) const fn uid(self) -> u32 {
        match self {
            Self::SameUser => NOBODY,
            _ => 0,
        }
    }
}

/// A place, as it was set up for a case.
#[derive(Debug)]
pub(crate) struct Venue {
    pub(crate) place: Place,
    networks: Option<Networks>,
    program: Program,
}

impl Venue {
    pub(crate) fn open(place: Place) -> Result<Self> {
        let networks = if place.is_bridged() {
            Some(Networks::new()?)
        } else {
            None
        };
        let program = Program::copied()?;
        Ok(Self {
            place,
            networks,
            program,
        })
    }

    /// How the observer is started.
    pub(crate) fn observer(&self) -> Command {
        match self.place {
            Place::Here | Place::Bridge => Command::new(&self.program.path),
            _ => {
                let mut command = as_nobody("net_raw");
                command.arg(&self.program.path);
                command
            }
        }
    }

    /// How a process with a role is started.
    pub(crate) fn role(&self, side: Side, arguments: &[&str]) -> Command {
        let program = &self.program.path;
        let mut command = match (self.place, &self.networks) {
            (Place::SameUser, _) => as_nobody(""),
            (_, Some(networks)) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", networks.name(side)]);
                command
            }
            _ => Command::new(program),
        };
        if command.get_program() != program.as_os_str() {
            command.arg(program);
        }
        command.arg("role").args(arguments).stdin(Stdio::null());
        command
    }

    /// Plays a client's role to its end.
    pub(crate) fn play(&self, arguments: &[&str]) -> Result<()> {
        let status = self.role(Side::Client, arguments).status()?;
        if !status.success() {
            return Err(format!("{arguments:?} ended with {status}").into());
        }
        Ok(())
    }
}

/// A copy of this program where every user may run it, until it is dropped.
#[derive(Debug)]
struct Program {
    path: PathBuf,
}

impl Program {
    fn copied() -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("flowner-accuracy-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::copy(std::env::current_exe()?, &path)?;
        Ok(Self { path })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _best_effort = std::fs::remove_file(&self.path);
    }
}

/// As a user with one privilege at most. It becomes the program, with the same pid.
fn as_nobody(privilege: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    for set in ["inh-caps", "ambient-caps", "bounding-set"] {
        let all = if privilege.is_empty() {
            "-all".to_owned()
        } else {
            format!("-all,+{privilege}")
        };
        command.arg(format!("--{set}={all}"));
    }
    command
}

/// Two networks and the bridge between them, until it is dropped.
#[derive(Debug)]
struct Networks {
    names: [String; 2],
}

/// The address of servers.
pub(crate) const SERVER: &str = "10.88.0.2";

impl Networks {
    fn new() -> Result<Self> {
        /// Networks go away a while after they were removed, and their ports with them.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = |side| format!("flowner-{side}-{}-{number}", std::process::id());
        let networks = Self {
            names: ["client", "server"].map(name),
        };
        ip("link add bridge type bridge")?;
        // It is in the network of the two, so that a hidden end can be told from a host
        // that is far away.
        ip("addr add 10.88.0.254/24 dev bridge")?;
        ip("link set bridge up")?;
        for (name, (port, address)) in networks
            .names
            .iter()
            .zip([("client", "10.88.0.1"), ("server", SERVER)])
        {
            let port = format!("{port}{number}");
            ip(&format!("netns add {name}"))?;
            ip(&format!(
                "link add {port} master bridge type veth peer name eth0 netns {name}"
            ))?;
            ip(&format!("link set {port} up"))?;
            ip(&format!("-n {name} addr add {address}/24 dev eth0"))?;
            ip(&format!("-n {name} link set eth0 up"))?;
        }
        Ok(networks)
    }

    fn name(&self, side: Side) -> &str {
        match side {
            Side::Client => &self.names[0],
            Side::Server => &self.names[1],
        }
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        for name in &self.names {
            let _gone_already = ip(&format!("netns del {name}"));
        }
        let _gone_already = ip("link del bridge");
    }
}

fn ip(arguments: &str) -> Result<()> {
    let status = Command::new("ip")
        .args(arguments.split(' '))
        .stdin(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(format!("ip {arguments}: {status}").into());
    }
    Ok(())
}
