//! TCP: the beginning of each direction put together, and read as TLS, HTTP or DNS.

use std::net::SocketAddr;

use super::{Carried, DNS, NameEvidence, Payload, starttls};
use crate::Source;
use crate::stream::{LIMIT, Pieces};
use crate::wire::{Cursor, Parsed, ServerName, dns, http, tls};

/// Both directions.
#[derive(Debug)]
pub(super) struct Connection {
    first: SocketAddr,
    of_first: Stream,
    of_other: Stream,
}

/// One direction.
#[derive(Debug, Default)]
struct Stream {
    /// The sequence number of the first byte that is wanted.
    begin: Option<u32>,
    pieces: Pieces,
    /// Whether the first byte is the one after the SYN.
    has_syn: bool,
    is_done: bool,
}

impl Connection {
    pub(super) fn new(first: SocketAddr) -> Self {
        Self {
            first,
            of_first: Stream::default(),
            of_other: Stream::default(),
        }
    }

    pub(super) fn read(&mut self, payload: &Payload<'_>, evidence: &mut Vec<NameEvidence>) -> bool {
        let stream = if payload.source == self.first {
            &mut self.of_first
        } else {
            &mut self.of_other
        };
        let bytes_before = stream.pieces.len();
        let before = evidence.len();
        if !stream.is_done && !stream.read_at_once(payload, evidence) && stream.take(payload) {
            stream.read(payload, bytes_before, evidence);
        }
        // The client has spoken.
        if matches!(evidence.get(before), Some(NameEvidence::Server { .. })) {
            return false;
        }
        !(self.of_first.is_done && self.of_other.is_done)
    }
}

impl Stream {
    /// Reads the first packet if it says everything, as most do: nothing has to be kept then. Whether
    /// it does.
    fn read_at_once(&mut self, payload: &Payload<'_>, evidence: &mut Vec<NameEvidence>) -> bool {
        let Carried::Tcp {
            sequence,
            is_syn: false,
        } = payload.carried
        else {
            return false;
        };
        let is_first = self.pieces.len() == 0 && self.begin.is_none_or(|begin| begin == sequence);
        if !is_first || payload.is_cut || payload.bytes.is_empty() || payload.has_port(DNS) {
            return false;
        }
        let beginning = &payload.bytes[..payload.bytes.len().min(LIMIT)];
        let (reading, source) = reading(beginning, payload);
        let name = match reading {
            Parsed::Partial => return false,
            Parsed::Complete(name) => name,
            Parsed::Other => None,
        };
        self.conclude(name, source, (payload, 0), evidence);
        true
    }

    /// Puts the bytes where they belong, and says whether there are new ones at the beginning.
    fn take(&mut self, payload: &Payload<'_>) -> bool {
        let Carried::Tcp { sequence, is_syn } = payload.carried else {
            return false;
        };
        // The first byte comes after the SYN (RFC 9293, section 3.4).
        let sequence = sequence.wrapping_add(u32::from(is_syn));
        if is_syn {
            self.begin = Some(sequence);
            self.has_syn = true;
        }
        if payload.bytes.is_empty() && !payload.is_cut {
            return false;
        }
        let begin = *self.begin.get_or_insert(sequence);
        let ahead = sequence.wrapping_sub(begin);
        let before = self.pieces.beginning().len();
        if ahead < 1 << 31 {
            let at = usize::try_from(ahead).unwrap_or(usize::MAX);
            self.pieces.put(at, payload.bytes);
            // It goes on without what was lost.
            self.is_done |= at >= LIMIT;
        } else {
            // Sent again, perhaps with more behind.
            let known = usize::try_from(begin.wrapping_sub(sequence)).unwrap_or(usize::MAX);
            self.pieces
                .put(0, payload.bytes.get(known..).unwrap_or_default());
        }
        self.pieces.beginning().len() > before || payload.is_cut
    }

    fn read(
        &mut self,
        payload: &Payload<'_>,
        bytes_before: usize,
        evidence: &mut Vec<NameEvidence>,
    ) {
        if payload.has_port(DNS) {
            self.is_done |= !self.messages(payload, evidence);
            return;
        }
        let beginning = self.pieces.beginning();
        let (reading, source) = reading(beginning, payload);
        let name = match reading {
            Parsed::Complete(name) => name,
            Parsed::Partial if payload.is_cut => cut(beginning),
            Parsed::Partial => {
                self.is_done |= beginning.len() >= LIMIT;
                return;
            }
            Parsed::Other => None,
        };
        self.conclude(name, source, (payload, bytes_before), evidence);
    }

    /// The stream has said what it has to say, with this packet, after so many bytes before it.
    fn conclude(
        &mut self,
        name: Option<ServerName>,
        source: Source,
        (payload, bytes_before): (&Payload<'_>, usize),
        evidence: &mut Vec<NameEvidence>,
    ) {
        self.is_done = true;
        if let Some(name) = name {
            let source = if name.is_proxied {
                Source::Proxy
            } else {
                source
            };
            evidence.push(NameEvidence::Server {
                name,
                source,
                server: payload.destination,
                is_late: !self.has_syn,
                bytes_before,
            });
        }
    }

    /// The messages of DNS, each with its length before it (RFC 1035, section 4.2.2). Whether more can
    /// be read.
    fn messages(&mut self, payload: &Payload<'_>, evidence: &mut Vec<NameEvidence>) -> bool {
        loop {
            let beginning = self.pieces.beginning();
            let mut cursor = Cursor::new(beginning);
            let Some(length) = cursor.u16().map(usize::from) else {
                return !payload.is_cut;
            };
            let rest = cursor.rest();
            let is_whole = rest.len() >= length;
            if !is_whole && !payload.is_cut {
                return length + 2 <= LIMIT;
            }
            let Some(message) = dns::read(&rest[..length.min(rest.len())]) else {
                return false;
            };
            evidence.push(NameEvidence::Message {
                message,
                source: Source::Dns,
                from: payload.source,
                to: payload.destination,
            });
            if !is_whole {
                return false;
            }
            self.pieces.skip(length + 2);
            let used = u32::try_from(length + 2).unwrap_or_default();
            self.begin = self.begin.map(|begin| begin.wrapping_add(used));
        }
    }
}

/// What a stream begins with, and which protocol says so.
fn reading(beginning: &[u8], payload: &Payload<'_>) -> (Parsed, Source) {
    match tls::read_records(beginning) {
        Parsed::Other => {}
        reading => return (reading, Source::Tls),
    }
    match http::read(beginning) {
        Parsed::Other => {}
        reading => return (reading, Source::Http),
    }
    let reading = match starttls::end(beginning, payload.destination.port()) {
        starttls::End::At(at) => tls::read_records(&beginning[at..]),
        starttls::End::NotYet => Parsed::Partial,
        starttls::End::Never => Parsed::Other,
    };
    (reading, Source::Tls)
}

/// The name in a message that was cut.
fn cut(beginning: &[u8]) -> Option<ServerName> {
    const RECORD_HEADER: usize = 5;
    let handshake = beginning.get(RECORD_HEADER..)?;
    tls::read_cut_handshake(handshake)
}
