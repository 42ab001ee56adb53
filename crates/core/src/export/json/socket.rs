//! The line of a socket.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use flowner_attribution::{self as attribution, NetworkNamespace, PacketSocket, Socket, TcpInfo};
use serde::Serialize;

use super::owner::SocketOwner;
use super::value::{Endpoint, Text, Time};
use crate::model::names::HostName;
use crate::model::principal::Principal;
use crate::query::changes::SocketChange;
use crate::query::sockets::{device_of, socket_state_name};

/// One end of a socket, with its port if it has one.
pub(super) fn socket_end(protocol: attribution::Protocol, end: SocketAddr) -> Text<Endpoint> {
    Text(Endpoint::of_socket(protocol, end))
}

/// What only a packet socket has: `kind` (`frame` or `datagram`), `ether_type`, `fanout_group`, and
/// whether it has a filter and rings, where that is known.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct PacketFields {
    kind: &'static str,
    ether_type: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    fanout_group: Option<u16>,
    has_filter: Option<bool>,
    receives_by_ring: Option<bool>,
    sends_by_ring: Option<bool>,
}

impl PacketFields {
    const fn new(socket: &PacketSocket) -> Self {
        Self {
            kind: socket.kind.name(),
            ether_type: socket.ether_type,
            fanout_group: socket.fanout_group,
            has_filter: socket.has_filter,
            receives_by_ring: socket.receives_by_ring,
            sends_by_ring: socket.sends_by_ring,
        }
    }
}

/// The state of a TCP connection, in bytes of data, segments and microseconds; `null` where the kernel
/// does not say it.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct TcpState {
    bytes_sent: Option<u64>,
    bytes_acked: Option<u64>,
    bytes_received: Option<u64>,
    bytes_retransmitted: Option<u64>,
    retransmits: Option<u32>,
    lost: Option<u32>,
    send_queue: u32,
    receive_queue: u32,
    rtt_us: Option<u64>,
    rtt_deviation_us: Option<u64>,
    rtt_min_us: Option<u64>,
    congestion_window: Option<u32>,
    segment_size: Option<u32>,
}

impl TcpState {
    fn new(info: &TcpInfo) -> Self {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Self {
            bytes_sent: info.bytes_sent,
            bytes_acked: info.bytes_acked,
            bytes_received: info.bytes_received,
            bytes_retransmitted: info.bytes_retransmitted,
            retransmits: info.retransmits,
            lost: info.lost,
            send_queue: info.send_queue,
            receive_queue: info.receive_queue,
            rtt_us: info.rtt.map(micros),
            rtt_deviation_us: info.rtt_deviation.map(micros),
            rtt_min_us: info.rtt_min.map(micros),
            congestion_window: info.congestion_window,
            segment_size: info.segment_size,
        }
    }
}

/// A socket, `"type":"socket"`: `protocol`, `local` and `remote`, with the port if the protocol has
/// ports, `protocol_number` of a raw socket, `icmp_id` of a ping socket, `packet` of a packet socket
/// (which has no `local`), `tcp` of a TCP connection on request, `state`, `device` (its name, if it is
/// known) and `device_index` if it is bound to one, `namespace` if it is in another network namespace,
/// and `owner` as in a `FlowLine`, without `match` and `source`; `remote_name` and `remote_name_source`
/// (`hosts` or `reverse`) if they are known. A list of changes has `change` (`opened`, `changed` or
/// `closed`) and `time` (when Flowner noticed it).
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename = "socket")]
pub struct SocketLine<'a> {
    protocol: Text<attribution::Protocol>,
    local: Option<Text<Endpoint>>,
    remote: Option<Text<Endpoint>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol_number: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_id: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packet: Option<PacketFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<TcpState>,
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<Text<&'a NetworkNamespace>>,
    owner: SocketOwner<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_name_source: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<Time>,
}

impl<'a> SocketLine<'a> {
    /// The line of a socket.
    pub fn new(socket: &'a Socket) -> Self {
        Self {
            protocol: Text(socket.protocol),
            // A packet socket has no addresses.
            local: socket
                .packet
                .is_none()
                .then(|| socket_end(socket.protocol, socket.local)),
            remote: socket.remote.map(|end| socket_end(socket.protocol, end)),
            protocol_number: socket.protocol_number(),
            icmp_id: socket.icmp_id(),
            packet: socket.packet.as_ref().map(PacketFields::new),
            tcp: None,
            state: socket_state_name(socket),
            device: device_of(socket),
            device_index: socket.device,
            namespace: socket.namespace.as_deref().map(Text),
            owner: SocketOwner::new(&socket.owner),
            remote_name: None,
            remote_name_source: None,
            change: None,
            time: None,
        }
    }

    /// The line of a change of a socket, noticed at a wall-clock time.
    pub fn of_change(change: SocketChange<'a>, time: SystemTime) -> Self {
        Self {
            change: Some(change.name()),
            time: Some(Time::at(time)),
            ..Self::new(change.socket())
        }
    }

    /// With the state of its connection, from
    /// [`Attributor::tcp_info`](flowner_attribution::Attributor::tcp_info).
    #[must_use]
    pub fn with_tcp_info(mut self, info: Option<&TcpInfo>) -> Self {
        self.tcp = info.map(TcpState::new);
        self
    }

    /// With the name of its remote end, if that is known, as
    /// [`AddressNames::name_of`](crate::AddressNames::name_of) tells.
    #[must_use]
    pub fn with_name(mut self, name: Option<&'a HostName>) -> Self {
        self.remote_name = name.map(|name| name.name.as_str());
        self.remote_name_source = name.map(|name| name.source.name());
        self
    }

    /// With the principal of its owner; see
    /// [`Programs::principal_of`](crate::Programs::principal_of).
    #[must_use]
    pub fn with_principal(mut self, principal: &'a Principal) -> Self {
        self.owner = self.owner.with(principal);
        self
    }
}
