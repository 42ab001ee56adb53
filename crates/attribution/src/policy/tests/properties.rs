//! Properties that hold for any sequence of events.

use std::net::SocketAddr;
use std::time::Duration;

use proptest::prelude::*;

use super::clock::ms;
use super::driver::{Driver, Kind, Manner, Watch};
use super::world::{Knows, LAN, SERVER_PORT, World};
use crate::answer::SocketQuery;
use crate::policy::{Initiator, PolicyConfig};

/// An event on the host or in the network.
#[derive(Debug, Clone)]
enum Step {
    /// A process connects.
    Connect(u8, u8, u8),
    /// A process connects to the server on this host.
    Loopback(u8, u8),
    /// A remote host connects to the server.
    Arrive(u8),
    /// The server accepts the connections that arrived.
    Accept,
    /// A process sends a datagram, from a socket bound to one address or to all.
    Send(u8, u8, u8, bool),
    /// A remote host sends a datagram to the server.
    Serve(u8),
    /// A client's socket is closed.
    Close(u8),
    /// A process exits; the system reuses its pid.
    Exit(u8),
    /// A flow has another packet.
    Packet(u8),
    /// A flow ends.
    End(u8),
    /// A flow gets another request.
    AskAgain(u8),
    /// An observer looks up the owner of the ends of a flow now, and delivers it after so many
    /// hundredths of a millisecond.
    Observe(u8, u16),
}

/// Few processes, ports and remote ends, so that the test reuses all of them.
fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_u8, 0..3_u8, 0..3_u8).prop_map(|(p, l, r)| Step::Connect(p, l, r)),
        2 => (0..4_u8, 0..3_u8).prop_map(|(p, l)| Step::Loopback(p, l)),
        2 => (0..4_u8).prop_map(Step::Arrive),
        1 => Just(Step::Accept),
        4 => (0..4_u8, 0..3_u8, 0..3_u8, any::<bool>())
            .prop_map(|(p, l, r, all)| Step::Send(p, l, r, all)),
        2 => (0..4_u8).prop_map(Step::Serve),
        4 => any::<u8>().prop_map(Step::Close),
        2 => (0..4_u8).prop_map(Step::Exit),
        5 => any::<u8>().prop_map(Step::Packet),
        2 => any::<u8>().prop_map(Step::End),
        3 => (any::<u8>(), 0..5_000_u16).prop_map(|(n, after)| Step::Observe(n, after)),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![20 => step(), 1 => any::<u8>().prop_map(Step::AskAgain)]
}

/// Time between two steps: mostly milliseconds, sometimes long.
fn pause() -> impl Strategy<Value = Duration> {
    prop_oneof![
        6 => (1..2_000_u64).prop_map(Duration::from_micros),
        3 => (1..60_u64).prop_map(ms),
        1 => (60..5_000_u64).prop_map(ms),
    ]
}

fn script<S: Strategy<Value = Step>>(step: S) -> impl Strategy<Value = Vec<(Step, Duration)>> {
    prop::collection::vec((step, pause()), 1..120)
}

fn manners(kinds: &'static [Kind]) -> impl Strategy<Value = Vec<Manner>> {
    let delay = prop_oneof![Just(Duration::ZERO), (0..100_u64).prop_map(ms)];
    let manner = (prop::sample::select(kinds), delay, 0..=100_u32);
    let manner = manner.prop_map(|(kind, delay, reads_at)| Manner {
        kind,
        delay,
        reads_at,
    });
    prop::collection::vec(manner, 1..6)
}

/// The observations for one flow after the other; none without an observer.
fn watches() -> impl Strategy<Value = Vec<Watch>> {
    let watch = prop_oneof![
        1 => Just(Watch::Blind),
        2 => Just(Watch::Before),
        4 => (0..3_000_u64).prop_map(|after| Watch::After(Duration::from_micros(after))),
        1 => Just(Watch::Lost),
    ];
    prop::collection::vec(watch, 0..6)
}

fn knows() -> impl Strategy<Value = Knows> {
    prop::sample::select(&[Knows::Everything, Knows::LocalEnds][..])
}

fn client(address: &str, port: u8) -> SocketAddr {
    format!("{address}:{}", 5_000 + u16::from(port))
        .parse()
        .unwrap()
}

fn peer(number: u8) -> SocketAddr {
    format!("192.0.2.{number}:443").parse().unwrap()
}

fn server(address: &str) -> SocketAddr {
    format!("{address}:{SERVER_PORT}").parse().unwrap()
}

fn play(driver: &mut Driver, step: &Step) {
    match *step {
        Step::Connect(process, port, remote) => {
            let (local, remote) = (client(LAN, port), peer(remote));
            let owner = driver.world.process(process.into());
            if driver.world.connect(local, remote, &owner) {
                driver.open(SocketQuery::tcp(local, remote), Initiator::Local, &owner);
            }
        }
        Step::Loopback(process, port) => {
            let (local, remote) = (client("127.0.0.1", port), server("127.0.0.1"));
            let owner = driver.world.process(process.into());
            if driver.world.connect(local, remote, &owner) {
                driver.world.arrive(remote, local);
                let server = driver.world.server();
                driver.open(SocketQuery::tcp(local, remote), Initiator::Local, &owner);
                driver.open(SocketQuery::tcp(remote, local), Initiator::Remote, &server);
            }
        }
        Step::Accept => driver.world.accept(),
        Step::Arrive(remote) => {
            driver.world.arrive(server(LAN), peer(remote));
            let owner = driver.world.server();
            let query = SocketQuery::tcp(server(LAN), peer(remote));
            driver.open(query, Initiator::Remote, &owner);
        }
        Step::Send(process, port, remote, all) => {
            // The last of the remote ends is on this host.
            let (address, remote) = match remote {
                2 => ("127.0.0.1", server("127.0.0.1")),
                _ => (LAN, peer(remote)),
            };
            let local = client(address, port);
            let bind = if all { client("0.0.0.0", port) } else { local };
            let owner = driver.world.process(process.into());
            if driver.world.send(bind, local, &owner) {
                driver.open(SocketQuery::udp(local, remote), Initiator::Local, &owner);
            }
        }
        Step::Serve(remote) => {
            let query = SocketQuery::udp(server(LAN), peer(remote));
            let owner = driver.world.server();
            driver.open(query, Initiator::Remote, &owner);
        }
        Step::Close(number) => driver.world.close(number.into()),
        Step::Exit(number) => driver.world.exit(number.into()),
        Step::Packet(number) => driver.packet(number.into()),
        Step::End(number) => driver.end(number.into()),
        Step::AskAgain(number) => driver.ask_again(number.into()),
        Step::Observe(number, after) => {
            let after = Duration::from_micros(10) * u32::from(after);
            driver.observe_again(number.into(), after);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// After the reuse of a port or pid, an answer never names the old owner for the new flow, nor
    /// the new owner for the old flow. The next owner sends when it opens its socket.
    ///
    /// This holds for observations, too: of a closed socket, of the next one with the same ends, of
    /// a process that has exited, before or after the request for the flow, and late.
    #[test]
    fn right_or_silent(
        knows in knows(),
        manners in manners(&[Kind::Snapshot, Kind::Answers, Kind::SomeFailed, Kind::Failed]),
        script in script(step()),
        fast_lookups in any::<bool>(),
        watches in watches(),
    ) {
        let mut driver = Driver::new(World::new(knows, 4), PolicyConfig::default(), manners);
        driver.fast_lookups = fast_lookups;
        driver.watches = watches;
        for (step, pause) in &script {
            play(&mut driver, step);
            driver.pass(*pause);
            driver.check_truth();
        }
        driver.finish();
        driver.check_truth();
    }

    /// With bounds that are always reached, a table that fails, and reused keys, the checks of the
    /// driver after each call still hold.
    #[test]
    fn bounded_and_live(
        knows in knows(),
        manners in manners(&[
            Kind::Snapshot, Kind::Answers, Kind::TooFew, Kind::SomeFailed, Kind::Failed,
        ]),
        script in script(any_step()),
        max in 0..5_usize,
        retry in prop::collection::vec(prop_oneof![0..300_u64, Just(u64::MAX)], 0..4),
        attempts_to_improve in 0..4_usize,
        pause_factor in prop_oneof![0..8_u32, Just(u32::MAX)],
        max_fast_lookups in 0..4_usize,
        fast_lookups in any::<bool>(),
        watches in watches(),
    ) {
        let config = PolicyConfig {
            retry_after: retry.into_iter().map(ms).collect(),
            attempts_to_improve,
            max_waiting: max,
            max_batch: max,
            max_cached: max,
            cache_age: ms(300),
            max_history: max,
            history_age: ms(300),
            pause_factor,
            max_fast_lookups,
            ..PolicyConfig::default()
        };
        let mut driver = Driver::new(World::new(knows, 4), config, manners);
        driver.fast_lookups = fast_lookups;
        driver.watches = watches;
        for (step, pause) in &script {
            play(&mut driver, step);
            driver.pass(*pause);
        }
        driver.finish();
    }
}

/// The properties would hold for a policy that never names an owner.
#[test]
fn quiet_hosts_are_named_completely() {
    for knows in [Knows::Everything, Knows::LocalEnds] {
        for kind in [Kind::Snapshot, Kind::Answers] {
            let manner = Manner {
                kind,
                delay: ms(50),
                reads_at: 50,
            };
            // No process has a port that another one had before.
            let config = PolicyConfig {
                sender_within: ms(1_000),
                receiver_within: ms(1_000),
                old_receiver_within: ms(1_000),
                ..PolicyConfig::default()
            };
            let mut driver = Driver::new(World::new(knows, 4), config, vec![manner]);
            driver.fast_lookups = kind == Kind::Answers;
            for number in 0..40 {
                for step in [
                    Step::Connect(number, number, number),
                    Step::Loopback(number, 100 + number),
                    Step::Arrive(number),
                    Step::Send(number, number, number, false),
                    Step::Serve(number),
                ] {
                    play(&mut driver, &step);
                    driver.pass(ms(1));
                }
            }
            driver.pass(ms(1_000));
            driver.finish();
            driver.check_truth();
            assert_eq!(driver.named(), driver.flows(), "{knows:?}, {kind:?}");
        }
    }
}
