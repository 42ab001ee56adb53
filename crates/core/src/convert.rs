//! What capture decodes, in the terms in which flows are counted. The two crates
//! do not know each other; this is the seam.

use std::net::SocketAddr;
use std::time::Duration;

use flowner_capture::Headers;
use flowner_flows::{Fragment, Packet, Protocol, Tcp, TcpFlags};

/// A packet for the flow table, from its decoded headers and its capture time.
pub(crate) fn packet(headers: &Headers, time: Duration) -> Packet {
    let (source_port, destination_port) = headers
        .ports
        .map_or((0, 0), |ports| (ports.source, ports.destination));
    Packet {
        time,
        source: SocketAddr::new(headers.source, source_port),
        destination: SocketAddr::new(headers.destination, destination_port),
        protocol: Protocol(headers.protocol),
        wire_len: headers.wire_len,
        payload_len: headers.payload_len,
        tcp: headers.tcp.map(|tcp| Tcp {
            flags: TcpFlags(tcp.flags.0),
            sequence: tcp.sequence,
        }),
        fragment: headers.fragment.map(|fragment| Fragment {
            id: fragment.id,
            offset: fragment.offset,
            more: fragment.more,
        }),
    }
}
