//! Three networks: the watched host, its peer behind a device, and a container behind a bridge.
//! The peer's kernel counts what crosses the device, independently of what is judged.

use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::situations::{Place, Plan};
use super::{Result, server};

/// The device between the host and its peer, by its names on both sides.
pub(crate) const DEVICE: &str = "outside";
const PEER_DEVICE: &str = "eth0";
pub(crate) const HOST: &str = "10.97.0.1";
const PEER: &str = "10.97.0.2";
const PEER_V6: &str = "fd97::2";
const PEER_MAC: &str = "02:00:00:00:97:02";
/// A device adds this to each packet that the peer counts: the header of Ethernet.
const FRAME_HEADER: u64 = 14;

/// What crossed the device, with the headers of Ethernet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Crossed {
    /// Bytes that the host sent.
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

/// The networks with their servers, until they are dropped.
#[derive(Debug)]
pub(crate) struct Lab {
    peer: String,
    container: String,
    servers: Vec<Child>,
    program: PathBuf,
}

impl Lab {
    /// Makes them. This process is in a network namespace of its own already.
    pub(crate) fn open() -> Result<Self> {
        let id = std::process::id();
        let mut lab = Self {
            peer: format!("flowner-peer-{id}"),
            container: format!("flowner-container-{id}"),
            servers: Vec::new(),
            program: std::env::current_exe()?,
        };
        lab.connect_peer()?;
        lab.connect_container()?;
        lab.count()?;
        let peer = lab.peer.clone();
        lab.serve(Some(&peer))?;
        lab.serve(None)?;
        Ok(lab)
    }

    fn connect_peer(&self) -> Result<()> {
        let peer = &self.peer;
        ip(&format!("netns add {peer}"))?;
        ip(&format!("-n {peer} link set lo up"))?;
        ip(&format!(
            "link add {DEVICE} type veth \
             peer name {PEER_DEVICE} address {PEER_MAC} netns {peer}"
        ))?;
        ip(&format!("addr add {HOST}/24 dev {DEVICE}"))?;
        ip(&format!("addr add fd97::1/64 dev {DEVICE} nodad"))?;
        ip(&format!("link set {DEVICE} up"))?;
        ip(&format!("-n {peer} addr add {PEER}/24 dev {PEER_DEVICE}"))?;
        ip(&format!(
            "-n {peer} addr add {PEER_V6}/64 dev {PEER_DEVICE} nodad"
        ))?;
        ip(&format!("-n {peer} link set {PEER_DEVICE} up"))
    }

    fn connect_container(&self) -> Result<()> {
        let container = &self.container;
        ip(&format!("netns add {container}"))?;
        ip(&format!("-n {container} link set lo up"))?;
        ip("link add bridge type bridge")?;
        ip("addr add 10.96.0.1/24 dev bridge")?;
        ip("link set bridge up")?;
        ip(&format!(
            "link add port type veth peer name eth0 netns {container}"
        ))?;
        ip("link set port master bridge up")?;
        ip(&format!("-n {container} addr add 10.96.0.2/24 dev eth0"))?;
        ip(&format!("-n {container} link set eth0 up"))?;
        ip(&format!("-n {container} route add default via 10.96.0.1"))?;
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
        nft(
            None,
            &format!(
                "table ip flowner {{ chain out {{ type nat hook postrouting priority 100; \
                 oifname {DEVICE} masquerade; }}\n}}"
            ),
        )
    }

    /// Has the peer's kernel count, and answer nothing to a protocol that it does not know.
    fn count(&self) -> Result<()> {
        nft(
            Some(&self.peer),
            "table inet flowner {\n counter in { }\n counter out { }\n \
             chain in { type filter hook input priority -300; counter name in; \
             meta l4proto 253 drop; }\n \
             chain out { type filter hook output priority -300; counter name out; }\n}",
        )
    }

    fn serve(&mut self, network: Option<&str>) -> Result<()> {
        let mut server = within(network, &self.program);
        let mut server = server.arg("serve").stdout(Stdio::piped()).spawn()?;
        let out = server.stdout.take().ok_or("no output")?;
        self.servers.push(server);
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        if line.trim_end() != server::READY {
            return Err("the server does not start".into());
        }
        Ok(())
    }

    /// How a process of a situation is started.
    pub(crate) fn process(
        &self,
        program: &PathBuf,
        place: Place,
        plan: &Plan,
        is_quick: bool,
    ) -> Result<Command> {
        let peer: IpAddr = match (place, plan.is_v6) {
            (Place::Loopback, _) => "127.0.0.1",
            (_, true) => PEER_V6,
            (_, false) => PEER,
        }
        .parse()?;
        let to = std::net::SocketAddr::new(peer, plan.port).to_string();
        let network = (place == Place::Container).then_some(self.container.as_str());
        let mut command = within(network, program);
        command.arg("generate").args(plan.arguments(&to, is_quick));
        if plan.kind == "packet" {
            command.args([format!("device={DEVICE}"), format!("mac={PEER_MAC}")]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        Ok(command)
    }

    /// Whether such an address is one of a situation.
    pub(crate) fn concerns(address: &str) -> bool {
        [PEER, PEER_V6, "127.0.0.1"]
            .iter()
            .any(|known| address.contains(known))
    }

    pub(crate) fn reset(&self) -> Result<()> {
        nft(Some(&self.peer), "reset counters table inet flowner")
    }

    pub(crate) fn crossed(&self) -> Result<Crossed> {
        let mut command = within(Some(&self.peer), &PathBuf::from("nft"));
        let output = command
            .args(["-j", "list", "counters", "table", "inet", "flowner"])
            .output()?;
        let listed: Value = serde_json::from_slice(&output.stdout)?;
        let objects = listed["nftables"].as_array().ok_or("no counters")?;
        let counter = |name: &str| {
            let counter = objects
                .iter()
                .map(|object| &object["counter"])
                .find(|counter| counter["name"] == name)?;
            Some(counter["bytes"].as_u64()? + FRAME_HEADER * counter["packets"].as_u64()?)
        };
        Ok(Crossed {
            sent: counter("in").ok_or("no counter")?,
            received: counter("out").ok_or("no counter")?,
        })
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _gone_already = server.kill();
            let _gone_already = server.wait();
        }
        for network in [&self.peer, &self.container] {
            let _gone_already = ip(&format!("netns del {network}"));
        }
    }
}

/// A command in a network; `None` for the watched one.
fn within(network: Option<&str>, program: &PathBuf) -> Command {
    let Some(network) = network else {
        return Command::new(program);
    };
    // `ip netns exec` would mount another /sys, and hide nothing else; `nsenter` changes the
    // network alone, as a thread of a container's runtime does.
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{network}"));
    command.arg(program);
    command
}

fn nft(network: Option<&str>, rules: &str) -> Result<()> {
    let mut command = within(network, &PathBuf::from("nft"));
    run(command.arg(rules).stdout(Stdio::null()))
}

fn ip(arguments: &str) -> Result<()> {
    run(Command::new("ip").args(arguments.split_whitespace()))
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status();
    let status = status.map_err(|error| format!("{command:?}: {error}"))?;
    if !status.success() {
        return Err(format!("{command:?}: {status}").into());
    }
    Ok(())
}
