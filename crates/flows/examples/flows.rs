//! Counts three packets and prints the flow that they make.

use std::time::Duration;

use flowner_flows::{FlowTable, Origin, Packet, Protocol, TableConfig, Tcp, TcpFlags};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut table: FlowTable = FlowTable::new(TableConfig {
        local: Some(["10.0.0.2".parse()?].into_iter().collect()),
        ..TableConfig::default()
    });
    let (here, there) = ("10.0.0.2:45784".parse()?, "93.184.216.34:443".parse()?);
    let mut ended = Vec::new();
    for (millis, source, destination, flags) in [
        (0, here, there, TcpFlags::SYN),
        (20, there, here, TcpFlags::SYN | TcpFlags::ACK),
        (21, here, there, TcpFlags::ACK),
    ] {
        let packet = Packet {
            time: Duration::from_millis(millis),
            source,
            destination,
            protocol: Protocol::TCP,
            wire_len: 66,
            payload_len: 0,
            tcp: Some(Tcp::new(flags, 0)),
            icmp: None,
            fragment: None,
            origin: Origin::Unknown,
            device: None,
        };
        table.ingest(&packet, &mut ended);
    }
    for flow in table.iter() {
        let (local, remote, state) = (flow.local(), flow.remote(), flow.state());
        println!("{} {local} -> {remote}: {state}", flow.protocol());
    }
    Ok(())
}
