//! Ends that change hands, or program, while their flow goes on. Each message is judged.

use std::net::SocketAddr;
use std::time::Duration;

use super::super::Result;
use super::super::stage::Stage;
use super::super::venue::Side;
use super::role::Role;
use super::{Case, Need, Plan, Share, few};

const LOOPBACK: &str = "127.0.0.1:0";

const fn once(name: &'static str, play: fn(&mut Stage, Plan) -> Result<()>) -> Case {
    Case {
        share: Share::Once,
        ..few(name, Need::Half, play)
    }
}

pub(super) const CASES: &[Case] = &[
    few(
        "udp port used again by another process, no gap",
        Need::NoneWrong,
        |stage, plan| reuse(stage, plan, 0),
    ),
    few(
        "udp port used again by another process, after 50 ms",
        Need::Half,
        |stage, plan| reuse(stage, plan, 50),
    ),
    few(
        "udp port used again by another process, after 2 s",
        Need::Half,
        |stage, plan| reuse(stage, plan, 2_000),
    ),
    once(
        "udp port used again by another process, after 25 s",
        |stage, plan| reuse(stage, plan, 25_000),
    ),
    once(
        "udp port used again by another process, after 65 s",
        |stage, plan| reuse(stage, plan, 65_000),
    ),
    few(
        "udp socket passed on between datagrams",
        Need::Half,
        |stage, plan| hand_over(stage, plan, "udp-connected", "pass"),
    ),
    few(
        "unconnected udp socket passed on between datagrams",
        Need::Half,
        |stage, plan| hand_over(stage, plan, "udp", "pass"),
    ),
    few(
        "connection passed on between messages",
        Need::Half,
        |stage, plan| hand_over(stage, plan, "tcp", "pass"),
    ),
    few(
        "another program after the first datagrams",
        Need::Half,
        |stage, plan| hand_over(stage, plan, "udp-connected", "exec"),
    ),
    few(
        "another program after the first messages",
        Need::Half,
        |stage, plan| hand_over(stage, plan, "tcp", "exec"),
    ),
    few(
        "a parent ends, its child keeps the udp socket",
        Need::Half,
        |stage, plan| hand_over(stage, plan, "udp-connected", "fork"),
    ),
    few(
        "a parent ends, its child keeps the connection",
        Need::Half,
        |stage, plan| hand_over(stage, plan, "tcp", "fork"),
    ),
    few(
        "a thread with descriptors of its own, udp",
        Need::Half,
        |stage, plan| thread(stage, plan, "udp-connected"),
    ),
    few(
        "a thread with descriptors of its own, tcp",
        Need::Half,
        |stage, plan| thread(stage, plan, "tcp"),
    ),
];

/// Starts a sink; its end.
fn sink(stage: &mut Stage, kind: &str) -> Result<SocketAddr> {
    Ok(stage.serve(&Role::sink(kind, LOOPBACK).words())?.0)
}

/// Two processes, one after the other, send from the same end.
fn reuse(stage: &mut Stage, plan: Plan, gap: u64) -> Result<()> {
    let sink = sink(stage, "udp")?;
    let send = |stage: &mut Stage, number: usize, count: usize| {
        let from = format!("127.0.0.1:{}", 22_000 + number);
        let role = Role::stream("udp-connected", from, sink, count);
        stage.perform(Side::Client, &role.words())
    };
    if gap >= 2_000 {
        // Of all, so that the gaps pass together.
        (0..plan.count).try_for_each(|number| send(stage, number, 3))?;
        std::thread::sleep(Duration::from_millis(gap));
        (0..plan.count).try_for_each(|number| send(stage, number, 30))?;
    } else {
        for number in 0..plan.count {
            send(stage, number, 3)?;
            std::thread::sleep(Duration::from_millis(gap));
            send(stage, number, 30)?;
        }
    }
    stage.await_sent(2 * plan.count)
}

fn hand_over(stage: &mut Stage, plan: Plan, kind: &str, how: &str) -> Result<()> {
    let role = Role::new("hand-over", kind).with("how", how);
    let role = role.with("from", LOOPBACK).with("to", sink(stage, kind)?);
    let role = role.with("first", 5).with("then", 30);
    for _ in 0..plan.count {
        stage.perform(Side::Client, &role.words())?;
    }
    stage.await_sent(2 * plan.count)
}

fn thread(stage: &mut Stage, plan: Plan, kind: &str) -> Result<()> {
    let role = Role::new("thread", kind).with("from", LOOPBACK);
    let role = role.with("to", sink(stage, kind)?).with("count", 10);
    for _ in 0..plan.count {
        stage.perform(Side::Client, &role.words())?;
    }
    stage.await_sent(plan.count)
}
