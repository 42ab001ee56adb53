//! Where processes and observer are: on one network, on several with a bridge, or on one with
//! two devices that lead to others.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::Result;
use super::other_program::OTHER_SUFFIX;

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
    /// As on a bridge, and another network that nothing leads to has the client's address.
    BridgeTwin,
    /// The observed host has two devices, each of which leads to a network of its own; the
    /// observer is on the first.
    Devices,
    /// The same, with the observer on all of them.
    AllDevices,
    /// As with devices, and what comes through the second, and through a third that leads to the
    /// twin, leaves through the first under the host's address. A port of the host leads to the server.
    Translating,
    /// The observer may capture and nothing else; the processes are root's.
    Unprivileged,
    /// The observer may capture and nothing else; the processes are its own user's.
    SameUser,
}

/// Which side of an exchange a process is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The observed host.
    Here,
    /// Where the first device leads, if there are several.
    Client,
    /// Where the second one leads.
    Server,
    /// In the network that has the client's address, or where the third device leads.
    Twin,
}

/// The port of the host that leads to the same one of the server, where addresses are translated.
pub(crate) const FORWARDED: u16 = 8_080;

/// The user who may do nothing special.
const NOBODY: u32 = 65_534;

impl Place {
    const fn is_bridged(self) -> bool {
        matches!(
            self,
            Self::Bridge | Self::BridgeUnprivileged | Self::BridgeTwin
        )
    }

    /// What the observer captures from.
    pub(crate) const fn device(self) -> &'static str {
        match self {
            Self::Devices | Self::Translating => DEVICES[0].name,
            Self::AllDevices => "any",
            _ if self.is_bridged() => "bridge",
            _ => "lo",
        }
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
        let networks = match place {
            Place::Devices | Place::AllDevices => Some(Networks::behind_devices()?),
            Place::Translating => {
                let mut networks = Networks::behind_devices()?;
                networks.add_third()?;
                translate()?;
                Some(networks)
            }
            Place::BridgeTwin => Some(Networks::bridged(true)?),
            _ if place.is_bridged() => Some(Networks::bridged(false)?),
            _ => None,
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
            Place::BridgeUnprivileged | Place::Unprivileged | Place::SameUser => {
                let mut command = as_nobody("net_raw");
                command.arg(&self.program.path);
                command
            }
            _ => Command::new(&self.program.path),
        }
    }

    /// How a process with a role is started.
    pub(crate) fn role(&self, side: Side, arguments: &[&str]) -> Command {
        let program = &self.program.path;
        let network = self.network(side);
        let mut command = match (self.place, network) {
            (Place::SameUser, _) => as_nobody(""),
            (_, Some(network)) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", network]);
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

    /// The name of the network of a side; `None` for the observed one.
    pub(crate) fn network(&self, side: Side) -> Option<&str> {
        self.networks.as_ref().and_then(|all| all.name(side))
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

/// A copy of this program where every user may run it, and another one that counts as another
/// program, until it is dropped.
#[derive(Debug)]
struct Program {
    path: PathBuf,
    other: PathBuf,
}

impl Program {
    fn copied() -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("flowner-accuracy-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(&name);
        let other = std::env::temp_dir().join(format!("{name}{OTHER_SUFFIX}"));
        let own = std::env::current_exe()?;
        std::fs::copy(&own, &path)?;
        std::fs::copy(&own, &other)?;
        Ok(Self { path, other })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _best_effort = std::fs::remove_file(&self.path);
        let _best_effort = std::fs::remove_file(&self.other);
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

/// The address of servers behind a bridge, and of clients.
pub(crate) const SERVER: &str = "10.88.0.2";
pub(crate) const CLIENT: &str = "10.88.0.1";

/// One of the devices of a host that has two.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) name: &'static str,
    /// Its hardware address.
    pub(crate) mac: &'static str,
    /// The host's address there, and the peer's.
    pub(crate) here: &'static str,
    pub(crate) peer: &'static str,
    peer_mac: &'static str,
}

/// On each of them, the host has `fe80::1` too, and the peer `fe80::2`.
pub(crate) const DEVICES: [Device; 2] = [
    Device {
        name: "first",
        mac: "02:00:00:00:01:01",
        here: "10.89.0.1",
        peer: "10.89.0.2",
        peer_mac: "02:00:00:00:01:02",
    },
    Device {
        name: "second",
        mac: "02:00:00:00:02:01",
        here: "10.89.1.1",
        peer: "10.89.1.2",
        peer_mac: "02:00:00:00:02:02",
    },
];

/// Networks beside the one that is observed, until it is dropped.
#[derive(Debug)]
struct Networks {
    /// Of the client, of the server, of the twin.
    names: Vec<String>,
    /// Devices of the observed network, which lead there.
    devices: Vec<&'static str>,
}

impl Networks {
    fn named(sides: &[&str]) -> Result<Self> {
        /// Networks go away a while after they were removed, and their ports with them.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut networks = Self {
            names: Vec::new(),
            devices: Vec::new(),
        };
        for side in sides {
            let name = format!("flowner-{side}-{}-{number}", std::process::id());
            ip(&format!("netns add {name}"))?;
            ip(&format!("-n {name} link set lo up"))?;
            networks.names.push(name);
        }
        Ok(networks)
    }

    /// Two networks and the bridge between them, which is in the observed one.
    fn bridged(with_twin: bool) -> Result<Self> {
        static PORT: AtomicU32 = AtomicU32::new(0);
        let sides: &[&str] = if with_twin {
            &["client", "server", "twin"]
        } else {
            &["client", "server"]
        };
        let mut networks = Self::named(sides)?;
        ip("link add bridge type bridge")?;
        networks.devices.push("bridge");
        // It is in the network of the two, so that a hidden end can be told from a host
        // that is far away.
        ip("addr add 10.88.0.254/24 dev bridge")?;
        ip("link set bridge up")?;
        for (name, address) in networks.names.iter().zip([CLIENT, SERVER]) {
            let port = format!("port{}", PORT.fetch_add(1, Ordering::Relaxed));
            ip(&format!(
                "link add {port} master bridge type veth peer name eth0 netns {name}"
            ))?;
            ip(&format!("link set {port} up"))?;
            ip(&format!("-n {name} addr add {address}/24 dev eth0"))?;
            ip(&format!("-n {name} link set eth0 up"))?;
        }
        if let Some(twin) = networks.names.get(2) {
            // Of a pair that leads nowhere.
            ip(&format!("-n {twin} link add eth0 type veth peer name eth1"))?;
            ip(&format!("-n {twin} link set eth1 up"))?;
            ip(&format!("-n {twin} addr add {CLIENT}/24 dev eth0"))?;
            ip(&format!("-n {twin} link set eth0 up"))?;
        }
        Ok(networks)
    }

    /// Two networks, each behind a device of the observed one, which is their way to others.
    fn behind_devices() -> Result<Self> {
        let mut networks = Self::named(&["client", "server"])?;
        for (device, peer) in DEVICES.iter().zip(&networks.names) {
            let Device {
                name,
                mac,
                here,
                peer_mac,
                ..
            } = device;
            ip(&format!(
                "link add {name} address {mac} type veth \
                 peer name eth0 address {peer_mac} netns {peer}"
            ))?;
            networks.devices.push(name);
            ip(&format!("addr add {here}/24 dev {name}"))?;
            ip(&format!("addr add fe80::1/64 dev {name} nodad"))?;
            ip(&format!("link set {name} up"))?;
            let there = device.peer;
            ip(&format!("-n {peer} addr add {there}/24 dev eth0"))?;
            ip(&format!("-n {peer} addr add fe80::2/64 dev eth0 nodad"))?;
            ip(&format!("-n {peer} link set eth0 up"))?;
            ip(&format!("-n {peer} route add default via {here}"))?;
            // No packet is lost while they look for each other.
            ip(&format!(
                "neigh add fe80::2 lladdr {peer_mac} dev {name} nud permanent"
            ))?;
            ip(&format!(
                "-n {peer} neigh add fe80::1 lladdr {mac} dev eth0 nud permanent"
            ))?;
        }
        Ok(networks)
    }

    /// Another network behind another device.
    fn add_third(&mut self) -> Result<()> {
        let twin = Self::named(&["twin"])?;
        let name = twin.names.first().cloned().unwrap_or_default();
        // It is removed with the others.
        std::mem::forget(twin);
        ip(&format!(
            "link add third type veth peer name eth0 netns {name}"
        ))?;
        self.devices.push("third");
        ip("addr add 10.89.2.1/24 dev third")?;
        ip("link set third up")?;
        ip(&format!("-n {name} addr add 10.89.2.2/24 dev eth0"))?;
        ip(&format!("-n {name} link set eth0 up"))?;
        ip(&format!("-n {name} route add default via 10.89.2.1"))?;
        self.names.push(name);
        Ok(())
    }

    /// `None` for the observed one.
    fn name(&self, side: Side) -> Option<&str> {
        let place = match side {
            Side::Here => return None,
            Side::Client => 0,
            Side::Server => 1,
            Side::Twin => 2,
        };
        self.names.get(place).map(String::as_str)
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        for name in &self.names {
            let _gone_already = ip(&format!("netns del {name}"));
        }
        for device in &self.devices {
            let _gone_already = run(Command::new("ip")
                .args(["link", "del", device])
                .stderr(Stdio::null()));
        }
        let _not_there = run(Command::new("nft")
            .args(["delete", "table", "ip", "flowner"])
            .stderr(Stdio::null()));
    }
}

/// Has the observed host send for others, under the address of its first device.
fn translate() -> Result<()> {
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
    let [outside, inside] = DEVICES;
    for rule in [
        "add table ip flowner",
        "add chain ip flowner out { type nat hook postrouting priority 100 ; }",
        &format!(
            "add rule ip flowner out oifname {} masquerade",
            outside.name
        ),
        "add chain ip flowner in { type nat hook prerouting priority -100 ; }",
        &format!(
            "add rule ip flowner in iifname {} meta l4proto {{ tcp, udp }} th dport {FORWARDED} \
             dnat to {}",
            outside.name, inside.peer
        ),
    ] {
        run(Command::new("nft").args(rule.split(' ')))?;
    }
    Ok(())
}

/// `ip` with these arguments.
pub(crate) fn ip(arguments: &str) -> Result<()> {
    run(Command::new("ip").args(arguments.split(' ')))
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status()?;
    if !status.success() {
        return Err(format!("{command:?}: {status}").into());
    }
    Ok(())
}
