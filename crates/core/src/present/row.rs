//! The subject of a line in a list: one end of a flow, or a socket.

use std::net::SocketAddr;
use std::time::Duration;

use flowner_attribution::{NetworkNamespace, Ownership, Socket, Verdict};
use flowner_flows::{Counters, Direction, FlowError, Protocol};

use crate::model::flow::FlowRecord;
use crate::model::names::HostName;
use crate::model::principal::Principal;
use crate::model::totals::Service;
use crate::query::filter::Subject;
use crate::query::services::service_name;
use crate::query::sockets::socket_state_name;

/// A line of a list.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    pub(super) of: RowOf<'a>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum RowOf<'a> {
    Flow {
        flow: &'a FlowRecord,
        end: End,
        now: Duration,
    },
    Socket {
        socket: &'a Socket,
        principal: Option<&'a Principal>,
        name: Option<&'a HostName>,
    },
}

/// The end of a flow that a line stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The local one, with the owner of the remote end where only that is known.
    Either,
    Local,
    Remote,
}

impl<'a> Row<'a> {
    /// A flow in a list of all. If only its remote end has a known owner, the line shows that
    /// owner. `now`: the packet time of the report, since the Unix epoch.
    pub const fn of_flow(flow: &'a FlowRecord, now: Duration) -> Self {
        let end = End::Either;
        Self {
            of: RowOf::Flow { flow, end, now },
        }
    }

    /// A flow in the list of one end's owner, as that end sees it.
    pub const fn of_end(flow: &'a FlowRecord, is_remote_end: bool, now: Duration) -> Self {
        let end = if is_remote_end {
            End::Remote
        } else {
            End::Local
        };
        Self {
            of: RowOf::Flow { flow, end, now },
        }
    }

    /// A socket, with the principal of its owner if that is known.
    pub const fn of_socket(socket: &'a Socket, principal: Option<&'a Principal>) -> Self {
        Self {
            of: RowOf::Socket {
                socket,
                principal,
                name: None,
            },
        }
    }

    /// The same socket with the name of its remote end. A flow has its own.
    #[must_use]
    pub const fn with_name(self, name: Option<&'a HostName>) -> Self {
        match self.of {
            RowOf::Flow { .. } => self,
            RowOf::Socket {
                socket, principal, ..
            } => Self {
                of: RowOf::Socket {
                    socket,
                    principal,
                    name,
                },
            },
        }
    }

    /// The name of the other end. A flow from the view of its remote end has none.
    pub fn name(&self) -> Option<&'a HostName> {
        match self.of {
            RowOf::Flow {
                end: End::Remote, ..
            } => None,
            RowOf::Flow { flow, .. } => flow.remote_name(),
            RowOf::Socket { name, .. } => name,
        }
    }

    /// The protocol above IP.
    pub fn protocol(&self) -> Protocol {
        match self.of {
            RowOf::Flow { flow, .. } => flow.protocol,
            RowOf::Socket { socket, .. } => Subject::protocol(socket),
        }
    }

    /// This end.
    pub const fn local(&self) -> SocketAddr {
        match self.of {
            RowOf::Flow { flow, end, .. } => match end {
                End::Either | End::Local => flow.local,
                End::Remote => flow.remote,
            },
            RowOf::Socket { socket, .. } => socket.local,
        }
    }

    /// The other end, if it has one.
    pub const fn remote(&self) -> Option<SocketAddr> {
        match self.of {
            RowOf::Flow { flow, end, .. } => Some(match end {
                End::Either | End::Local => flow.remote,
                End::Remote => flow.local,
            }),
            RowOf::Socket { socket, .. } => socket.remote,
        }
    }

    /// Which end opened a flow, as this end sees it: `→` from here, `←` to here.
    pub const fn arrow(&self) -> char {
        match self.of {
            RowOf::Socket { .. } => '↔',
            RowOf::Flow { flow, end, .. } => match (flow.direction, end) {
                (Direction::Outgoing | Direction::Loopback, End::Either | End::Local) => '→',
                (Direction::Incoming, End::Either | End::Local)
                | (Direction::Loopback, End::Remote) => '←',
                // It arrived; its sender is unknown.
                (Direction::Spoofed | Direction::Overheard, _) => '?',
                (
                    Direction::Outgoing
                    | Direction::Incoming
                    | Direction::Forwarded
                    | Direction::Multicast
                    | Direction::Broadcast
                    | Direction::Unknown,
                    _,
                ) => '↔',
            },
        }
    }

    /// The verdict on the owner, if there is one yet.
    pub fn verdict(&self) -> Option<&'a Verdict> {
        match self.of {
            RowOf::Flow { .. } => self.ownership().map(|owner| &owner.verdict),
            RowOf::Socket { socket, .. } => Some(&socket.owner),
        }
    }

    /// The owner of a flow's end.
    pub(super) fn ownership(&self) -> Option<&'a Ownership> {
        match self.of {
            RowOf::Flow { flow, end, .. } => match end {
                End::Either => flow.named_owner(),
                End::Local => flow.owner.as_ref(),
                End::Remote => flow.remote_owner.as_ref(),
            },
            RowOf::Socket { .. } => None,
        }
    }

    /// The principal of the owner.
    pub fn principal(&self) -> &'a Principal {
        match self.of {
            RowOf::Flow { flow, end, .. } => match end {
                End::Either => flow.named_principal(),
                End::Local => &flow.principal,
                End::Remote => &flow.remote_principal,
            },
            RowOf::Socket { principal, .. } => principal.unwrap_or(&Principal::Unattributed),
        }
    }

    /// Whether the lookup of the owner has no answer yet.
    pub(super) const fn is_pending(&self) -> bool {
        match self.of {
            RowOf::Flow { flow, .. } => flow.is_waiting,
            RowOf::Socket { .. } => false,
        }
    }

    /// The network namespace of the socket, if that is another one.
    pub(super) fn namespace(&self) -> Option<&'a NetworkNamespace> {
        match self.of {
            RowOf::Flow { .. } => self.ownership()?.evidence.namespace.as_deref(),
            RowOf::Socket { socket, .. } => socket.namespace.as_deref(),
        }
    }

    /// The name of the service, by its port.
    pub fn service_name(&self) -> Option<&'static str> {
        match self.of {
            RowOf::Flow { flow, .. } => service_name(flow.protocol, flow.service_port),
            RowOf::Socket { socket, .. } => Subject::service(socket),
        }
    }

    /// The service as [`service`](super::service) writes it. A socket does not show which of its
    /// ports is the service's: without a name, it has none.
    pub(super) fn service(&self) -> Option<String> {
        match self.of {
            RowOf::Flow { flow, .. } => Some(super::service(Service {
                protocol: flow.protocol,
                port: flow.service_port,
            })),
            RowOf::Socket { .. } => {
                let name = self.service_name()?;
                Some(match self.protocol() {
                    Protocol::TCP => name.to_owned(),
                    protocol => format!("{name}/{protocol}"),
                })
            }
        }
    }

    /// The name of the state.
    pub fn state(&self) -> Option<&'static str> {
        match self.of {
            RowOf::Flow { flow, .. } => Some(flow.state.name()),
            RowOf::Socket { socket, .. } => socket_state_name(socket),
        }
    }

    /// The meaning of the flow's newest ICMP error.
    pub fn error(&self) -> Option<&'static str> {
        match self.of {
            RowOf::Flow { flow, .. } => flow.error.map(FlowError::name),
            RowOf::Socket { .. } => None,
        }
    }

    /// The traffic as this end sees it: sent, then received.
    pub(super) const fn counters(&self) -> Option<(Counters, Counters)> {
        match self.of {
            RowOf::Flow { flow, end, .. } => Some(match end {
                End::Either | End::Local => (flow.sent, flow.received),
                End::Remote => (flow.received, flow.sent),
            }),
            RowOf::Socket { .. } => None,
        }
    }

    /// Wire bytes a second as this end sees them: sent, then received.
    pub(super) const fn rates(&self) -> Option<(u64, u64)> {
        match self.of {
            RowOf::Flow { flow, end, .. } => Some(match end {
                End::Either | End::Local => (flow.rate.sent, flow.rate.received),
                End::Remote => (flow.rate.received, flow.rate.sent),
            }),
            RowOf::Socket { .. } => None,
        }
    }
}
