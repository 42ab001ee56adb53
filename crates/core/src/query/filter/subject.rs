//! The properties that a filter reads.

use std::borrow::Cow;
use std::net::SocketAddr;

use flowner_attribution::{self as attribution, Match, Ownership, Socket, TranslatedFrom, Verdict};
use flowner_flows::{Direction, Protocol};

use crate::model::community_id::CommunityId;
use crate::model::flow::FlowRecord;
use crate::model::names::{FlowNames, Name};
use crate::model::place::RemotePlace;
use crate::model::principal::Principal;
use crate::query::services::service_name;
use crate::query::sockets::{device_of, socket_state_name};

/// The properties of a flow or a socket for a [`Filter`](super::Filter). No term holds for a
/// property that is `None`.
pub trait Subject {
    /// The protocol above IP.
    fn protocol(&self) -> Protocol;
    /// For a socket, the protocol for which it was opened.
    fn socket_kind(&self) -> Option<attribution::Protocol> {
        None
    }
    /// This host's end, with port 0 if the protocol has none.
    fn local(&self) -> SocketAddr;
    /// The other end.
    fn remote(&self) -> Option<SocketAddr>;
    /// The name of the service, by its port.
    fn service(&self) -> Option<&'static str>;
    /// The name of the state.
    fn state(&self) -> Option<&'static str>;
    /// The direction in which it was opened.
    fn direction(&self) -> Option<Direction>;
    /// The name of the device: for a flow, the one on which it was counted; for a socket, the one
    /// to which it is bound.
    fn device(&self) -> Option<Cow<'_, str>>;
    /// The owners of the local and the remote end, and how each was found.
    fn owners(&self) -> [Option<(&Verdict, Option<Match>)>; 2];
    /// The principals of both ends' owners, if known.
    fn principals(&self) -> [Option<&Principal>; 2] {
        [None, None]
    }
    /// The Community ID.
    fn community_id(&self) -> Option<CommunityId> {
        None
    }
    /// The original ends of its socket, if this host translates its packets (NAT).
    fn translated_from(&self) -> Option<TranslatedFrom> {
        None
    }
    /// The name of the other end; several if it is unclear which one applies.
    fn names(&self) -> impl Iterator<Item = &Name> {
        std::iter::empty()
    }
    /// The names that a flow of DNS requests.
    fn dns_questions(&self) -> &[Name] {
        &[]
    }
    /// Where the other end is, if a database knows it.
    fn place(&self) -> Option<&RemotePlace> {
        None
    }
    /// Wire bytes, both directions.
    fn bytes(&self) -> Option<u64>;
    /// Packets, both directions.
    fn packets(&self) -> Option<u64>;
    /// Wire bytes a second, both directions.
    fn rate(&self) -> Option<u64>;
    /// The number of retransmitted TCP segments, both directions.
    fn sent_again(&self) -> Option<u64> {
        None
    }
    /// The round-trip time of TCP, in whole milliseconds.
    fn round_trip(&self) -> Option<u64> {
        None
    }
}

impl Subject for FlowRecord {
    fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn local(&self) -> SocketAddr {
        self.local
    }

    fn remote(&self) -> Option<SocketAddr> {
        Some(self.remote)
    }

    fn service(&self) -> Option<&'static str> {
        service_name(self.protocol, self.service_port)
    }

    fn state(&self) -> Option<&'static str> {
        Some(self.state.name())
    }

    fn direction(&self) -> Option<Direction> {
        Some(self.direction)
    }

    fn device(&self) -> Option<Cow<'_, str>> {
        self.device.as_deref().map(Cow::Borrowed)
    }

    fn owners(&self) -> [Option<(&Verdict, Option<Match>)>; 2] {
        [&self.owner, &self.remote_owner].map(|owner| {
            let Ownership {
                verdict, evidence, ..
            } = owner.as_ref()?;
            Some((verdict, evidence.matched))
        })
    }

    fn names(&self) -> impl Iterator<Item = &Name> {
        let names = self.names.as_deref();
        let certain = names.is_some_and(|names| names.remote.is_some());
        let count = if certain { 1 } else { usize::MAX };
        names.into_iter().flat_map(FlowNames::of_remote).take(count)
    }

    fn dns_questions(&self) -> &[Name] {
        Self::dns_questions(self)
    }

    fn place(&self) -> Option<&RemotePlace> {
        Self::place(self)
    }

    fn principals(&self) -> [Option<&Principal>; 2] {
        [Some(&self.principal), Some(&self.remote_principal)]
    }

    fn community_id(&self) -> Option<CommunityId> {
        self.community_id()
    }

    fn translated_from(&self) -> Option<TranslatedFrom> {
        self.translated_from()
    }

    fn bytes(&self) -> Option<u64> {
        Some(self.total().bytes)
    }

    fn packets(&self) -> Option<u64> {
        Some(self.total().packets)
    }

    fn rate(&self) -> Option<u64> {
        Some(self.rate.sent.saturating_add(self.rate.received))
    }

    fn sent_again(&self) -> Option<u64> {
        self.tcp.map(|tcp| tcp.retransmitted())
    }

    fn round_trip(&self) -> Option<u64> {
        u64::try_from(self.tcp?.round_trip?.smoothed.as_millis()).ok()
    }
}

impl Subject for Socket {
    fn protocol(&self) -> Protocol {
        match self.protocol {
            attribution::Protocol::Tcp => Protocol::TCP,
            attribution::Protocol::Udp => Protocol::UDP,
            attribution::Protocol::UdpLite => Protocol::UDP_LITE,
            attribution::Protocol::Sctp => Protocol::SCTP,
            attribution::Protocol::Dccp => Protocol::DCCP,
            attribution::Protocol::Icmp if self.local.is_ipv4() => Protocol::ICMP,
            attribution::Protocol::Icmp => Protocol::ICMPV6,
            // 255 is reserved, so no packet has it. It stands for packet sockets.
            _ => Protocol(self.protocol_number().unwrap_or(u8::MAX)),
        }
    }

    fn socket_kind(&self) -> Option<attribution::Protocol> {
        Some(self.protocol)
    }

    fn local(&self) -> SocketAddr {
        let mut local = self.local;
        if !self.protocol.has_ports() {
            local.set_port(0);
        }
        local
    }

    fn remote(&self) -> Option<SocketAddr> {
        let mut remote = self.remote?;
        if !self.protocol.has_ports() {
            remote.set_port(0);
        }
        Some(remote)
    }

    /// A socket does not show which end opened the connection; services have the lower ports.
    fn service(&self) -> Option<&'static str> {
        let local = self.local_port()?;
        let remote = self.remote.map_or(local, |remote| remote.port());
        let name = |port| service_name(Subject::protocol(self), port);
        name(local.min(remote)).or_else(|| name(local.max(remote)))
    }

    fn state(&self) -> Option<&'static str> {
        socket_state_name(self)
    }

    fn direction(&self) -> Option<Direction> {
        None
    }

    fn device(&self) -> Option<Cow<'_, str>> {
        device_of(self).map(Cow::Owned)
    }

    fn owners(&self) -> [Option<(&Verdict, Option<Match>)>; 2] {
        [Some((&self.owner, None)), None]
    }

    fn bytes(&self) -> Option<u64> {
        None
    }

    fn packets(&self) -> Option<u64> {
        None
    }

    fn rate(&self) -> Option<u64> {
        None
    }
}
