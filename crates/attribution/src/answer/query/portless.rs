//! Queries about sockets without ports.

use std::net::{IpAddr, SocketAddr};

use super::{Protocol, SocketQuery};

impl SocketQuery {
    /// Asks for the socket that exchanges echo requests and replies with this id (RFC 792,
    /// RFC 4443): a ping socket with the id, or else raw sockets for ICMP.
    ///
    /// The id stands in place of the local port. The id 0 stands for all other ICMP messages, which
    /// the kernel itself sends and receives ([`Reason::Kernel`](crate::Reason::Kernel)).
    pub fn icmp_echo(id: u16, local: IpAddr, remote: IpAddr) -> Self {
        let remote = SocketAddr::new(remote, 0);
        Self::new(Protocol::Icmp, SocketAddr::new(local, id), Some(remote))
    }

    /// Asks for raw sockets (raw(7)) of a protocol, by its number in the IP header.
    ///
    /// The number stands in place of both ports.
    pub fn raw(number: u8, local: IpAddr, remote: Option<IpAddr>) -> Self {
        let end = |ip| SocketAddr::new(ip, number.into());
        Self::new(Protocol::Raw, end(local), remote.map(end))
    }

    /// A query for raw sockets with the same ends: any of them for the protocol of these packets
    /// may have sent one.
    pub(crate) fn of_raw_sockets(&self) -> Option<Self> {
        let number = match self.protocol {
            Protocol::Raw => u8::try_from(self.local.port()).ok()?,
            protocol => protocol.ip_number(self.local.is_ipv4())?,
        };
        let end = |mut end: SocketAddr| {
            end.set_port(number.into());
            end
        };
        let raw = Self {
            protocol: Protocol::Raw,
            local: end(self.local),
            remote: self.remote.map(end),
            device: self.device,
            is_sender: false,
        };
        Some(if self.is_sender || self.protocol == Protocol::Tcp {
            raw.as_sender()
        } else {
            raw
        })
    }

    /// Whether the kernel itself exchanges such packets: ICMP messages without an id, replies to
    /// echo requests, and IGMP.
    pub(crate) fn is_of_kernel(&self) -> bool {
        /// `IPPROTO_IGMP`.
        const IGMP: u16 = 2;
        let is_kernels = match self.protocol {
            Protocol::Icmp => self.local.port() == 0,
            Protocol::Raw => self.local.port() == IGMP && self.local.is_ipv4(),
            _ => false,
        };
        is_kernels && self.remote.is_some()
    }
}
