//! Messages that name somebody: lookups in DNS, and what a client of TLS says first.

use std::net::IpAddr;

/// How long answers of DNS are valid, in seconds.
const LIFE: u32 = 300;

/// A question of DNS for an address of this kind (RFC 1035, section 4).
pub(super) fn question(id: u16, name: &str, address: IpAddr) -> Vec<u8> {
    message(id, 0x0100, name, address, 0)
}

/// Its answer.
pub(super) fn answer(id: u16, name: &str, address: IpAddr) -> Vec<u8> {
    let mut bytes = message(id, 0x8180, name, address, 1);
    // The name is that of the question.
    bytes.extend([0xc0, 12]);
    bytes.extend(kind(address).to_be_bytes());
    bytes.extend([0, 1]);
    bytes.extend(LIFE.to_be_bytes());
    let octets = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    bytes.extend(length(&octets));
    bytes.extend(octets);
    bytes
}

fn message(id: u16, flags: u16, name: &str, address: IpAddr, answers: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in [id, flags, 1, answers, 0, 0] {
        bytes.extend(number.to_be_bytes());
    }
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap_or(0));
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend(kind(address).to_be_bytes());
    bytes.extend([0, 1]);
    bytes
}

/// `A` or `AAAA`.
const fn kind(address: IpAddr) -> u16 {
    if address.is_ipv4() { 1 } else { 28 }
}

/// A `ClientHello` that names the server (RFC 8446, section 4.1.2; RFC 6066, section 3), in a record.
pub(super) fn client_hello(name: &str) -> Vec<u8> {
    let name = [&[0], &length(name.as_bytes())[..], name.as_bytes()].concat();
    let names = [&length(&name)[..], &name].concat();
    let extension = [&[0, 0], &length(&names)[..], &names].concat();
    let mut body = vec![3, 3];
    body.extend([0x5a; 32]);
    // No session to resume; one cipher suite; no compression.
    body.extend([0, 0, 2, 0x13, 0x01, 1, 0]);
    body.extend(length(&extension));
    body.extend(extension);
    let hello = [&[1, 0], &length(&body)[..], &body].concat();
    [&[22, 3, 1], &length(&hello)[..], &hello].concat()
}

/// In two bytes.
fn length(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap_or(0).to_be_bytes()
}
