//! Converts decoded packets to those that flow tables count. Neither of the two crates depends on
//! the other; this module connects them.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use flowner_capture::{self as capture, Headers, PacketOrigin, Quoted, RawPacket};
use flowner_flows::{About, Fragment, Icmp, Origin, Packet, Protocol, Tcp, TcpFlags};

/// A packet for a flow table, from its decoded headers and the captured packet: for programs that
/// count flows without a [`Monitor`](crate::Monitor).
///
/// ```
/// use flowner_capture::{Next, Source};
/// use flowner_core::flow_packet;
/// use flowner_flows::{FlowTable, TableConfig};
/// # fn capture_file() -> std::path::PathBuf {
/// #     let path = std::env::temp_dir().join("flowner-core-flow-packet.pcap");
/// #     let mut bytes = vec![
/// #         0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0,
/// #         0, 0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 28, 0, 0, 0,
/// #     ];
/// #     bytes.extend([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
/// #     bytes.extend([0x9c, 0x40, 0, 53, 0, 8, 0, 0]);
/// #     std::fs::write(&path, bytes).unwrap();
/// #     path
/// # }
///
/// let mut source = Source::file(capture_file(), None)?;
/// let mut table: FlowTable = FlowTable::new(TableConfig::default());
/// let mut flows = Vec::new();
/// while let Next::Packet(packet) = source.next()? {
///     if let Ok(headers) = packet.headers() {
///         table.ingest(&flow_packet(&headers, &packet), &mut flows);
///     }
/// }
/// // Those that are still open.
/// table.drain(&mut flows);
/// for ended in &flows {
///     println!("{}: {} bytes", ended.flow.key(), ended.flow.total().bytes);
/// }
/// # assert_eq!(flows[0].flow.key().to_string(), "udp 192.0.2.1:40000 <-> 192.0.2.2:53");
/// # Ok::<(), flowner_core::capture::Error>(())
/// ```
pub fn packet(headers: &Headers, captured: &RawPacket<'_>) -> Packet {
    Packet {
        wire_len: captured.device_len(),
        origin: origin(captured.origin),
        device: captured.device.and_then(NonZeroU32::new),
        ..packet_at(headers, captured.time)
    }
}

const fn origin(origin: PacketOrigin) -> Origin {
    match origin {
        PacketOrigin::Sent => Origin::Sent,
        PacketOrigin::Received => Origin::Received,
        PacketOrigin::OtherHost => Origin::OtherHost,
        PacketOrigin::Loopback => Origin::Loopback,
        // And what may come with a later version.
        _ => Origin::Unknown,
    }
}

/// A packet with these headers and time since the Unix epoch; all else is unknown.
pub(crate) fn packet_at(headers: &Headers, time: Duration) -> Packet {
    let (source_port, destination_port) = match (headers.ports, headers.icmp) {
        (Some(ports), _) => (ports.source, ports.destination),
        (None, Some(icmp)) => ids(&icmp),
        (None, None) => (0, 0),
    };
    Packet {
        time,
        source: SocketAddr::new(headers.source, source_port),
        destination: SocketAddr::new(headers.destination, destination_port),
        protocol: Protocol(headers.protocol),
        wire_len: headers.wire_len,
        payload_len: headers.payload_len,
        tcp: headers.tcp.map(|tcp| Tcp {
            acknowledgment: tcp.acknowledgment,
            ..Tcp::new(TcpFlags(tcp.flags.0), tcp.sequence)
        }),
        icmp: headers.icmp.map(|icmp| Icmp {
            identifier: icmp.identifier,
            about: icmp.quoted.as_ref().map(about),
            ..Icmp::new(icmp.kind, icmp.code)
        }),
        fragment: headers.fragment.map(|fragment| Fragment {
            id: fragment.id,
            offset: fragment.offset,
            more: fragment.more,
        }),
        origin: Origin::Unknown,
        device: None,
    }
}

/// The id of a request or a reply, at the requesting end: the id identifies its socket.
const fn ids(icmp: &capture::Icmp) -> (u16, u16) {
    match (icmp.identifier, icmp.kind) {
        // Replies, of IPv4 and IPv6.
        (Some(id), 0 | 14 | 16 | 18 | 43 | 129 | 161) => (0, id),
        (Some(id), _) => (id, 0),
        (None, _) => (0, 0),
    }
}

fn about(quoted: &Quoted) -> About {
    let ports = quoted.ports;
    let (source, destination) = match ports {
        Some(ports) => (ports.source, ports.destination),
        // The requesting end has its id.
        None => (quoted.identifier.unwrap_or(0), 0),
    };
    About {
        source: SocketAddr::new(quoted.source, source),
        destination: SocketAddr::new(quoted.destination, destination),
        protocol: Protocol(quoted.protocol),
        sequence: quoted.sequence,
    }
}
