//! What is hard to find: sockets of rings, and those of others beside processes with very many
//! descriptors.

use super::super::Result;
use super::super::stage::Stage;
use super::super::venue::Side;
use super::{Case, Need, Plan, case, few};

pub(super) const CASES: &[Case] = &[
    // For two seconds: who has a ring is found by a search that is made later than others.
    few(
        "registered with io_uring",
        Need::NoneWrong,
        |stage, plan| ring(stage, plan, "made=call"),
    ),
    few("made by io_uring", Need::Half, |stage, plan| {
        ring(stage, plan, "made=ring")
    }),
    case(
        "tcp v4, lives 10 ms, beside six processes with 20,000 descriptors",
        Need::NoneWrong,
        false,
        |stage, plan| crowded(stage, plan, "10"),
    ),
    case(
        "tcp v4, exits at once, beside six processes with 20,000 descriptors",
        Need::NoneWrong,
        false,
        |stage, plan| crowded(stage, plan, "0"),
    ),
];

fn ring(stage: &mut Stage, plan: Plan, made: &str) -> Result<()> {
    let disabled = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled");
    if disabled.map_or(true, |text| text.trim() != "0") {
        println!("SKIPPED: the kernel forbids io_uring");
        return Ok(());
    }
    let (sink, _) = stage.serve(&["sink", "kind=udp", "from=127.0.0.1:0"])?;
    let to = format!("to={sink}");
    for _ in 0..plan.count {
        let role = ["ring", "from=127.0.0.1:0", &to, made, "count=100"];
        stage.perform(Side::Client, &role)?;
    }
    stage.await_sent(plan.count)
}

fn crowded(stage: &mut Stage, plan: Plan, linger: &str) -> Result<()> {
    const CROWD: usize = 6;
    let (sink, _) = stage.serve(&["sink", "kind=udp", "from=127.0.0.1:0"])?;
    for _ in 0..CROWD {
        stage.serve(&["crowd", &sink.to_string()])?;
    }
    super::tcp(stage, plan, "127.0.0.1:0", "", linger)
}
