//! The ICMP errors about a flow.

use crate::name::named;
use crate::packet::{Icmp, Protocol};

/// The report of a host or router about a packet of a flow, in an ICMP error.
///
/// Any host that knows or guesses the ends of the flow, and for TCP a sequence number, can send
/// such an error, so it ends no flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FlowError {
    /// No program receives packets on that port.
    PortUnreachable,
    /// The host does not support this protocol.
    ProtocolUnreachable,
    /// The host cannot be reached.
    HostUnreachable,
    /// There is no route to the network.
    NetUnreachable,
    /// A firewall or another rule refuses the packet.
    Prohibited,
    /// The packet is too large for a link on its way, and may not be fragmented.
    TooBig,
    /// The packet passed too many routers, or its fragments did not arrive in time.
    TimeExceeded,
    /// Something is wrong with the headers of the packet.
    BadHeader,
}

impl FlowError {
    /// Every error.
    pub const ALL: [Self; 8] = [
        Self::PortUnreachable,
        Self::ProtocolUnreachable,
        Self::HostUnreachable,
        Self::NetUnreachable,
        Self::Prohibited,
        Self::TooBig,
        Self::TimeExceeded,
        Self::BadHeader,
    ];

    /// The name in lower case, as JSON writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PortUnreachable => "port-unreachable",
            Self::ProtocolUnreachable => "protocol-unreachable",
            Self::HostUnreachable => "host-unreachable",
            Self::NetUnreachable => "net-unreachable",
            Self::Prohibited => "prohibited",
            Self::TooBig => "too-big",
            Self::TimeExceeded => "time-exceeded",
            Self::BadHeader => "bad-header",
        }
    }

    /// Whether the error means that no packet reaches the other end.
    pub const fn is_unreachable(self) -> bool {
        matches!(
            self,
            Self::PortUnreachable
                | Self::ProtocolUnreachable
                | Self::HostUnreachable
                | Self::NetUnreachable
                | Self::Prohibited
        )
    }

    /// The meaning of a message (RFC 792, RFC 1122, 3.2.2.1, RFC 1812, 5.2.7.1; RFC 4443). `None`
    /// if it is no error.
    pub(crate) const fn of(protocol: Protocol, message: &Icmp) -> Option<Self> {
        Some(match (protocol, message.kind, message.code) {
            // In IPv6 this is an unknown next header, which is the protocol that the host does not
            // support (RFC 4443, 3.4).
            (Protocol::ICMP, 3, 2) | (Protocol::ICMPV6, 4, 1) => Self::ProtocolUnreachable,
            (Protocol::ICMP, 3, 3) | (Protocol::ICMPV6, 1, 4) => Self::PortUnreachable,
            (Protocol::ICMP, 3, 4) | (Protocol::ICMPV6, 2, _) => Self::TooBig,
            // Prohibited for the network, for the host, and by a rule; in IPv6 also a refused
            // source address and a reject route.
            (Protocol::ICMP, 3, 9 | 10 | 13..=15) | (Protocol::ICMPV6, 1, 1 | 5 | 6) => {
                Self::Prohibited
            }
            (Protocol::ICMP, 3, 0 | 6 | 11) | (Protocol::ICMPV6, 1, 0 | 2) => Self::NetUnreachable,
            (Protocol::ICMP, 3, _) | (Protocol::ICMPV6, 1, _) => Self::HostUnreachable,
            (Protocol::ICMP, 11, _) | (Protocol::ICMPV6, 3, _) => Self::TimeExceeded,
            (Protocol::ICMP, 12, _) | (Protocol::ICMPV6, 4, _) => Self::BadHeader,
            _ => return None,
        })
    }
}

named!(FlowError, "error of a flow");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_messages_say() {
        #[track_caller]
        fn check(protocol: Protocol, kind: u8, codes: &[u8], expected: Option<FlowError>) {
            for code in codes {
                let message = Icmp::new(kind, *code);
                assert_eq!(FlowError::of(protocol, &message), expected, "{kind} {code}");
            }
        }
        let v4 = Protocol::ICMP;
        check(v4, 3, &[0, 6, 11], Some(FlowError::NetUnreachable));
        check(v4, 3, &[1, 5, 7, 8, 12], Some(FlowError::HostUnreachable));
        check(v4, 3, &[2], Some(FlowError::ProtocolUnreachable));
        check(v4, 3, &[3], Some(FlowError::PortUnreachable));
        check(v4, 3, &[4], Some(FlowError::TooBig));
        check(v4, 3, &[9, 10, 13, 14, 15], Some(FlowError::Prohibited));
        check(v4, 11, &[0, 1], Some(FlowError::TimeExceeded));
        check(v4, 12, &[0], Some(FlowError::BadHeader));
        check(v4, 8, &[0], None);
        check(v4, 1, &[4], None);
        let v6 = Protocol::ICMPV6;
        check(v6, 1, &[0, 2], Some(FlowError::NetUnreachable));
        check(v6, 1, &[1, 5, 6], Some(FlowError::Prohibited));
        check(v6, 1, &[3], Some(FlowError::HostUnreachable));
        check(v6, 1, &[4], Some(FlowError::PortUnreachable));
        check(v6, 2, &[0], Some(FlowError::TooBig));
        check(v6, 3, &[0, 1], Some(FlowError::TimeExceeded));
        check(v6, 4, &[1], Some(FlowError::ProtocolUnreachable));
        check(v6, 4, &[0, 2], Some(FlowError::BadHeader));
        check(v6, 128, &[0], None);
        check(Protocol::UDP, 3, &[3], None);
    }

    #[test]
    fn names_are_read_again() {
        for error in FlowError::ALL {
            assert_eq!(error.name().parse(), Ok(error));
        }
    }
}
