//! Decoding of single frames, of the kinds that are most common.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flowner_capture::{LinkType, decode};
use std::hint::black_box;

/// Ethernet, IPv4, TCP with 12 bytes of options (timestamps).
fn ethernet_ipv4_tcp() -> Vec<u8> {
    let mut frame = ethernet(&[0x08, 0x00]);
    frame.extend(ipv4(6, 1448 + 32));
    frame.extend(tcp());
    frame
}

/// Ethernet, one VLAN tag, IPv6, UDP.
fn vlan_ipv6_udp() -> Vec<u8> {
    let mut frame = ethernet(&[0x81, 0x00, 0x00, 0x05, 0x86, 0xdd]);
    frame.extend([0x60, 0, 0, 0, 0, 208, 17, 64]);
    frame.extend([[0x20; 16], [0x21; 16]].concat());
    frame.extend([0x9c, 0x40, 0, 53, 0, 208, 0, 0]);
    frame
}

/// Linux cooked, version 2, IPv4, TCP.
fn cooked2_ipv4_tcp() -> Vec<u8> {
    let mut frame = vec![0x08, 0x00, 0, 0, 0, 0, 0, 2, 0, 1, 4, 6];
    frame.extend([2, 0, 0, 0, 0, 1, 0, 0]);
    frame.extend(ipv4(6, 1448 + 32));
    frame.extend(tcp());
    frame
}

fn ethernet(ether_type: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], ether_type].concat()
}

fn ipv4(protocol: u8, payload_len: u16) -> Vec<u8> {
    let [high, low] = (20 + payload_len).to_be_bytes();
    let start = [0x45, 0, high, low, 0, 1, 0x40, 0, 64, protocol, 0, 0];
    [&start[..], &[192, 0, 2, 1], &[198, 51, 100, 2]].concat()
}

fn tcp() -> Vec<u8> {
    let header = [0x9c, 0x40, 1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 2, 0x80, 0x18];
    [&header[..], &[1, 0, 0, 0, 0, 0], &[1; 12]].concat()
}

fn benchmark(criterion: &mut Criterion) {
    let frames = [
        ("ethernet-ipv4-tcp", LinkType::Ethernet, ethernet_ipv4_tcp()),
        ("vlan-ipv6-udp", LinkType::Ethernet, vlan_ipv6_udp()),
        ("sll2-ipv4-tcp", LinkType::LinuxCooked2, cooked2_ipv4_tcp()),
    ];
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(1));
    for (name, link, frame) in frames {
        let decoded = decode(link, &frame, 1500);
        assert!(decoded.is_ok_and(|headers| headers.ports.is_some()));
        group.bench_function(name, |bencher| {
            bencher.iter(|| decode(link, black_box(&frame), black_box(1500)));
        });
    }
    group.finish();
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
