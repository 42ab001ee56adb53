//! Sockets that are neither TCP nor UDP, and frames that none of them sends. Each exchange has an address
//! of its own, so that it is a flow of its own.

use super::super::Result;
use super::super::stage::Stage;
use super::super::venue::Side;
use super::{Case, Need, Plan, case};

pub(super) const CASES: &[Case] = &[
    case(
        "raw, protocol 253, exits at once",
        Need::Half,
        false,
        |stage, plan| send(stage, plan, "raw", &[]),
    ),
    case(
        "raw, beside one that is idle",
        Need::Half,
        false,
        |stage, plan| send(stage, plan, "raw", &["hold-raw"]),
    ),
    case(
        "raw ping, exits at once",
        Need::Half,
        false,
        |stage, plan| send(stage, plan, "ping", &[]),
    ),
    case(
        "raw ping, two others have such sockets",
        Need::Half,
        false,
        |stage, plan| send(stage, plan, "ping", &["hold-ping", "hold-ping"]),
    ),
    case("two raw pings at once", Need::NoneWrong, false, two_pings),
    case(
        "ping socket, exits at once",
        Need::AtOnce,
        false,
        |stage, plan| {
            std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 100")?;
            send(stage, plan, "dgram", &["hold-ping"])
        },
    ),
    case(
        "udp-lite, exits at once",
        Need::Half,
        false,
        |stage, plan| send(stage, plan, "udplite", &[]),
    ),
    case(
        "injected frame, exits at once",
        Need::Half,
        false,
        |stage, plan| send(stage, plan, "frame", &[]),
    ),
    case(
        "injected frame, beside a sniffer",
        Need::NoneWrong,
        false,
        |stage, plan| send(stage, plan, "frame", &["hold-sniffer"]),
    ),
];

/// The ends of an exchange: a port, or what stands in its place, where there is one.
fn ends(kind: &str, number: usize) -> [String; 2] {
    let host = format!("127.1.{}.{}", number / 250, number % 250 + 1);
    let own = match kind {
        "raw" => 0,
        _ => 30_000 + number,
    };
    let far = if matches!(kind, "udplite" | "frame") {
        9
    } else {
        0
    };
    [format!("127.0.0.1:{own}"), format!("{host}:{far}")]
}

/// One process after the other, beside those that keep such a socket.
fn send(stage: &mut Stage, plan: Plan, kind: &str, held: &[&str]) -> Result<()> {
    let mut others = Vec::new();
    for held in held {
        let role = ["portless", held, "127.0.0.1:0", "127.0.0.1:0", "-"];
        others.push(stage.serve(&role)?.1.to_string());
    }
    let alike = others.join(",");
    for number in 0..plan.count {
        let [from, to] = ends(kind, number);
        stage.perform(Side::Here, &["portless", kind, &from, &to, &alike])?;
    }
    stage.await_truths(plan.count)
}

fn two_pings(stage: &mut Stage, plan: Plan) -> Result<()> {
    for number in 0..plan.count {
        let mut running = Vec::new();
        for place in [2 * number, 2 * number + 1] {
            let [from, to] = ends("ping", place);
            running.push(stage.start(Side::Here, &["portless", "ping", &from, &to, ""])?);
        }
        for place in running {
            stage.finish(place)?;
        }
    }
    stage.await_truths(2 * plan.count)?;
    stage.pair_clients();
    Ok(())
}
