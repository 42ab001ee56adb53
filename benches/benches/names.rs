//! Reading names out of payloads, and finding the name of an address.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flowner_benches::payload::{answer, client_hello_record, question, quic_initial};
use flowner_names::wire::{dns, quic, tls};
use flowner_names::{FlowFacts, Limits, NameTable, Source};

const ANSWERS: u32 = 100_000;
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
const NOW: Duration = Duration::from_secs(1_800_000_000);

fn payloads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("names");
    group.throughput(Throughput::Elements(1));
    let asked = question(7, "www.example.com", false);
    let told = answer(&asked, [192, 0, 2, 1].into(), 0);
    group.bench_function("answer of DNS", |bencher| {
        bencher.iter(|| dns::read(black_box(&told)));
    });
    let hello = client_hello_record("www.example.com", 517);
    group.bench_function("ClientHello, 517 bytes", |bencher| {
        bencher.iter(|| tls::read_records(black_box(&hello)));
    });
    let datagram = quic_initial("www.example.com", 9);
    group.bench_function("Initial of QUIC", |bencher| {
        bencher.iter(|| quic::Hello::default().read(black_box(&datagram)));
    });
    group.finish();
}

fn table(criterion: &mut Criterion) {
    let mut limits = Limits::default();
    limits.answers = ANSWERS as usize;
    let mut table = NameTable::new(limits);
    table.set_own_addresses([HOST]);
    let address = |number: u32| IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number));
    let mut resolve = |number: u32, now| {
        let (client, server) = (
            SocketAddr::new(HOST, 40_000),
            SocketAddr::from(([9; 4], 53)),
        );
        let asked = question(7, &format!("h{number}.example.com"), false);
        let told = answer(&asked, address(number), 0);
        for (bytes, ends) in [(asked, (client, server)), (told, (server, client))] {
            let message = dns::read(&bytes).unwrap_or_default();
            table.observe(&message, Source::Dns, ends, 1, now);
        }
    };
    (0..ANSWERS).for_each(|number| resolve(number, NOW));
    let mut group = criterion.benchmark_group("names");
    group.throughput(Throughput::Elements(1));
    let mut number = 0;
    group.bench_function("question and answer, into 100,000", |bencher| {
        bencher.iter(|| {
            number = (number + 7_919) % ANSWERS;
            resolve(number, NOW);
        });
    });
    let flow = FlowFacts {
        local: HOST,
        owner: None,
        began: NOW,
        server: None,
    };
    group.bench_function("name of an address, among 100,000", |bencher| {
        bencher.iter(|| {
            number = (number + 7_919) % ANSWERS;
            table.names_of(address(number), black_box(&flow))
        });
    });
    group.finish();
}

criterion_group!(benches, payloads, table);
criterion_main!(benches);
