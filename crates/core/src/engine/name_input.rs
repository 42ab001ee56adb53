//! From captured packets to evidence of names. The crates of capture and names do not know each
//! other; this is the seam.

mod copies;
mod ends;
mod places;
#[cfg(test)]
mod reading_tests;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use flowner_capture::{Headers, Ports, RawPacket};
use flowner_names::wire::dns;
use flowner_names::{Carried, NameEvidence, NameReader, Payload};

use copies::Copies;
use ends::{Ends, Seed};
use places::{Flows, Places};

const TCP: u8 = 6;
const UDP: u8 = 17;
/// Ports of DNS, multicast DNS and LLMNR.
const DNS: [u16; 3] = [53, 5_353, 5_355];
/// A record of TLS with a handshake, and the first letters of requests of HTTP.
const TLS_HANDSHAKE: u8 = 22;
/// The bits of the first byte of QUIC's long header (RFC 9000, section 17.2).
const QUIC_LONG: u8 = 0xc0;

/// Reads the names in packets. A packet of a flow that has said everything costs a look at its first
/// bytes, and one lookup among the flows that have not.
#[derive(Debug, Default)]
pub(crate) struct NameInput {
    reader: NameReader<Ends, Seed>,
    places: Places,
    copies: Copies,
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
        let is_dns = DNS.contains(&ports.source) || DNS.contains(&ports.destination);
        let bytes = headers.payload(packet.data);
        let mut begins = false;
        let carried = match (headers.protocol, headers.tcp) {
            (TCP, Some(tcp)) => {
                let (is_syn, is_reset) = (tcp.flags.syn(), tcp.flags.rst());
                // Most packets of most connections.
                if headers.payload_len == 0 && !is_syn && !is_reset {
                    return;
                }
                if is_reset {
                    if self.places.may_have(ports) {
                        self.forget(Ends::of(headers, ports), ports);
                    }
                    return;
                }
                begins = is_syn && !tcp.flags.ack();
                let may_say = begins || is_dns || begins_a_stream(bytes);
                if !may_say && !self.has(headers, ports) {
                    return;
                }
                Carried::Tcp {
                    sequence: tcp.sequence,
                    is_syn,
                }
            }
            (UDP, _) => {
                let may_say = is_dns || begins_quic(bytes) || dns::is_query(bytes);
                if !may_say && !self.has(headers, ports) {
                    return;
                }
                Carried::Udp
            }
            _ => return,
        };
        let ends = Ends::of(headers, ports);
        if self.copies.has(ends, headers, packet, bytes) {
            return;
        }
        if begins {
            // Another connection of these ends.
            self.forget(ends, ports);
        }
        let captured = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let payload = Payload {
            source: SocketAddr::new(headers.source, ports.source),
            destination: SocketAddr::new(headers.destination, ports.destination),
            carried,
            bytes,
            is_cut: captured < headers.payload_len,
        };
        let before = Flows::of(&self.reader);
        self.reader.read(ends, &payload, evidence);
        self.places.after(before, ports, &self.reader);
    }

    fn has(&self, headers: &Headers, ports: Ports) -> bool {
        self.places.may_have(ports) && self.reader.has(Ends::of(headers, ports))
    }

    fn forget(&mut self, ends: Ends, ports: Ports) {
        let before = Flows::of(&self.reader);
        self.reader.forget(ends);
        self.places.after(before, ports, &self.reader);
    }
}

/// Whether a connection may begin so whose first packet was not captured.
fn begins_a_stream(bytes: &[u8]) -> bool {
    const CLIENT_HELLO: u8 = 1;
    const REQUESTS: [&[u8]; 5] = [b"GET ", b"POST ", b"PUT ", b"HEAD ", b"CONNECT "];
    match bytes.first() {
        Some(&TLS_HANDSHAKE) => bytes.get(5) == Some(&CLIENT_HELLO),
        Some(b'G' | b'P' | b'H' | b'C') => REQUESTS.iter().any(|it| bytes.starts_with(it)),
        _ => false,
    }
}

fn begins_quic(bytes: &[u8]) -> bool {
    let is_long = bytes
        .first()
        .is_some_and(|first| first & QUIC_LONG == QUIC_LONG);
    is_long && flowner_names::wire::quic::may_be_initial(bytes)
}
