//! From captured packets to evidence of names. The crates of capture and names do not know each
//! other; this is the seam.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};

use flowner_capture::{Headers, RawPacket};
use flowner_names::wire::dns;
use flowner_names::{Carried, NameEvidence, NameReader, Payload};

const TCP: u8 = 6;
const UDP: u8 = 17;
/// Ports of DNS, multicast DNS and LLMNR.
const DNS: [u16; 3] = [53, 5_353, 5_355];
/// A record of TLS with a handshake, and the first letters of requests of HTTP.
const TLS_HANDSHAKE: u8 = 22;
/// The bits of the first byte of QUIC's long header (RFC 9000, section 17.2).
const QUIC_LONG: u8 = 0xc0;

/// Two ends and a protocol, the lower end first.
type Ends = (u8, SocketAddr, SocketAddr);

/// Reads the names in packets. Packets of flows that have said everything cost a look at their first
/// bytes.
#[derive(Debug, Default)]
pub(crate) struct NameInput {
    reader: NameReader<Ends>,
    seen: Seen,
}

/// Which flows the reader surely does not have, so that most packets cost no lookup.
#[derive(Debug)]
struct Seen {
    places: Box<[bool]>,
    /// Packets that were noted since the places were cleared.
    noted: usize,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            places: vec![false; Self::PLACES].into(),
            noted: 0,
        }
    }
}

impl Seen {
    /// Many more than the reader has flows, so that few others share a place with one of them.
    const PLACES: usize = 1 << 16;
    /// Packets after which only the reader's flows are noted.
    const MOST: usize = 4_096;

    /// Whoever chooses ends so that they share a place makes a packet cost a lookup.
    fn place((_, one, other): &Ends) -> usize {
        let low = |end: &SocketAddr| match end.ip() {
            IpAddr::V4(address) => u16::from_be_bytes([address.octets()[2], address.octets()[3]]),
            IpAddr::V6(address) => address.segments()[7],
        };
        let mixed = one.port() ^ other.port().rotate_left(5) ^ low(one) ^ low(other).rotate_left(9);
        usize::from(mixed)
    }

    fn may_have(&self, ends: &Ends) -> bool {
        self.places[Self::place(ends)]
    }

    fn note(&mut self, ends: &Ends, reader: &NameReader<Ends>) {
        self.noted += 1;
        if self.noted >= Self::MOST {
            self.noted = 0;
            self.places.fill(false);
            for ends in reader.flows() {
                self.places[Self::place(&ends)] = true;
            }
        }
        self.places[Self::place(ends)] = true;
    }
}

impl NameInput {
    /// Appends what a packet says of names.
    pub(crate) fn read(
        &mut self,
        headers: &Headers,
        packet: &RawPacket<'_>,
        evidence: &mut Vec<NameEvidence>,
    ) {
        let Some(ports) = headers.ports.filter(|_| headers.fragment.is_none()) else {
            return;
        };
        let Some(ends) = ends_of(headers) else {
            return;
        };
        let bytes = headers.payload(packet.data);
        let source = SocketAddr::new(headers.source, ports.source);
        let destination = SocketAddr::new(headers.destination, ports.destination);
        let is_dns = DNS.contains(&ports.source) || DNS.contains(&ports.destination);
        let carried = match (headers.protocol, headers.tcp) {
            (TCP, Some(tcp)) => {
                let is_syn = tcp.flags.syn();
                if is_syn && !tcp.flags.ack() {
                    // Another connection of these ends.
                    self.reader.forget(ends);
                } else if !(is_dns || self.has(&ends) || begins_a_stream(bytes)) {
                    return;
                }
                if tcp.flags.rst() {
                    self.reader.forget(ends);
                    return;
                }
                Carried::Tcp {
                    sequence: tcp.sequence,
                    is_syn,
                }
            }
            (UDP, _) => {
                if !(is_dns || self.has(&ends) || begins_quic(bytes) || dns::is_query(bytes)) {
                    return;
                }
                Carried::Udp
            }
            _ => return,
        };
        let captured = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let payload = Payload {
            source,
            destination,
            carried,
            bytes,
            is_cut: captured < headers.payload_len,
        };
        self.seen.note(&ends, &self.reader);
        self.reader.read(ends, &payload, evidence);
    }

    fn has(&self, ends: &Ends) -> bool {
        self.seen.may_have(ends) && self.reader.has(*ends)
    }
}

/// `None` of a packet without ports.
fn ends_of(headers: &Headers) -> Option<Ends> {
    let ports = headers.ports?;
    let source = SocketAddr::new(headers.source, ports.source);
    let destination = SocketAddr::new(headers.destination, ports.destination);
    Some(if source < destination {
        (headers.protocol, source, destination)
    } else {
        (headers.protocol, destination, source)
    })
}

/// Whether a connection may begin so whose first packet was not captured.
fn begins_a_stream(bytes: &[u8]) -> bool {
    const CLIENT_HELLO: u8 = 1;
    const REQUESTS: [&[u8]; 5] = [b"GET ", b"POST ", b"PUT ", b"HEAD ", b"CONNECT "];
    let is_hello = bytes.first() == Some(&TLS_HANDSHAKE) && bytes.get(5) == Some(&CLIENT_HELLO);
    is_hello || REQUESTS.iter().any(|request| bytes.starts_with(request))
}

fn begins_quic(bytes: &[u8]) -> bool {
    let is_long = bytes
        .first()
        .is_some_and(|first| first & QUIC_LONG == QUIC_LONG);
    is_long && flowner_names::wire::quic::may_be_initial(bytes)
}
