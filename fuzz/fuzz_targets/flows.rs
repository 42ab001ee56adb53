//! Any operations on a small flow table: nothing is lost, the bound holds, and the
//! same operations give the same flows.

#![no_main]

use std::net::SocketAddr;
use std::time::Duration;

use arbitrary::Arbitrary;
use flowner_flows::{
    Counters, Ended, Flow, FlowTable, Fragment, Origin, Packet, Protocol, TableConfig, Tcp,
    TcpFlags,
};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
enum Operation {
    Packet {
        seconds: u16,
        from: End,
        to: End,
        protocol: u8,
        wire_len: u32,
        flags: u8,
        sequence: u8,
        fragment: Option<(u8, u8, bool)>,
    },
    Advance(u64),
    Drain,
    SetLocal(Option<u8>),
}

/// One of few ends, so that they meet again.
#[derive(Debug, Arbitrary)]
struct End {
    host: u8,
    port: u8,
}

impl End {
    fn address(&self) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, self.host % 4], u16::from(self.port % 4)))
    }
}

fn run(capacity: usize, operations: &[Operation]) -> Vec<Ended> {
    let mut table: FlowTable = FlowTable::new(TableConfig {
        capacity,
        fragments: 4,
        ..TableConfig::default()
    });
    let mut ended = Vec::new();
    let mut expected = Counters::default();
    for operation in operations {
        match operation {
            Operation::Packet {
                seconds,
                from,
                to,
                protocol,
                wire_len,
                flags,
                sequence,
                fragment,
            } => {
                let protocol = [
                    Protocol::TCP,
                    Protocol::UDP,
                    Protocol::ICMP,
                    Protocol(*protocol),
                ][usize::from(*protocol % 4)];
                let packet = Packet {
                    time: Duration::from_secs((*seconds).into()),
                    source: from.address(),
                    destination: to.address(),
                    protocol,
                    wire_len: *wire_len,
                    payload_len: wire_len / 2,
                    tcp: (protocol == Protocol::TCP).then_some(Tcp::new(TcpFlags(*flags), (*sequence).into())),
                    icmp: None,
                    fragment: fragment.map(|(id, offset, more)| Fragment {
                        id: id.into(),
                        offset: u32::from(offset) * 8,
                        more,
                    }),
                    origin: Origin::Unknown,
                    device: None,
                };
                let update = table.ingest(&packet, &mut ended);
                assert!(table.flow(update.id).is_some());
                expected += Counters {
                    packets: 1,
                    bytes: (*wire_len).into(),
                    payload_bytes: (wire_len / 2).into(),
                };
            }
            Operation::Advance(seconds) => table.advance(Duration::from_secs(*seconds), &mut ended),
            Operation::Drain => table.drain(&mut ended),
            Operation::SetLocal(host) => table.set_local_addresses(
                host.map(|host| [[10, 0, 0, host % 4].into()].into_iter().collect()),
            ),
        }
        assert!(table.len() <= capacity);
        let left = ended.iter().map(|ended| ended.flow.total());
        let total: Counters = table.iter().map(Flow::total).chain(left).sum();
        assert_eq!(total, expected);
    }
    table.drain(&mut ended);
    ended
}

fuzz_target!(|input: (u8, Vec<Operation>)| {
    let (capacity, mut operations) = input;
    // The sums are made anew after each operation.
    operations.truncate(256);
    let capacity = usize::from(capacity % 8).max(1);
    assert_eq!(run(capacity, &operations), run(capacity, &operations));
});
