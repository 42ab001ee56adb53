//! Counting packets into flows: of a flow that is there, and of new flows at the
//! bound, where each evicts another.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flowner_flows::{FlowTable, Origin, Packet, Protocol, TableConfig, Tcp, TcpFlags};

const FLOWS: u32 = 100_000;
const BATCH: u32 = 1_000;

/// A packet of one of many connections.
fn packet(connection: u32, flags: TcpFlags) -> Packet {
    let [a, b, c, d] = connection.to_be_bytes();
    Packet {
        time: Duration::from_secs(1),
        source: SocketAddr::from(([10, a, b, c], 1024 + u16::from(d))),
        destination: SocketAddr::from(([192, 0, 2, 1], 443)),
        protocol: Protocol::TCP,
        wire_len: 1_500,
        payload_len: 1_446,
        tcp: Some(Tcp::new(flags, 1)),
        icmp: None,
        fragment: None,
        origin: Origin::Unknown,
        device: None,
    }
}

/// A table with as many flows as it may have.
fn full() -> FlowTable {
    let mut table = FlowTable::new(TableConfig {
        capacity: FLOWS as usize,
        ..TableConfig::default()
    });
    let mut ended = Vec::new();
    for connection in 0..FLOWS {
        table.ingest(&packet(connection, TcpFlags::ACK), &mut ended);
    }
    table
}

fn ingest(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("flows");
    group.throughput(Throughput::Elements(BATCH.into()));

    let mut table = full();
    let mut ended = Vec::new();
    group.bench_function("one flow", |bencher| {
        let packet = packet(7, TcpFlags::ACK);
        bencher.iter(|| {
            for _ in 0..BATCH {
                black_box(table.ingest(black_box(&packet), &mut ended));
            }
        });
    });
    let mut next = 0;
    group.bench_function("among 100,000 flows", |bencher| {
        bencher.iter(|| {
            for _ in 0..BATCH {
                // A large odd step visits them all, in an order that no cache guesses.
                next = (next + 61_803) % FLOWS;
                black_box(table.ingest(&packet(next, TcpFlags::ACK), &mut ended));
            }
        });
    });
    let mut new = FLOWS;
    group.bench_function("new flows at the bound", |bencher| {
        bencher.iter(|| {
            for _ in 0..BATCH {
                new = new.wrapping_add(1);
                black_box(table.ingest(&packet(new, TcpFlags::SYN), &mut ended));
            }
            ended.clear();
        });
    });
    group.finish();
}

criterion_group!(benches, ingest);
criterion_main!(benches);
