//! The situations: what is sent, how, and from where.

use super::server::{SCTP, sctp};

const MB: u64 = 1 << 20;
/// Bytes a second of what is to last for some seconds.
const RATE: u64 = 8 * MB;

/// What one process does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) kind: &'static str,
    pub(crate) method: &'static str,
    pub(crate) is_upload: bool,
    pub(crate) is_v6: bool,
    pub(crate) port: u16,
    pub(crate) bytes: u64,
    /// A second; 0: as fast as it goes.
    pub(crate) rate: u64,
    /// Bytes of a datagram's payload.
    pub(crate) size: usize,
    /// One after the other, each with all the bytes.
    pub(crate) connections: usize,
}

/// Where the processes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the watched host, with a peer behind a device.
    Host,
    /// On the watched host, as is the server.
    Loopback,
    /// In a network namespace behind a bridge, under the host's address outside.
    Container,
}

#[derive(Debug)]
pub(crate) struct Situation {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    /// One process each, all at once.
    pub(crate) plans: &'static [Plan],
    /// How often all of them run, one after the other.
    pub(crate) times: usize,
    /// Whether the bytes that the host sends are judged, and those that it receives.
    pub(crate) judges_sent: bool,
    pub(crate) judges_received: bool,
}

const UP: Plan = Plan {
    kind: "tcp",
    method: "plain",
    is_upload: true,
    is_v6: false,
    port: super::server::TCP,
    bytes: 16 * MB,
    rate: RATE,
    size: 1_200,
    connections: 1,
};
const DOWN: Plan = Plan {
    is_upload: false,
    ..UP
};
const DATAGRAMS: Plan = Plan {
    kind: "udp",
    port: super::server::UDP,
    ..UP
};
const DATAGRAMS_DOWN: Plan = Plan {
    is_upload: false,
    ..DATAGRAMS
};
const BURST: Plan = Plan {
    bytes: MB / 4,
    rate: 0,
    ..UP
};

const fn one(name: &'static str, plans: &'static [Plan]) -> Situation {
    let mut situation = Situation {
        name,
        place: Place::Host,
        plans,
        times: 1,
        judges_sent: false,
        judges_received: false,
    };
    let mut at = 0;
    while at < plans.len() {
        situation.judges_sent |= plans[at].is_upload;
        situation.judges_received |= !plans[at].is_upload;
        at += 1;
    }
    situation
}

pub(crate) const SITUATIONS: &[Situation] = &[
    one("TCP, down", &[DOWN]),
    one("TCP, up", &[UP]),
    one("TCP, up and down at once", &[UP, DOWN]),
    one("UDP, up and down at once", &[DATAGRAMS, DATAGRAMS_DOWN]),
    Situation {
        judges_received: true,
        ..one(
            "ICMP echo, a flood",
            &[Plan {
                kind: "icmp",
                bytes: 4 * MB,
                size: 1_000,
                ..UP
            }],
        )
    },
    one(
        "UDP to port 443",
        &[Plan {
            port: 443,
            ..DATAGRAMS
        }],
    ),
    one(
        "TCP over IPv6, down",
        &[Plan {
            is_v6: true,
            ..DOWN
        }],
    ),
    one(
        "SCTP, down",
        &[Plan {
            kind: "sctp",
            port: SCTP,
            ..DOWN
        }],
    ),
    one(
        "small datagrams to UDP port 53",
        &[Plan {
            port: 53,
            bytes: 4 * MB,
            rate: 2 * MB,
            size: 64,
            ..DATAGRAMS
        }],
    ),
    one(
        "raw IP, protocol 253",
        &[Plan {
            kind: "raw",
            bytes: 4 * MB,
            ..UP
        }],
    ),
    Situation {
        times: 20,
        ..one(
            "20 processes that exit at once",
            &[Plan {
                bytes: MB / 2,
                rate: 0,
                ..UP
            }],
        )
    },
    one(
        "frames through a packet socket",
        &[Plan {
            kind: "packet",
            bytes: 4 * MB,
            rate: 0,
            ..UP
        }],
    ),
    one("io_uring, up", &[Plan { kind: "ring", ..UP }]),
    one(
        "sendfile, up",
        &[Plan {
            method: "sendfile",
            ..UP
        }],
    ),
    one(
        "sendmmsg, up",
        &[Plan {
            method: "many",
            ..DATAGRAMS
        }],
    ),
    Situation {
        place: Place::Loopback,
        ..one("loopback, down", &[DOWN])
    },
    Situation {
        place: Place::Container,
        ..one("a container behind masquerade, up", &[UP])
    },
    one(
        "a slow drip, up",
        &[Plan {
            bytes: MB,
            rate: MB / 8,
            ..UP
        }],
    ),
    one(
        "60 connections of 64 KiB, one by one",
        &[Plan {
            bytes: MB / 16,
            rate: 2 * MB,
            connections: 60,
            ..UP
        }],
    ),
    one("30 processes at once", &[BURST; 30]),
    one(
        "io_uring, down",
        &[Plan {
            kind: "ring",
            ..DOWN
        }],
    ),
    one(
        "splice, down",
        &[Plan {
            method: "splice",
            ..DOWN
        }],
    ),
    one(
        "recvmmsg, down",
        &[Plan {
            method: "many",
            ..DATAGRAMS_DOWN
        }],
    ),
    one(
        "UDP over IPv6, down",
        &[Plan {
            is_v6: true,
            ..DATAGRAMS_DOWN
        }],
    ),
];

impl Situation {
    /// Why it cannot be played on this kernel.
    pub(crate) fn missing(&self) -> Option<&'static str> {
        let needs_sctp = self.plans.iter().any(|plan| plan.kind == "sctp");
        (needs_sctp && sctp().is_err()).then_some("the kernel has no SCTP")
    }
}

impl Plan {
    /// As arguments of the process. An eighth of the bytes if that is enough.
    pub(crate) fn arguments(&self, to: &str, is_quick: bool) -> Vec<String> {
        let bytes = if is_quick { self.bytes / 8 } else { self.bytes };
        let way = if self.is_upload { "up" } else { "down" };
        vec![
            format!("kind={}", self.kind),
            format!("method={}", self.method),
            format!("way={way}"),
            format!("to={to}"),
            format!("bytes={bytes}"),
            format!("rate={}", self.rate),
            format!("size={}", self.size),
            format!("connections={}", self.connections),
        ]
    }
}
