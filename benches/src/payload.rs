//! What the first packets of flows carry, as far as it names hosts: what traffic that is made up has
//! in it, and what benchmarks read.

use std::net::IpAddr;

use flowner_names::wire::quic::sealing::{Initial, crypto};

/// The record of extensions of DNS that pads a message (RFC 7830), without its padding.
const PADDED: usize = 15;

/// A question of DNS for the addresses of a name.
pub fn question(id: u16, name: &str, is_v6: bool) -> Vec<u8> {
    let mut message = id.to_be_bytes().to_vec();
    message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        message.push(short(label.len()));
        message.extend(label.bytes());
    }
    message.extend([0, 0, if is_v6 { 28 } else { 1 }, 0, 1]);
    message
}

/// Its answer, of at least so many bytes if that leaves room for padding.
pub fn answer(question: &[u8], address: IpAddr, length: usize) -> Vec<u8> {
    let mut message = question.to_vec();
    (message[2], message[3], message[7]) = (0x81, 0x80, 1);
    let kind = if address.is_ipv6() { 28 } else { 1 };
    message.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 1, 44]);
    let octets = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    message.extend([0, short(octets.len())]);
    message.extend(octets);
    if let Some(padding) = length.checked_sub(message.len() + PADDED) {
        message[11] = 1;
        message.extend([0, 0, 41, 4, 208, 0, 0, 0, 0]);
        message.extend(long(padding + 4));
        message.extend([0, 12]);
        message.extend(long(padding));
        message.resize(message.len() + padding, 0);
    }
    message
}

/// A `ClientHello` that names a server, with padding up to so many bytes.
pub fn client_hello(name: &str, length: usize) -> Vec<u8> {
    const HEADER: usize = 4;
    let mut extensions = vec![0, 0];
    extensions.extend(long(name.len() + 5));
    extensions.extend(long(name.len() + 3));
    extensions.push(0);
    extensions.extend(long(name.len()));
    extensions.extend(name.bytes());
    let mut body = vec![3, 3];
    body.extend([0x5a; 32]);
    body.push(32);
    body.extend([0xa5; 32]);
    body.extend([0, 6, 0x13, 1, 0x13, 2, 0x13, 3, 1, 0]);
    let before = HEADER + body.len() + 2 + extensions.len() + 4;
    let padding = length.saturating_sub(before);
    // The extension for padding (RFC 7685).
    extensions.extend([0, 21]);
    extensions.extend(long(padding));
    extensions.resize(extensions.len() + padding, 0);
    body.extend(long(extensions.len()));
    body.extend(extensions);
    let mut hello = vec![1, 0];
    hello.extend(long(body.len()));
    hello.extend(body);
    hello
}

/// The same in a record of TLS, of so many bytes in all.
pub fn client_hello_record(name: &str, length: usize) -> Vec<u8> {
    const HEADER: usize = 5;
    let hello = client_hello(name, length.saturating_sub(HEADER));
    let mut record = vec![22, 3, 1];
    record.extend(long(hello.len()));
    record.extend(hello);
    record
}

/// The first datagram of a client of QUIC, of some 1,200 bytes.
pub fn quic_initial(name: &str, id: u64) -> Vec<u8> {
    const PAYLOAD: usize = 1_150;
    let id = id.to_be_bytes();
    let mut frames = crypto(0, &client_hello(name, 300)).unwrap_or_default();
    frames.resize(PAYLOAD, 0);
    let initial = Initial {
        is_v2: false,
        key_id: &id,
        destination: &id,
        number: 0,
        frames: &frames,
    };
    initial.seal().unwrap_or_default()
}

fn short(length: usize) -> u8 {
    u8::try_from(length).unwrap_or_default()
}

fn long(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or_default().to_be_bytes()
}

#[cfg(test)]
mod tests {
    use flowner_names::wire::{Parsed, dns, quic, tls};

    use super::*;

    fn name(reading: Parsed) -> String {
        match reading {
            Parsed::Complete(Some(name)) => name.name.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn they_are_what_they_say() {
        const NAME: &str = "h0001.example.uk";
        let asked = question(7, NAME, false);
        assert_eq!(asked.len(), 34);
        let told = answer(&asked, [192, 0, 2, 1].into(), 90);
        assert_eq!(told.len(), 90);
        let message = dns::read(&told).unwrap_or_default();
        assert_eq!(message.addresses[0].name.as_str(), NAME);
        let record = client_hello_record(NAME, 517);
        assert_eq!(record.len(), 517);
        assert_eq!(name(tls::read_records(&record)), NAME);
        let datagram = quic_initial(NAME, 9);
        assert_eq!(name(quic::Hello::default().read(&datagram)), NAME);
    }
}
