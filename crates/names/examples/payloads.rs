//! Names flows by their payloads, as a loop over captured packets does it: a resolver answers, one client
//! says nothing of the name, and one asks for another host at the same address.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use flowner_names::wire::ServerName;
use flowner_names::{Carried, FlowFacts, NameEvidence, NameReader, NameTable, Payload, Source};

/// A packet, as far as names are concerned.
struct Packet {
    at: u64,
    from: SocketAddr,
    to: SocketAddr,
    carried: Carried,
    bytes: Vec<u8>,
}

/// What a flow is called by: its ends, the client first.
type Flow = (SocketAddr, SocketAddr);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client: SocketAddr = "10.0.0.2:40000".parse()?;
    let mut reader: NameReader<Flow> = NameReader::default();
    let mut table = NameTable::default();
    table.set_own_addresses([client.ip()]);
    let mut began: HashMap<Flow, Duration> = HashMap::new();
    let mut said: HashMap<Flow, (ServerName, Source, Duration)> = HashMap::new();
    let mut found = Vec::new();
    for packet in packets()? {
        let now = Duration::from_secs(packet.at);
        let is_client = packet.from.ip() == client.ip();
        let flow = if is_client {
            (packet.from, packet.to)
        } else {
            (packet.to, packet.from)
        };
        began.entry(flow).or_insert(now);
        let payload = Payload {
            source: packet.from,
            destination: packet.to,
            carried: packet.carried,
            bytes: &packet.bytes,
            is_cut: false,
        };
        reader.read(flow, &payload, &mut found);
        for evidence in found.drain(..) {
            match evidence {
                NameEvidence::Server { name, source, .. } => {
                    said.insert(flow, (name, source, now));
                }
                NameEvidence::Message {
                    message,
                    source,
                    from,
                    to,
                    ..
                } => table.observe(&message, source, (from, to), flow.0.port().into(), now),
                _ => {}
            }
        }
    }
    let mut flows: Vec<_> = began.into_iter().collect();
    flows.sort();
    for (flow, began) in flows {
        let server = said.get(&flow);
        let facts = FlowFacts {
            local: flow.0.ip(),
            owner: None,
            began,
            server: server.map(|(name, source, at)| (name, *source, *at)),
        };
        match table.names_of(flow.1.ip(), &facts).name {
            Some(name) => println!(
                "{} -> {}: {} by {}",
                flow.0,
                flow.1,
                name.name,
                name.source.name()
            ),
            None => println!("{} -> {}: no name", flow.0, flow.1),
        }
    }
    Ok(())
}

/// A question, its answer, and two connections.
fn packets() -> Result<Vec<Packet>, std::net::AddrParseError> {
    let question = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01";
    let mut answer = question.to_vec();
    (answer[2], answer[7]) = (0x81, 1);
    answer.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01");
    let mut packets = Vec::new();
    let mut put = |from: &str, to: &str, carried, bytes: &[u8]| {
        let at = 100 + packets.len() as u64;
        let (from, to) = (from.parse()?, to.parse()?);
        packets.push(Packet {
            at,
            from,
            to,
            carried,
            bytes: bytes.to_vec(),
        });
        Ok(())
    };
    let tcp = |sequence, is_syn| Carried::Tcp { sequence, is_syn };
    put("10.0.0.2:50000", "9.9.9.9:53", Carried::Udp, question)?;
    put("9.9.9.9:53", "10.0.0.2:50000", Carried::Udp, &answer)?;
    put("10.0.0.2:40000", "192.0.2.1:7000", tcp(0, true), b"")?;
    put(
        "10.0.0.2:40000",
        "192.0.2.1:7000",
        tcp(1, false),
        b"something",
    )?;
    put("10.0.0.2:40001", "192.0.2.1:80", tcp(0, true), b"")?;
    let request = b"GET / HTTP/1.1\r\nHost: shop.example.org\r\n\r\n";
    put("10.0.0.2:40001", "192.0.2.1:80", tcp(1, false), request)?;
    Ok(packets)
}
