//! Sockets of several devices, scopes and network namespaces, and packets that no socket of
//! the host sent. Each message is judged.

use std::net::SocketAddr;

use super::super::Result;
use super::super::stage::Stage;
use super::super::venue::{CLIENT, DEVICES, Place, SERVER, Side};
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
                vec![format!("from={here}:{port}")]
            })
        },
    ),
    on_first(
        "udp, another socket is bound to this device",
        Need::Half,
        |stage, plan| {
            beside(stage, plan, |_, port| {
                vec![
                    format!("from=0.0.0.0:{port}"),
                    format!("device={}", DEVICES[0].name),
                ]
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

/// Frames from outside in the name of this host's socket, which sends nothing.
fn arrives(stage: &mut Stage, plan: Plan, kind: &str) -> Result<()> {
    let [first, _] = &DEVICES;
    let listen = format!("kind={kind}");
    let (victim, _) = stage.serve_at(Side::Here, &["silent", &listen, "from=0.0.0.0:0"])?;
    let from = SocketAddr::new(first.here.parse()?, victim.port());
    let to: SocketAddr = "192.0.2.7:443".parse()?;
    inject(stage, plan, kind, from, to)
}

/// Frames from outside in the name of a socket that sends, too.
fn joins(stage: &mut Stage, plan: Plan, kind: &str) -> Result<()> {
    let [first, _] = &DEVICES;
    let transport = if kind == "tcp" { "tcp" } else { "udp" };
    let listen = format!("kind={transport}");
    let from = format!("from={}:0", first.peer);
    let (sink, _) = stage.serve_at(Side::Client, &["sink", &listen, &from])?;
    let from = SocketAddr::new(first.here.parse()?, 23_000);
    let options = [
        "stream".to_owned(),
        format!("kind={kind}"),
        format!("from={from}"),
        format!("to={sink}"),
        format!("count={}", 5 * plan.count),
        "linger=300".to_owned(),
    ];
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let victim = stage.start(Side::Here, &options)?;
    inject(stage, plan, transport, from, sink)?;
    stage.finish(victim)?;
    stage.await_sent(1)
}

/// Data from outside for a listener, of no connection.
fn stray(stage: &mut Stage, plan: Plan) -> Result<()> {
    let [first, _] = &DEVICES;
    let (victim, _) = stage.serve_at(Side::Here, &["silent", "kind=tcp", "from=0.0.0.0:0"])?;
    let to = SocketAddr::new(first.here.parse()?, victim.port());
    let from = SocketAddr::new(first.peer.parse()?, 24_000);
    inject(stage, plan, "tcp", from, to)?;
    stage.nobody_received(("tcp".to_owned(), from, to));
    Ok(())
}

/// Frames from outside for another host, with an address of this one.
fn overheard(stage: &mut Stage, plan: Plan) -> Result<()> {
    let [first, _] = &DEVICES;
    let (victim, _) = stage.serve_at(Side::Here, &["silent", "kind=udp", "from=0.0.0.0:0"])?;
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

fn stream_here(stage: &mut Stage, options: &[String]) -> Result<()> {
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let all: Vec<&str> = ["stream"].into_iter().chain(options).collect();
    stage.perform(Side::Here, &all)
}

fn bound(stage: &mut Stage, plan: Plan) -> Result<()> {
    let [first, _] = &DEVICES;
    let from = format!("from={}:0", first.peer);
    let (sink, _) = stage.serve_at(Side::Client, &["sink", "kind=udp", &from])?;
    for number in 0..plan.count {
        stream_here(
            stage,
            &[
                "kind=udp".to_owned(),
                format!("from=0.0.0.0:{}", 25_000 + number),
                format!("as={}", first.here),
                format!("to={sink}"),
                format!("device={}", first.name),
                "count=3".to_owned(),
                "linger=50".to_owned(),
            ],
        )?;
    }
    stage.await_sent(plan.count)
}

/// The sender is on all devices; a socket with the same port and the closer address is bound to
/// another one.
fn other_device(stage: &mut Stage, plan: Plan) -> Result<()> {
    let [first, second] = &DEVICES;
    let from = format!("from={}:0", first.peer);
    let (sink, _) = stage.serve_at(Side::Client, &["sink", "kind=udp", &from])?;
    for number in 0..plan.count {
        let port = 26_000 + number;
        let silent = [
            "silent".to_owned(),
            "kind=udp".to_owned(),
            format!("from={}:{port}", first.here),
            format!("device={}", second.name),
        ];
        let silent: Vec<&str> = silent.iter().map(String::as_str).collect();
        stage.serve_at(Side::Here, &silent)?;
        stream_here(
            stage,
            &[
                "kind=udp".to_owned(),
                format!("from=0.0.0.0:{port}"),
                format!("as={}", first.here),
                format!("to={sink}"),
                "count=3".to_owned(),
                "linger=50".to_owned(),
            ],
        )?;
    }
    stage.await_sent(plan.count)
}

/// The sender is on all addresses; the kernel would give what is sent to its port to a silent
/// socket.
fn beside(stage: &mut Stage, plan: Plan, silent: fn(&str, usize) -> Vec<String>) -> Result<()> {
    let [first, _] = &DEVICES;
    let from = format!("from={}:0", first.peer);
    let (sink, _) = stage.serve_at(Side::Client, &["sink", "kind=udp", &from])?;
    for number in 0..plan.count {
        let port = 30_000 + number;
        let options = silent(first.here, port);
        let mut role = vec!["silent", "kind=udp"];
        role.extend(options.iter().map(String::as_str));
        stage.serve_at(Side::Here, &role)?;
        stream_here(
            stage,
            &[
                "kind=udp".to_owned(),
                format!("from=0.0.0.0:{port}"),
                format!("as={}", first.here),
                format!("to={sink}"),
                "count=3".to_owned(),
                "linger=50".to_owned(),
            ],
        )?;
    }
    stage.await_sent(plan.count)
}

fn bound_connection(stage: &mut Stage, plan: Plan) -> Result<()> {
    let [first, _] = &DEVICES;
    let from = format!("from={}:0", first.peer);
    let (sink, _) = stage.serve_at(Side::Client, &["sink", "kind=tcp", &from])?;
    for _ in 0..plan.count {
        stream_here(
            stage,
            &[
                "kind=tcp".to_owned(),
                "from=0.0.0.0:0".to_owned(),
                format!("to={sink}"),
                format!("device={}", first.name),
                "count=3".to_owned(),
                "linger=50".to_owned(),
            ],
        )?;
    }
    stage.await_sent(plan.count)
}

fn link_local(stage: &mut Stage, plan: Plan, kind: &str) -> Result<()> {
    let [first, _] = &DEVICES;
    let transport = if kind == "tcp" { "tcp" } else { "udp" };
    let listen = format!("kind={transport}");
    let (sink, _) = stage.serve_at(Side::Client, &["sink", &listen, "from=[::]:0"])?;
    let scope = Stage::index_of(first.name)?;
    for _ in 0..plan.count {
        stream_here(
            stage,
            &[
                format!("kind={kind}"),
                format!("from=[fe80::1%{scope}]:0"),
                format!("to=[fe80::2%{scope}]:{}", sink.port()),
                "count=3".to_owned(),
                "linger=50".to_owned(),
            ],
        )?;
    }
    stage.await_sent(plan.count)
}

/// Two processes with the same addresses and ports, each on its own link.
fn two_links(stage: &mut Stage, plan: Plan) -> Result<()> {
    for side in [Side::Client, Side::Server] {
        stage.serve_at(side, &["sink", "kind=udp", "from=[::]:9"])?;
    }
    for number in 0..plan.count {
        let mut running = Vec::new();
        for device in &DEVICES {
            let scope = Stage::index_of(device.name)?;
            let options = [
                "stream".to_owned(),
                "kind=udp-connected".to_owned(),
                format!("from=[fe80::1%{scope}]:{}", 27_000 + number),
                format!("to=[fe80::2%{scope}]:9"),
                "count=5".to_owned(),
                "linger=50".to_owned(),
            ];
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            running.push(stage.start(Side::Here, &options)?);
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
        let port = 28_000 + number;
        stream_here(
            stage,
            &[
                "kind=udp".to_owned(),
                format!("from={group}:{port}"),
                format!("as={}", first.here),
                format!("to={group}:{port}"),
                format!("interface={}", first.here),
                "count=3".to_owned(),
                "linger=50".to_owned(),
            ],
        )?;
    }
    stage.await_sent(plan.count)
}

/// What a container sends under the host's address, from a port that a socket of the host has.
fn translated(stage: &mut Stage, plan: Plan) -> Result<()> {
    let [first, _] = &DEVICES;
    let from = format!("from={}:0", first.peer);
    let (sink, _) = stage.serve_at(Side::Client, &["sink", "kind=udp", &from])?;
    for _ in 0..plan.count {
        let (victim, _) = stage.serve_at(Side::Here, &["silent", "kind=udp", "from=0.0.0.0:0"])?;
        let options = [
            "stream".to_owned(),
            "kind=udp-connected".to_owned(),
            format!("from=0.0.0.0:{}", victim.port()),
            format!("as={}", first.here),
            format!("to={sink}"),
            "count=5".to_owned(),
        ];
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        stage.perform(Side::Server, &options)?;
    }
    stage.await_sent(plan.count)
}

/// The sender is not connected; in another network, a socket of the same ends is, and silent.
fn twin(stage: &mut Stage, plan: Plan) -> Result<()> {
    let from = format!("from={SERVER}:0");
    let (sink, _) = stage.serve_at(Side::Server, &["sink", "kind=udp", &from])?;
    for number in 0..plan.count {
        let end = format!("{CLIENT}:{}", 29_000 + number);
        let (from, connect) = (format!("from={end}"), format!("connect={sink}"));
        stage.serve_at(Side::Twin, &["silent", "kind=udp", &from, &connect])?;
        let to = format!("to={sink}");
        let options = ["stream", "kind=udp", &from, &to, "count=5", "linger=50"];
        stage.perform(Side::Client, &options)?;
    }
    stage.await_sent(plan.count)
}
