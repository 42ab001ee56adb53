//! Sockets of several devices, scopes and network namespaces, and packets that no socket of
//! the host sent. Each message is judged.

use std::net::SocketAddr;

use super::super::Result;
use super::super::stage::Stage;
use super::super::venue::{CLIENT, DEVICES, Place, SERVER, Side};
use super::role::Role;
use super::{Case, Need, Plan, at, few};

const fn on_first(
    name: &'static str,
    need: Need,
    play: fn(&mut Stage, Plan) -> Result<()>,
) -> Case {
    at(Place::Devices, few(name, need, play))
}

pub(super) const CASES: &[Case] = &[
    on_first(
        "arrives with the host's own source, udp",
        Need::NoneNamed,
        |stage, plan| arrives(stage, plan, "udp"),
    ),
    on_first(
        "arrives with the source of a listener, tcp",
        Need::NoneNamed,
        |stage, plan| arrives(stage, plan, "tcp"),
    ),
    on_first(
        "arrives as if of a live connection",
        Need::Half,
        |stage, plan| joins(stage, plan, "tcp"),
    ),
    on_first(
        "arrives as if of a live udp socket",
        Need::Half,
        |stage, plan| joins(stage, plan, "udp-connected"),
    ),
    on_first(
        "arrives for a listener, without a connection",
        Need::NoneNamed,
        stray,
    ),
    on_first("a frame for another host", Need::NoneNamed, overheard),
    on_first("udp, bound to its device", Need::Half, bound),
    on_first(
        "udp, another socket is bound to another device",
        Need::Half,
        other_device,
    ),
    on_first(
        "udp, another socket has the closer address",
        Need::Half,
        |stage, plan| {
            beside(stage, plan, |here, port| {
                Role::silent("udp", format!("{here}:{port}"))
            })
        },
    ),
    on_first(
        "udp, another socket is bound to this device",
        Need::Half,
        |stage, plan| {
            beside(stage, plan, |_, port| {
                Role::silent("udp", format!("0.0.0.0:{port}")).with("device", DEVICES[0].name)
            })
        },
    ),
    on_first("tcp, bound to its device", Need::Half, bound_connection),
    on_first("udp to a link-local address", Need::Half, |stage, plan| {
        link_local(stage, plan, "udp-connected")
    }),
    on_first("tcp to a link-local address", Need::Half, |stage, plan| {
        link_local(stage, plan, "tcp")
    }),
    at(
        Place::AllDevices,
        few(
            "the same link-local ends on two devices",
            Need::NoneWrong,
            two_links,
        ),
    ),
    on_first(
        "to a group, from a socket bound to the group",
        Need::Half,
        |stage, plan| to_group(stage, plan, "239.1.2.3"),
    ),
    on_first(
        "to all, from a socket bound to that address",
        Need::NoneWrong,
        |stage, plan| to_group(stage, plan, "10.89.0.255"),
    ),
    at(
        Place::Translating,
        few(
            "translated, the host has the same port",
            Need::NoneWrong,
            translated,
        ),
    ),
    at(
        Place::BridgeTwin,
        few(
            "another network with the same address",
            Need::NoneWrong,
            twin,
        ),
    ),
];

/// The pause of senders after their last message, in milliseconds: who sends is known by then.
const LINGER: u32 = 50;

/// Starts a role on the observed host; its end.
fn serve_here(stage: &mut Stage, role: &Role) -> Result<SocketAddr> {
    Ok(stage.serve_at(Side::Here, &role.words())?.0)
}

/// Starts a sink at the other end of the first device.
fn sink_of_peer(stage: &mut Stage, kind: &str) -> Result<SocketAddr> {
    let role = Role::sink(kind, format!("{}:0", DEVICES[0].peer));
    Ok(stage.serve_at(Side::Client, &role.words())?.0)
}

/// Sends from the observed host, to the end.
fn stream_here(stage: &mut Stage, role: Role) -> Result<()> {
    stage.perform(Side::Here, &role.lingers(LINGER).words())
}

/// Frames from outside in the name of this host's socket, which sends nothing.
fn arrives(stage: &mut Stage, plan: Plan, kind: &str) -> Result<()> {
    let [first, _] = &DEVICES;
    let victim = serve_here(stage, &Role::silent(kind, "0.0.0.0:0"))?;
    let from = SocketAddr::new(first.here.parse()?, victim.port());
    let to: SocketAddr = "192.0.2.7:443".parse()?;
    inject(stage, plan, kind, from, to)
}

/// Frames from outside in the name of a socket that sends, too.
fn joins(stage: &mut Stage, plan: Plan, kind: &str) -> Result<()> {
    let [first, _] = &DEVICES;
    let transport = if kind == "tcp" { "tcp" } else { "udp" };
    let sink = sink_of_peer(stage, kind)?;
    let from = SocketAddr::new(first.here.parse()?, 23_000);
    let role = Role::stream(kind, from, sink, 5 * plan.count).lingers(300);
    let victim = stage.start(Side::Here, &role.words())?;
    inject(stage, plan, transport, from, sink)?;
    stage.finish(victim)?;
    stage.await_sent(1)
}

/// Data from outside for a listener, of no connection.
fn stray(stage: &mut Stage, plan: Plan) -> Result<()> {
    let [first, _] = &DEVICES;
    let victim = serve_here(stage, &Role::silent("tcp", "0.0.0.0:0"))?;
    let to = SocketAddr::new(first.here.parse()?, victim.port());
    let from = SocketAddr::new(first.peer.parse()?, 24_000);
    inject(stage, plan, "tcp", from, to)?;
    stage.nobody_received(("tcp".to_owned(), from, to));
    Ok(())
}

/// Frames from outside for another host, with an address of this one.
fn overheard(stage: &mut Stage, plan: Plan) -> Result<()> {
    let [first, _] = &DEVICES;
    let victim = serve_here(stage, &Role::silent("udp", "0.0.0.0:0"))?;
    let from = SocketAddr::new(first.here.parse()?, victim.port());
    let to: SocketAddr = "192.0.2.7:53".parse()?;
    inject_to("02:00:00:00:00:55", stage, plan, "udp", from, to)
}

fn inject(
    stage: &mut Stage,
    plan: Plan,
    kind: &str,
    from: SocketAddr,
    to: SocketAddr,
) -> Result<()> {
    inject_to(DEVICES[0].mac, stage, plan, kind, from, to)
}

fn inject_to(
    mac: &str,
    stage: &mut Stage,
    plan: Plan,
    kind: &str,
    from: SocketAddr,
    to: SocketAddr,
) -> Result<()> {
    let (count, source, target) = (plan.count.to_string(), from.to_string(), to.to_string());
    let options = ["inject", "eth0", mac, kind, &source, &target, &count];
    stage.perform(Side::Client, &options)?;
    stage.nobody_sent((kind.to_owned(), from, to), plan.count as u64);
    Ok(())
}

fn bound(stage: &mut Stage, plan: Plan) -> Result<()> {
    let [first, _] = &DEVICES;
    let sink = sink_of_peer(stage, "udp")?;
    for number in 0..plan.count {
        let role = Role::stream("udp", format!("0.0.0.0:{}", 25_000 + number), sink, 3);
        let role = role.with("as", first.here).with("device", first.name);
        stream_here(stage, role)?;
    }
    stage.await_sent(plan.count)
}

/// The sender is on all devices; a socket with the same port and the closer address is bound to
/// another one.
fn other_device(stage: &mut Stage, plan: Plan) -> Result<()> {
    let [first, second] = &DEVICES;
    let sink = sink_of_peer(stage, "udp")?;
    for number in 0..plan.count {
        let port = 26_000 + number;
        let silent = Role::silent("udp", format!("{}:{port}", first.here));
        serve_here(stage, &silent.with("device", second.name))?;
        let role = Role::stream("udp", format!("0.0.0.0:{port}"), sink, 3);
        stream_here(stage, role.with("as", first.here))?;
    }
    stage.await_sent(plan.count)
}

/// The sender is on all addresses; the kernel would give what is sent to its port to a silent
/// socket.
fn beside(stage: &mut Stage, plan: Plan, silent: fn(&str, usize) -> Role) -> Result<()> {
    let [first, _] = &DEVICES;
    let sink = sink_of_peer(stage, "udp")?;
    for number in 0..plan.count {
        let port = 30_000 + number;
        serve_here(stage, &silent(first.here, port))?;
        let role = Role::stream("udp", format!("0.0.0.0:{port}"), sink, 3);
        stream_here(stage, role.with("as", first.here))?;
    }
    stage.await_sent(plan.count)
}

fn bound_connection(stage: &mut Stage, plan: Plan) -> Result<()> {
    let [first, _] = &DEVICES;
    let sink = sink_of_peer(stage, "tcp")?;
    for _ in 0..plan.count {
        let role = Role::stream("tcp", "0.0.0.0:0", sink, 3);
        stream_here(stage, role.with("device", first.name))?;
    }
    stage.await_sent(plan.count)
}

fn link_local(stage: &mut Stage, plan: Plan, kind: &str) -> Result<()> {
    let [first, _] = &DEVICES;
    let role = Role::sink(kind, "[::]:0");
    let (sink, _) = stage.serve_at(Side::Client, &role.words())?;
    let scope = Stage::index_of(first.name)?;
    let (from, port) = (format!("[fe80::1%{scope}]:0"), sink.port());
    let to = format!("[fe80::2%{scope}]:{port}");
    for _ in 0..plan.count {
        stream_here(stage, Role::stream(kind, &from, &to, 3))?;
    }
    stage.await_sent(plan.count)
}

/// Two processes with the same addresses and ports, each on its own link.
fn two_links(stage: &mut Stage, plan: Plan) -> Result<()> {
    for side in [Side::Client, Side::Server] {
        stage.serve_at(side, &Role::sink("udp", "[::]:9").words())?;
    }
    for number in 0..plan.count {
        let mut running = Vec::new();
        for device in &DEVICES {
            let scope = Stage::index_of(device.name)?;
            let from = format!("[fe80::1%{scope}]:{}", 27_000 + number);
            let to = format!("[fe80::2%{scope}]:9");
            let role = Role::stream("udp-connected", from, to, 5).lingers(LINGER);
            running.push(stage.start(Side::Here, &role.words())?);
        }
        for place in running {
            stage.finish(place)?;
        }
    }
    stage.await_sent(2 * plan.count)
}

fn to_group(stage: &mut Stage, plan: Plan, group: &str) -> Result<()> {
    let [first, _] = &DEVICES;
    for number in 0..plan.count {
        let end = format!("{group}:{}", 28_000 + number);
        let role = Role::stream("udp", &end, &end, 3);
        stream_here(
            stage,
            role.with("as", first.here).with("interface", first.here),
        )?;
    }
    stage.await_sent(plan.count)
}

/// What a container sends under the host's address, from a port that a socket of the host has.
fn translated(stage: &mut Stage, plan: Plan) -> Result<()> {
    let [first, _] = &DEVICES;
    let sink = sink_of_peer(stage, "udp")?;
    for _ in 0..plan.count {
        let victim = serve_here(stage, &Role::silent("udp", "0.0.0.0:0"))?;
        let from = format!("0.0.0.0:{}", victim.port());
        let role = Role::stream("udp-connected", from, sink, 5).with("as", first.here);
        stage.perform(Side::Server, &role.words())?;
    }
    stage.await_sent(plan.count)
}

/// The sender is not connected; in another network, a socket of the same ends is, and silent.
fn twin(stage: &mut Stage, plan: Plan) -> Result<()> {
    let role = Role::sink("udp", format!("{SERVER}:0"));
    let (sink, _) = stage.serve_at(Side::Server, &role.words())?;
    for number in 0..plan.count {
        let end = format!("{CLIENT}:{}", 29_000 + number);
        let silent = Role::silent("udp", &end).with("connect", sink);
        stage.serve_at(Side::Twin, &silent.words())?;
        let role = Role::stream("udp", &end, sink, 5).lingers(LINGER);
        stage.perform(Side::Client, &role.words())?;
    }
    stage.await_sent(plan.count)
}
