//! Who owns a socket: the best table of this system beside the `listeners` crate, with
//! few and with many processes.
#![allow(
    clippy::expect_used,
    reason = "a benchmark has nobody to tell but its user"
)]

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};
use flowner_attribution::snapshot::best;
use flowner_attribution::{Protocol, Snapshot, Socket, SocketQuery, SocketState, SocketTable};
use flowner_benches::load::{self, Load};

/// Processes, each with ten sockets.
const LOADS: [usize; 3] = [10, 100, 1_000];
const SOCKETS: usize = 10;

fn main() {
    load::serve_if_asked();
    // As a test, the least load says enough.
    let is_benchmark = std::env::args().any(|argument| argument == "--bench");
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let loads = if is_benchmark {
        &LOADS[..]
    } else {
        &LOADS[..1]
    };
    for &processes in loads {
        let _load = Load::start(processes, SOCKETS).expect("the load starts");
        if is_benchmark {
            // For new processes, the native table reads the parents, too.
            std::thread::sleep(Duration::from_millis(2_500));
        }
        measure(&mut criterion, processes);
    }
    criterion.final_summary();
}

fn measure(criterion: &mut Criterion, processes: usize) {
    let sockets = processes * SOCKETS;
    let name = format!("{processes} processes, {sockets} sockets");
    let mut group = criterion.benchmark_group(name);
    snapshots(&mut group);
    let snapshot = table().snapshot().expect("sockets are listed");
    let (open, closed) = (listener(&snapshot), closed(&snapshot));
    let (local, remote) = connection(&snapshot);
    // A connection without a socket: it may be a new one.
    let peer = SocketAddr::from(([127, 0, 0, 1], 9));
    for (what, local, remote, is_open) in [
        ("open port", open, None, true),
        ("open port of a new connection", open, Some(peer), true),
        ("closed port", closed, None, false),
        ("closed port of a connection", closed, Some(peer), false),
        ("connection", local, Some(remote), true),
    ] {
        let query = SocketQuery::new(Protocol::Tcp, local, remote);
        one(&mut group, what, &query, is_open);
    }
    group.finish();
}

fn table() -> Box<dyn SocketTable> {
    best().expect("this system has a socket table")
}

fn snapshots(group: &mut BenchmarkGroup<'_, WallTime>) {
    let mut warm = table();
    group.bench_function("all sockets, flowner, warm", |bencher| {
        bencher.iter(|| warm.snapshot());
    });
    group.bench_function("all sockets, flowner, cold", |bencher| {
        bencher.iter(|| table().snapshot());
    });
    group.bench_function("all sockets, listeners", |bencher| {
        bencher.iter(listeners::get_all);
    });
}

/// Asks both who has a socket; `listeners` knows of local ports only.
fn one(group: &mut BenchmarkGroup<'_, WallTime>, what: &str, query: &SocketQuery, is_open: bool) {
    let mut table = table();
    // All that was there before is known, as it is to a program that runs for a while.
    table.snapshot().expect("sockets are listed");
    let answer = table.find(query).expect("the question is answered");
    assert_eq!(answer.verdict.is_named(), is_open, "{what}: {answer:?}");
    group.bench_function(format!("{what}, flowner"), |bencher| {
        bencher.iter(|| table.find(black_box(query)));
    });
    group.bench_function(format!("{what}, listeners"), |bencher| {
        let port = query.local().port();
        bencher.iter(|| listeners::get_process_by_port(black_box(port), listeners::Protocol::TCP));
    });
}

/// The sockets of this network namespace with a named owner, so that there is something to find.
fn named(snapshot: &Snapshot) -> impl DoubleEndedIterator<Item = &Socket> {
    let sockets = snapshot.sockets().iter();
    sockets.filter(|socket| {
        let is_here = socket.namespace.is_none() && socket.protocol == Protocol::Tcp;
        is_here && socket.owner.is_named()
    })
}

/// A listener somewhere in the middle.
fn listener(snapshot: &Snapshot) -> SocketAddr {
    let is_listener = |socket: &&Socket| {
        let state = socket.state.unwrap_or(SocketState::Listen);
        state == SocketState::Listen && socket.local.is_ipv4()
    };
    let listeners: Vec<_> = named(snapshot).filter(is_listener).collect();
    listeners[listeners.len() / 2].local
}

/// A connection, or a made-up one if the table lists none.
fn connection(snapshot: &Snapshot) -> (SocketAddr, SocketAddr) {
    let connections: Vec<_> = named(snapshot)
        .filter_map(|socket| Some((socket.local, socket.remote?)))
        .collect();
    match connections[..] {
        [] => (listener(snapshot), SocketAddr::from(([127, 0, 0, 1], 9))),
        _ => connections[connections.len() / 2],
    }
}

/// A port without a socket.
fn closed(snapshot: &Snapshot) -> SocketAddr {
    let is_free = |port: &u16| snapshot.sockets().iter().all(|s| s.local.port() != *port);
    let port = (1_024..u16::MAX).find(is_free).expect("a port is free");
    SocketAddr::from(([127, 0, 0, 1], port))
}
