//! The name in a `ClientHello` (RFC 8446, section 4.1.2; RFC 6066, section 3).

use super::{Cursor, Parsed, ServerName};
use crate::Name;

/// A record of the handshake, and the longest one that is valid (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;
const MAX_RECORD: usize = (1 << 14) + 256;
const CLIENT_HELLO: u8 = 1;
/// The longest `ClientHello` that is read. Those with keys that quantum computers cannot break have
/// 2 kB, or some more.
pub const MAX_CLIENT_HELLO: usize = 16 << 10;
/// Extensions.
const SERVER_NAME: u16 = 0;
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
/// The only kind of name that there is.
const HOST_NAME: u8 = 0;

/// Reads the first bytes of a client's stream, which are records.
#[must_use]
pub fn read_records(stream: &[u8]) -> Parsed {
    match read_first_record(stream) {
        Parsed::Partial => read_all_records(stream),
        reading => reading,
    }
}

/// Reads the first record, which mostly has the whole message. What it says does not depend on what
/// follows, unless it is not complete.
fn read_first_record(stream: &[u8]) -> Parsed {
    let mut cursor = Cursor::new(stream);
    let record = (cursor.u8(), cursor.u16(), cursor.block());
    match record {
        (Some(HANDSHAKE), Some(version), Some(part))
            if version >> 8 == 3 && !part.is_empty() && part.len() <= MAX_RECORD =>
        {
            read_handshake(part)
        }
        _ => Parsed::Partial,
    }
}

fn read_all_records(stream: &[u8]) -> Parsed {
    let mut handshake = Vec::new();
    let mut cursor = Cursor::new(stream);
    while let Some(kind) = cursor.u8() {
        if kind != HANDSHAKE {
            break;
        }
        let (Some(version), Some(length)) = (cursor.u16(), cursor.u16()) else {
            break;
        };
        let length = usize::from(length);
        // SSL 3.0 to TLS 1.2; TLS 1.3 calls itself one of these.
        if version >> 8 != 3 || length == 0 || length > MAX_RECORD {
            if handshake.is_empty() {
                return Parsed::Other;
            }
            // What follows a whole message does not matter.
            break;
        }
        let rest = cursor.rest();
        let part = cursor.take(length).unwrap_or(rest);
        handshake.extend_from_slice(part);
        if part.len() < length {
            break;
        }
    }
    match stream.first() {
        Some(&HANDSHAKE) => read_handshake(&handshake),
        Some(_) => Parsed::Other,
        None => Parsed::Partial,
    }
}

/// Reads the first bytes of a handshake, as QUIC has them without records.
#[must_use]
pub fn read_handshake(handshake: &[u8]) -> Parsed {
    let mut cursor = Cursor::new(handshake);
    match cursor.u8() {
        Some(CLIENT_HELLO) => {}
        Some(_) => return Parsed::Other,
        None => return Parsed::Partial,
    }
    let Some(length) = cursor.u24() else {
        return Parsed::Partial;
    };
    if length > MAX_CLIENT_HELLO {
        return Parsed::Other;
    }
    let Some(hello) = cursor.take(length) else {
        return Parsed::Partial;
    };
    match extensions(hello) {
        Some(extensions) => Parsed::Complete(server_name(extensions)),
        None => Parsed::Other,
    }
}

/// The name, if only a part of the handshake was captured: all that there is of it.
#[must_use]
pub fn read_cut_handshake(handshake: &[u8]) -> Option<ServerName> {
    let mut cursor = Cursor::new(handshake);
    (cursor.u8()? == CLIENT_HELLO).then_some(())?;
    cursor.u24()?;
    server_name(extensions(cursor.rest())?)
}

/// What follows after the fields of a `ClientHello` that every version has; as much as there is.
fn extensions(hello: &[u8]) -> Option<&[u8]> {
    let mut cursor = Cursor::new(hello);
    let version = cursor.u16()?;
    (version >> 8 == 3).then_some(())?;
    let _random = cursor.take(32)?;
    let _session = cursor.short_block()?;
    let _cipher_suites = cursor.block()?;
    let _compression = cursor.short_block()?;
    // Before TLS 1.2 there may be none.
    let _length = cursor.u16();
    Some(cursor.rest())
}

fn server_name(extensions: &[u8]) -> Option<ServerName> {
    let mut cursor = Cursor::new(extensions);
    let mut name = None;
    let mut may_be_outer = false;
    // One that was cut ends the list.
    while let Some(kind) = cursor.u16() {
        let Some(content) = cursor.block() else {
            break;
        };
        match kind {
            SERVER_NAME => name = name.or_else(|| host_name(content)),
            ENCRYPTED_CLIENT_HELLO => may_be_outer = true,
            _ => {}
        }
    }
    name.map(|name| ServerName {
        name,
        may_be_outer,
        is_proxied: false,
    })
}

fn host_name(content: &[u8]) -> Option<Name> {
    let mut cursor = Cursor::new(content);
    let mut list = Cursor::new(cursor.block()?);
    while let Some(kind) = list.u8() {
        let name = list.block()?;
        if kind == HOST_NAME {
            return Name::from_text(name);
        }
    }
    None
}
