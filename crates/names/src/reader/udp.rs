//! UDP: DNS and its relatives by their ports, DNS on other ports and QUIC by their form.

use std::net::SocketAddr;

use super::{DNS, LLMNR, MDNS, NameEvidence, Payload};
use crate::Source;
use crate::wire::dns;
#[cfg(feature = "quic")]
use crate::wire::{Parsed, quic};

/// Datagrams of a flow that are looked into for the beginning of QUIC.
const MAX_DATAGRAMS: u32 = 32;

#[derive(Debug, Default)]
pub(super) struct Datagrams {
    count: u32,
    /// Whether they are of DNS, though their ports do not say so.
    is_dns: bool,
    /// Of the end that began, and of the other one.
    #[cfg(feature = "quic")]
    hellos: Vec<(SocketAddr, Box<quic::Hello>)>,
}

impl Datagrams {
    pub(super) fn read(&mut self, payload: &Payload<'_>, evidence: &mut Vec<NameEvidence>) -> bool {
        // A resolver on a port of its own, such as those of containers.
        self.is_dns |= self.count == 0 && dns::is_query(payload.bytes);
        if self.is_dns {
            message(payload, Source::Dns, evidence);
            return true;
        }
        self.count += 1;
        self.hello(payload, evidence) && self.count < MAX_DATAGRAMS
    }

    /// Whether more of it may come.
    #[cfg(feature = "quic")]
    fn hello(&mut self, payload: &Payload<'_>, evidence: &mut Vec<NameEvidence>) -> bool {
        let known = self
            .hellos
            .iter_mut()
            .position(|(sender, _)| *sender == payload.source);
        let mut new = None;
        let hello = match known {
            Some(at) => &mut self.hellos[at].1,
            // It is large, and mostly one datagram says everything: it stays on the stack so far.
            None if quic::may_be_initial(payload.bytes) && self.hellos.len() < 2 => {
                new.insert(quic::Hello::default())
            }
            // Something else first, and no QUIC in the other direction.
            None => return !self.hellos.is_empty(),
        };
        let (name, is_partial) = match hello.read(payload.bytes) {
            Parsed::Complete(name) => (name, false),
            Parsed::Partial => (None, true),
            Parsed::Other => (hello.cut(), false),
        };
        if let Some(name) = name {
            evidence.push(NameEvidence::Server {
                name,
                source: Source::Quic,
                server: payload.destination,
                // Keys fit a first packet only.
                is_late: false,
                bytes_before: 0,
            });
            return false;
        }
        if let Some(new) = new {
            self.hellos.push((payload.source, Box::new(new)));
        }
        if is_partial {
            return true;
        }
        // A client without a name, or the server's packets.
        self.hellos.len() < 2 && self.count < 2
    }

    #[cfg(not(feature = "quic"))]
    #[expect(clippy::unused_self, reason = "the same as with QUIC")]
    fn hello(&mut self, _: &Payload<'_>, _: &mut Vec<NameEvidence>) -> bool {
        false
    }
}

/// Takes a datagram that its ports say to be of DNS or of a relative, and says whether it is one.
pub(super) fn read_by_ports(payload: &Payload<'_>, evidence: &mut Vec<NameEvidence>) -> bool {
    let source = relative_of_dns(payload);
    if let Some(source) = source {
        message(payload, source, evidence);
    }
    source.is_some()
}

fn message(payload: &Payload<'_>, source: Source, evidence: &mut Vec<NameEvidence>) {
    if let Some(message) = dns::read(payload.bytes) {
        evidence.push(NameEvidence::Message {
            message,
            source,
            from: payload.source,
            to: payload.destination,
        });
    }
}

fn relative_of_dns(payload: &Payload<'_>) -> Option<Source> {
    if payload.has_port(DNS) {
        Some(Source::Dns)
    } else if payload.has_port(MDNS) {
        Some(Source::Mdns)
    } else if payload.has_port(LLMNR) {
        Some(Source::Llmnr)
    } else {
        None
    }
}
