//! What is tried: each case starts processes that exchange something.

mod changes;
mod families;
mod heavy;
mod places;
mod role;
mod translated;

use std::net::SocketAddr;

use super::Result;
use super::plan::Plan;
use super::stage::Stage;
use super::venue::{Place, SERVER};

/// What a case must reach with the native table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Everybody is named.
    All,
    /// Processes that exit at once: nearly all.
    AtOnce,
    /// No wrong answer; the share of named ends is printed, not judged.
    NoneWrong,
    /// No process is named, but the user is.
    Users,
    /// No process is named, since the sockets are in another network namespace.
    Nobody,
    /// No wrong answer, and half are named: what changes is found out a moment later.
    Half,
    /// No owner is named, since no process of the host sent it.
    NoneNamed,
}

/// One case.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) need: Need,
    /// The number of exchanges, as a share of the requested one.
    pub(crate) share: Share,
    /// Whether it makes sense with several at once.
    pub(crate) in_parallel: bool,
    pub(crate) place: Place,
    pub(crate) play: fn(&mut Stage, Plan) -> Result<()>,
}

/// The share of the requested exchanges that is worth its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    Whole,
    /// A twentieth, for cases that take long.
    Few,
    /// Once, for cases that take a minute.
    Once,
}

const fn case(
    name: &'static str,
    need: Need,
    in_parallel: bool,
    play: fn(&mut Stage, Plan) -> Result<()>,
) -> Case {
    Case {
        name,
        need,
        share: Share::Whole,
        in_parallel,
        place: Place::Here,
        play,
    }
}

const fn few(name: &'static str, need: Need, play: fn(&mut Stage, Plan) -> Result<()>) -> Case {
    Case {
        name,
        need,
        share: Share::Few,
        in_parallel: false,
        place: Place::Here,
        play,
    }
}

const fn at(place: Place, case: Case) -> Case {
    Case { place, ..case }
}

/// Every case.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    let lists = [
        EXCHANGES,
        families::CASES,
        changes::CASES,
        heavy::CASES,
        places::CASES,
        translated::CASES,
    ];
    lists.into_iter().flatten()
}

const EXCHANGES: &[Case] = &[
    case(
        "tcp v4, exits at once",
        Need::AtOnce,
        true,
        |stage, plan| tcp(stage, plan, "127.0.0.1:0", "", "0"),
    ),
    case("tcp v4, lives 1 ms", Need::AtOnce, true, |stage, plan| {
        tcp(stage, plan, "127.0.0.1:0", "", "1")
    }),
    case("tcp v4, lives 10 ms", Need::All, true, |stage, plan| {
        tcp(stage, plan, "127.0.0.1:0", "", "10")
    }),
    case(
        "tcp v6, exits at once",
        Need::AtOnce,
        true,
        |stage, plan| tcp(stage, plan, "[::1]:0", "", "0"),
    ),
    case("tcp v6, lives 10 ms", Need::All, true, |stage, plan| {
        tcp(stage, plan, "[::1]:0", "", "10")
    }),
    case(
        "tcp v4 to a [::] server, exits at once",
        Need::AtOnce,
        true,
        |stage, plan| tcp(stage, plan, "[::]:0", "127.0.0.1", "0"),
    ),
    case(
        "tcp v6 socket to v4, exits at once",
        Need::AtOnce,
        true,
        |stage, plan| tcp(stage, plan, "127.0.0.1:0", "::ffff:127.0.0.1", "0"),
    ),
    case(
        "tcp v6 socket to [::] by v4, lives 10 ms",
        Need::All,
        true,
        |stage, plan| tcp(stage, plan, "[::]:0", "::ffff:127.0.0.1", "10"),
    ),
    case(
        "tcp, a long-lived process, connections of 2 ms",
        Need::All,
        false,
        |stage, plan| long_lived(stage, plan, "2"),
    ),
    case(
        "tcp, a long-lived process, connections back to back",
        Need::NoneWrong,
        false,
        |stage, plan| long_lived(stage, plan, "0"),
    ),
    case(
        "tcp, accepted by pre-forked workers",
        Need::All,
        true,
        prefork,
    ),
    case(
        "udp v4, one datagram each way, exits at once",
        Need::AtOnce,
        true,
        |stage, plan| udp(stage, plan, "udp", "127.0.0.1:0", "", "0"),
    ),
    case(
        "udp v4 connected, exits at once",
        Need::AtOnce,
        true,
        |stage, plan| udp(stage, plan, "udp-connected", "127.0.0.1:0", "", "0"),
    ),
    case("udp v4, lives 10 ms", Need::All, true, |stage, plan| {
        udp(stage, plan, "udp", "127.0.0.1:0", "", "10")
    }),
    case(
        "udp v6, exits at once",
        Need::AtOnce,
        true,
        |stage, plan| udp(stage, plan, "udp", "[::1]:0", "", "0"),
    ),
    case(
        "udp v6 connected, lives 10 ms",
        Need::All,
        true,
        |stage, plan| udp(stage, plan, "udp-connected", "[::1]:0", "", "10"),
    ),
    case(
        "udp v4 to a [::] server, exits at once",
        Need::AtOnce,
        true,
        |stage, plan| udp(stage, plan, "udp", "[::]:0", "127.0.0.1", "0"),
    ),
    few("same port, two addresses, tcp", Need::All, |stage, plan| {
        same_port(stage, plan, "serve-tcp", "tcp")
    }),
    few("same port, two addresses, udp", Need::All, |stage, plan| {
        same_port(stage, plan, "serve-udp", "udp")
    }),
    few("a v4 TIME_WAIT beside a v6 socket", Need::All, time_wait),
    few(
        "port used again by another process, tcp",
        Need::AtOnce,
        |stage, plan| reuse(stage, plan, "serve-tcp", "tcp"),
    ),
    few(
        "port used again by another process, udp",
        Need::AtOnce,
        |stage, plan| reuse(stage, plan, "serve-udp", "udp"),
    ),
    case("SO_REUSEPORT, tcp", Need::All, false, |stage, plan| {
        reuseport(stage, plan, "serve-tcp", "tcp")
    }),
    case("SO_REUSEPORT, udp", Need::All, false, |stage, plan| {
        reuseport(stage, plan, "serve-udp", "udp")
    }),
    few(
        "descriptor passed, both keep it",
        Need::All,
        |stage, plan| one_server(stage, plan, "serve-udp", &["pass", "TO", "kept"]),
    ),
    few(
        "descriptor passed, sender closes it",
        Need::All,
        |stage, plan| one_server(stage, plan, "serve-udp", &["pass", "TO", "given"]),
    ),
    few(
        "executes another program after connect",
        Need::All,
        |stage, plan| one_server(stage, plan, "serve-tcp", &["exec", "TO"]),
    ),
    few("inherited by a child", Need::All, |stage, plan| {
        one_server(stage, plan, "serve-tcp", &["fork", "TO"])
    }),
    case(
        "tcp v4, answered after 1 ms, exits at once",
        Need::AtOnce,
        true,
        |stage, plan| slow(stage, plan, "serve-tcp", "tcp"),
    ),
    case(
        "udp v4, answered after 1 ms, exits at once",
        Need::AtOnce,
        true,
        |stage, plan| slow(stage, plan, "serve-udp", "udp"),
    ),
    at(
        Place::Bridge,
        case(
            "other networks, tcp, exits at once",
            Need::AtOnce,
            true,
            |stage, plan| bridged(stage, plan, "serve-tcp", "tcp", "0"),
        ),
    ),
    at(
        Place::Bridge,
        case(
            "other networks, tcp, lives 10 ms",
            Need::All,
            true,
            |stage, plan| bridged(stage, plan, "serve-tcp", "tcp", "10"),
        ),
    ),
    at(
        Place::Bridge,
        case(
            "other networks, udp, lives 10 ms",
            Need::All,
            true,
            |stage, plan| bridged(stage, plan, "serve-udp", "udp", "10"),
        ),
    ),
    at(
        Place::BridgeUnprivileged,
        case(
            "other networks, hidden",
            Need::Nobody,
            false,
            |stage, plan| bridged(stage, plan, "serve-tcp", "tcp", "10"),
        ),
    ),
    at(
        Place::Unprivileged,
        case(
            "root's processes, hidden",
            Need::Users,
            true,
            |stage, plan| tcp(stage, plan, "127.0.0.1:0", "", "10"),
        ),
    ),
    at(
        Place::SameUser,
        case(
            "the observer's own, lives 10 ms",
            Need::All,
            true,
            |stage, plan| tcp(stage, plan, "127.0.0.1:0", "", "10"),
        ),
    ),
];

/// The server's address as clients use it.
fn reached_by(server: SocketAddr, address: &str) -> Result<String> {
    if address.is_empty() {
        return Ok(server.to_string());
    }
    Ok(SocketAddr::new(address.parse()?, server.port()).to_string())
}

fn tcp(stage: &mut Stage, plan: Plan, listen: &str, to: &str, linger: &str) -> Result<()> {
    let (server, _) = stage.serve(&["serve-tcp", listen, "alone"])?;
    let to = reached_by(server, to)?;
    stage.play_many(&["client", "tcp", "any", &to, linger, "1"], plan)?;
    stage.await_truths(2 * plan.count)
}

fn udp(
    stage: &mut Stage,
    plan: Plan,
    kind: &str,
    listen: &str,
    to: &str,
    linger: &str,
) -> Result<()> {
    let (server, _) = stage.serve(&["serve-udp", listen, "alone"])?;
    let to = reached_by(server, to)?;
    stage.play_many(&["client", kind, "any", &to, linger, "1"], plan)?;
    stage.await_truths(2 * plan.count)
}

/// As over a network, where an answer takes its time.
fn slow(stage: &mut Stage, plan: Plan, serve: &str, kind: &str) -> Result<()> {
    let (server, _) = stage.serve(&[serve, "127.0.0.1:0", "alone", "1"])?;
    let to = server.to_string();
    stage.play_many(&["client", kind, "any", &to, "0", "1"], plan)?;
    stage.await_truths(2 * plan.count)
}

fn bridged(stage: &mut Stage, plan: Plan, serve: &str, kind: &str, linger: &str) -> Result<()> {
    let listen = format!("{SERVER}:0");
    let (server, _) = stage.serve(&[serve, &listen, "alone"])?;
    let to = server.to_string();
    stage.play_many(&["client", kind, "any", &to, linger, "1"], plan)?;
    stage.await_truths(2 * plan.count)
}

fn long_lived(stage: &mut Stage, plan: Plan, linger: &str) -> Result<()> {
    let (server, _) = stage.serve(&["serve-tcp", "127.0.0.1:0", "alone"])?;
    let (to, count) = (server.to_string(), plan.count.to_string());
    stage.play(&["client", "tcp", "any", &to, linger, &count])?;
    stage.await_truths(2 * plan.count)
}

fn prefork(stage: &mut Stage, plan: Plan) -> Result<()> {
    let (server, _) = stage.serve(&["prefork", "127.0.0.1:0"])?;
    let alike = stage.await_line("alike ")?;
    let alike = alike
        .split(',')
        .map(str::parse)
        .collect::<std::result::Result<Vec<u32>, _>>()?;
    // Each worker says that it is ready; the first one was waited for.
    stage.await_line("ready ")?;
    stage.await_line("ready ")?;
    let to = server.to_string();
    stage.play_many(&["client", "tcp", "any", &to, "10", "1"], plan)?;
    stage.await_truths(2 * plan.count)?;
    stage.add_alike(&alike);
    Ok(())
}

fn one_server(stage: &mut Stage, plan: Plan, serve: &str, role: &[&str]) -> Result<()> {
    let (server, _) = stage.serve(&[serve, "127.0.0.1:0", "alone"])?;
    let to = server.to_string();
    let role: Vec<&str> = role
        .iter()
        .map(|word| if *word == "TO" { to.as_str() } else { *word })
        .collect();
    stage.play_many(&role, plan)?;
    stage.await_truths(2 * plan.count)
}

/// Servers and clients that differ by nothing but the address.
fn same_port(stage: &mut Stage, plan: Plan, serve: &str, kind: &str) -> Result<()> {
    let (first, _) = stage.serve(&[serve, "127.0.0.1:0", "alone"])?;
    let other = SocketAddr::new("127.0.0.2".parse()?, first.port()).to_string();
    let (second, _) = stage.serve(&[serve, &other, "alone"])?;
    for _ in 0..plan.count {
        for to in [first, second] {
            stage.play(&["client", kind, "any", &to.to_string(), "10", "1"])?;
        }
    }
    stage.await_truths(4 * plan.count)
}

fn time_wait(stage: &mut Stage, plan: Plan) -> Result<()> {
    let (v4, _) = stage.serve(&["serve-tcp", "127.0.0.1:0", "alone"])?;
    let (v6, _) = stage.serve(&["serve-tcp", "[::1]:0", "alone"])?;
    for number in 0..plan.count {
        let port = 20_000 + number;
        let (from_v4, from_v6) = (format!("127.0.0.1:{port}"), format!("[::1]:{port}"));
        stage.play(&["client", "tcp", &from_v4, &v4.to_string(), "10", "1"])?;
        stage.play(&["client", "tcp", &from_v6, &v6.to_string(), "10", "1"])?;
    }
    stage.await_truths(4 * plan.count)
}

fn reuse(stage: &mut Stage, plan: Plan, serve: &str, kind: &str) -> Result<()> {
    let (first, _) = stage.serve(&[serve, "127.0.0.1:0", "alone"])?;
    let (second, _) = stage.serve(&[serve, "127.0.0.1:0", "alone"])?;
    for number in 0..plan.count {
        let from = format!("127.0.0.1:{}", 21_000 + number);
        for to in [first, second] {
            stage.play(&["client", kind, &from, &to.to_string(), "0", "1"])?;
        }
    }
    stage.await_truths(4 * plan.count)
}

fn reuseport(stage: &mut Stage, plan: Plan, serve: &str, kind: &str) -> Result<()> {
    let (server, pid) = stage.serve(&[serve, "127.0.0.1:0", "shared"])?;
    let to = server.to_string();
    let mut group = vec![pid];
    for _ in 0..2 {
        group.push(stage.serve(&[serve, &to, "shared"])?.1);
    }
    stage.play_many(&["client", kind, "any", &to, "10", "1"], plan)?;
    stage.await_truths(2 * plan.count)?;
    stage.add_alike(&group);
    Ok(())
}
