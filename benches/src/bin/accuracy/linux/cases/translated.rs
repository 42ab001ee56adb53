//! Packets that the observed host translates (NAT), by what the device shows that leads outside.

use std::net::SocketAddr;

use super::super::Result;
use super::super::stage::Stage;
use super::super::venue::{DEVICES, FORWARDED, Place, Side};
use super::{Case, Need, Plan, Share, at, case, few};

const fn behind(name: &'static str, need: Need, play: fn(&mut Stage, Plan) -> Result<()>) -> Case {
    let case = case(name, need, false, play);
    Case {
        share: Share::Whole,
        ..at(Place::Translating, case)
    }
}

pub(super) const CASES: &[Case] = &[
    behind(
        "behind the host's address, tcp, exits at once",
        Need::AtOnce,
        |stage, plan| outside(stage, plan, "tcp", "0"),
    ),
    behind(
        "behind the host's address, tcp, lives 10 ms",
        Need::All,
        |stage, plan| outside(stage, plan, "tcp", "10"),
    ),
    behind(
        "behind the host's address, udp, exits at once",
        Need::AtOnce,
        |stage, plan| outside(stage, plan, "udp", "0"),
    ),
    behind(
        "behind the host's address, udp, lives 10 ms",
        Need::All,
        |stage, plan| outside(stage, plan, "udp", "10"),
    ),
    at(
        Place::Translating,
        few(
            "two behind one address with the same port, tcp",
            Need::All,
            |stage, plan| twins(stage, plan, "tcp"),
        ),
    ),
    at(
        Place::Translating,
        few(
            "two behind one address with the same port, udp",
            Need::All,
            |stage, plan| twins(stage, plan, "udp"),
        ),
    ),
    behind(
        "behind a port of the host, the server, tcp",
        Need::All,
        |stage, plan| forwarded(stage, plan, "tcp"),
    ),
    behind(
        "behind a port of the host, the server, udp",
        Need::All,
        |stage, plan| forwarded(stage, plan, "udp"),
    ),
];

/// Starts a server that serves alone: its end, and its pid.
fn serve(stage: &mut Stage, side: Side, kind: &str, listen: &str) -> Result<(SocketAddr, u32)> {
    stage.serve_at(side, &[&format!("serve-{kind}"), listen, "alone"])
}

/// A server outside, which writes down by which ends it sees those who come.
fn serve_outside(stage: &mut Stage, kind: &str) -> Result<String> {
    let listen = format!("{}:0", DEVICES[0].peer);
    let (server, _) = serve(stage, Side::Client, kind, &listen)?;
    Ok(server.to_string())
}

/// From a container.
fn outside(stage: &mut Stage, plan: Plan, kind: &str, linger: &str) -> Result<()> {
    let to = serve_outside(stage, kind)?;
    for _ in 0..plan.count {
        let client = ["client", kind, "any", &to, linger, "1"];
        stage.perform(Side::Server, &client)?;
    }
    stage.await_truths(2 * plan.count)?;
    stage.judge_clients();
    Ok(())
}

/// From two containers, in which the port is the same. A silent socket of the host has it, too.
fn twins(stage: &mut Stage, plan: Plan, kind: &str) -> Result<()> {
    let to = serve_outside(stage, kind)?;
    for number in 0..plan.count {
        let port = 31_000 + number;
        let silent = format!("from=0.0.0.0:{port}");
        stage.serve_at(Side::Here, &["silent", &format!("kind={kind}"), &silent])?;
        let from = format!("0.0.0.0:{port}");
        let client = ["client", kind, &from, &to, "30", "1"];
        let running = [Side::Server, Side::Twin].map(|side| stage.start(side, &client));
        for place in running {
            stage.finish(place?)?;
        }
    }
    stage.await_truths(4 * plan.count)?;
    stage.judge_clients();
    Ok(())
}

/// To a server in a container, through a port of the host on which a process of the host listens as
/// well.
fn forwarded(stage: &mut Stage, plan: Plan, kind: &str) -> Result<()> {
    let port = FORWARDED.to_string();
    let silent = format!("from=0.0.0.0:{port}");
    stage.serve_at(Side::Here, &["silent", &format!("kind={kind}"), &silent])?;
    let listen = format!("{}:{port}", DEVICES[1].peer);
    serve(stage, Side::Server, kind, &listen)?;
    let shown: SocketAddr = format!("{}:{port}", DEVICES[0].here).parse()?;
    for _ in 0..plan.count {
        stage.play(&["client", kind, "any", &shown.to_string(), "10", "1"])?;
    }
    stage.await_truths(2 * plan.count)?;
    stage.judge_servers_at(shown);
    Ok(())
}
