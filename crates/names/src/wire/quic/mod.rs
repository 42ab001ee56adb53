//! The name in the first packets of a QUIC connection (RFC 9000, RFC 9001; version 2: RFC 9369).
//! Their keys follow from what is in the packet itself, so that everybody on the way can read them.

mod keys;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod sealing;
#[cfg(test)]
mod tests;
mod varint;

use super::{Cursor, Parsed, tls};
use crate::wire::ServerName;
use keys::Keys;
use varint::varint;

/// Datagrams of one connection that are read before it counts as one without a name.
pub const MAX_DATAGRAMS: usize = 16;
/// Packets in one datagram.
const MAX_PACKETS: usize = 8;
/// Frames of one packet.
const MAX_FRAMES: usize = 256;
/// The longest identifier of a connection (RFC 9000, section 17.2).
const MAX_ID: usize = 20;
const LONG_HEADER: u8 = 0x80;
const FIXED: u8 = 0x40;

/// The versions whose first packets can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

impl Version {
    fn of(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::V1),
            0x6b33_43cf => Some(Self::V2),
            _ => None,
        }
    }

    /// The bits of a long header that mean an Initial packet.
    fn initial(self) -> u8 {
        match self {
            Self::V1 => 0,
            Self::V2 => 1,
        }
    }

    /// Those that mean Retry, which has no length.
    fn retry(self) -> u8 {
        match self {
            Self::V1 => 3,
            Self::V2 => 0,
        }
    }
}

/// Whether a datagram may be the first one of a connection.
#[must_use]
pub fn may_be_initial(datagram: &[u8]) -> bool {
    let mut cursor = Cursor::new(datagram);
    let has_bits = cursor
        .u8()
        .is_some_and(|first| first & (LONG_HEADER | FIXED) == LONG_HEADER | FIXED);
    has_bits
        && cursor
            .u32()
            .is_some_and(|number| Version::of(number).is_some())
}

/// What a client says in the first packets of one connection, put together.
#[derive(Debug, Default)]
pub struct Hello {
    keys: Option<Keys>,
    crypto: Crypto,
    datagrams: usize,
}

impl Hello {
    /// Takes the next datagram of the client.
    pub fn read(&mut self, datagram: &[u8]) -> Parsed {
        self.datagrams += 1;
        let mut rest = Cursor::new(datagram);
        for _ in 0..MAX_PACKETS {
            if self.packet(&mut rest).is_none() {
                break;
            }
        }
        match self.crypto.reading() {
            Parsed::Partial if self.datagrams >= MAX_DATAGRAMS => Parsed::Other,
            reading => reading,
        }
    }

    /// The name in as much as has come of a message that will not be completed.
    #[must_use]
    pub fn cut(&self) -> Option<ServerName> {
        tls::read_cut_handshake(self.crypto.beginning())
    }

    /// The next packet of a datagram. `None` if there is no other one behind it.
    fn packet(&mut self, rest: &mut Cursor<'_>) -> Option<()> {
        let whole = rest.rest();
        let first = rest.u8()?;
        (first & LONG_HEADER != 0).then_some(())?;
        let version = Version::of(rest.u32()?)?;
        let destination = rest.short_block()?;
        let source = rest.short_block()?;
        (destination.len() <= MAX_ID && source.len() <= MAX_ID).then_some(())?;
        let kind = first >> 4 & 3;
        (kind != version.retry()).then_some(())?;
        if kind == version.initial() {
            let token = usize::try_from(varint(rest)?).ok()?;
            rest.take(token)?;
        }
        let length = usize::try_from(varint(rest)?).ok()?;
        let number_at = whole.len() - rest.rest().len();
        let body = rest.take(length)?;
        if kind == version.initial() {
            let packet = &whole[..number_at + body.len()];
            // One that cannot be read is of the server, or of another connection.
            let _unreadable = self.initial(version, destination, packet, number_at);
        }
        Some(())
    }

    fn initial(
        &mut self,
        version: Version,
        destination: &[u8],
        packet: &[u8],
        number_at: usize,
    ) -> Option<()> {
        /// Longer than the packets of most networks.
        const USUAL: usize = 1_536;
        let mut usual = [0; USUAL];
        let mut long = Vec::new();
        let buffer = if packet.len() <= USUAL {
            &mut usual[..]
        } else {
            long.resize(packet.len(), 0);
            &mut long[..]
        };
        let known = self.keys.as_ref();
        let opened = known.and_then(|keys| keys.open(packet, number_at, buffer));
        let length = if let Some(length) = opened {
            length
        } else {
            // The first one, or the first after a Retry, with which all begins anew (RFC 9001,
            // section 5.2).
            let keys = Keys::of_client(version, destination);
            let length = keys.open(packet, number_at, buffer)?;
            self.keys = Some(keys);
            self.crypto = Crypto::default();
            length
        };
        self.frames(&buffer[..length])
    }

    /// Takes the parts of the handshake from the frames of a packet (RFC 9000, section 19).
    fn frames(&mut self, payload: &[u8]) -> Option<()> {
        const PADDING: u64 = 0;
        const PING: u64 = 1;
        const ACK: u64 = 2;
        const ACK_ECN: u64 = 3;
        const CRYPTO: u64 = 6;
        let mut cursor = Cursor::new(payload);
        let mut frames = 0;
        while !cursor.is_empty() && frames < MAX_FRAMES {
            match varint(&mut cursor)? {
                // There may be a thousand of them.
                PADDING => {
                    while cursor.rest().starts_with(&[0; 32]) {
                        cursor.take(32)?;
                    }
                    continue;
                }
                PING => {}
                kind @ (ACK | ACK_ECN) => acknowledgement(&mut cursor, kind == ACK_ECN)?,
                CRYPTO => {
                    let offset = usize::try_from(varint(&mut cursor)?).ok()?;
                    let length = usize::try_from(varint(&mut cursor)?).ok()?;
                    self.crypto.take(offset, cursor.take(length)?);
                }
                // No other one is in an Initial packet but the end of a connection.
                _ => return None,
            }
            frames += 1;
        }
        Some(())
    }
}

/// Reads over what acknowledges packets.
fn acknowledgement(cursor: &mut Cursor<'_>, has_ecn: bool) -> Option<()> {
    let _largest = varint(cursor)?;
    let _delay = varint(cursor)?;
    let ranges = varint(cursor)?;
    let _first = varint(cursor)?;
    for _ in 0..ranges {
        let _gap = varint(cursor)?;
        let _range = varint(cursor)?;
    }
    if has_ecn {
        for _ in 0..3 {
            varint(cursor)?;
        }
    }
    Some(())
}

/// The handshake's bytes, which may come in any order.
#[derive(Debug, Default)]
struct Crypto(crate::stream::Pieces);

impl Crypto {
    fn take(&mut self, offset: usize, bytes: &[u8]) {
        self.0.put(offset, bytes);
    }

    fn beginning(&self) -> &[u8] {
        self.0.beginning()
    }

    fn reading(&self) -> Parsed {
        tls::read_handshake(self.beginning())
    }
}
