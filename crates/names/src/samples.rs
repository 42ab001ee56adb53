//! Messages for tests, written as the documents have them.

use std::net::IpAddr;

/// A record of an answer: its owner and what it says.
#[derive(Debug, Clone)]
pub(crate) enum Record<'a> {
    Address(&'a str, &'a str, u32),
    Alias(&'a str, &'a str, u32),
    /// Of type HTTPS: owner, target, hints.
    Https(&'a str, &'a str, &'a [&'a str]),
}

pub(crate) fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn kind_of(address: IpAddr) -> u16 {
    if address.is_ipv4() { 1 } else { 28 }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn message(id: u16, flags: u16, question: Option<(&str, u16)>, records: &[Record<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let counts = [question.iter().len(), records.len(), 0, 0];
    for number in [id, flags] {
        bytes.extend(number.to_be_bytes());
    }
    for count in counts {
        bytes.extend(u16::try_from(count).unwrap().to_be_bytes());
    }
    if let Some((name, kind)) = question {
        bytes.extend(labels(name));
        bytes.extend(kind.to_be_bytes());
        bytes.extend(1_u16.to_be_bytes());
    }
    for record in records {
        record.write(&mut bytes);
    }
    bytes
}

impl Record<'_> {
    fn write(&self, bytes: &mut Vec<u8>) {
        let (owner, kind, life, data) = match self {
            Self::Address(owner, address, life) => {
                let address: IpAddr = address.parse().unwrap();
                (owner, kind_of(address), *life, octets(address))
            }
            Self::Alias(owner, target, life) => (owner, 5, *life, labels(target)),
            Self::Https(owner, target, hints) => (owner, 65, 300, service(target, hints)),
        };
        bytes.extend(labels(owner));
        bytes.extend(kind.to_be_bytes());
        bytes.extend(1_u16.to_be_bytes());
        bytes.extend(life.to_be_bytes());
        bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        bytes.extend(data);
    }
}

fn service(target: &str, hints: &[&str]) -> Vec<u8> {
    let mut data = 1_u16.to_be_bytes().to_vec();
    data.extend(labels(target));
    // `alpn`, which is to be read over.
    data.extend([0, 1, 0, 3, 2, b'h', b'2']);
    for (key, is_wanted) in [(4_u16, true), (6, false)] {
        let addresses = hints.iter().map(|hint| hint.parse::<IpAddr>().unwrap());
        let value: Vec<u8> = addresses
            .filter(|address| address.is_ipv4() == is_wanted)
            .flat_map(octets)
            .collect();
        if !value.is_empty() {
            data.extend(key.to_be_bytes());
            data.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
            data.extend(value);
        }
    }
    data
}

/// A question of DNS for addresses.
pub(crate) fn query(id: u16, name: &str) -> Vec<u8> {
    message(id, 0x0100, Some((name, 1)), &[])
}

/// Its answer.
pub(crate) fn response(id: u16, name: &str, records: &[Record<'_>]) -> Vec<u8> {
    message(id, 0x8180, Some((name, 1)), records)
}

/// An answer with a code, such as 3 for a name that does not exist.
pub(crate) fn failure(id: u16, name: &str, code: u16) -> Vec<u8> {
    message(id, 0x8180 | code, Some((name, 1)), &[])
}

/// What a host tells by multicast DNS.
pub(crate) fn announcement(records: &[Record<'_>]) -> Vec<u8> {
    message(0, 0x8400, None, records)
}

/// The extensions of a `ClientHello`, by number.
pub(crate) fn hello_with(extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut list = Vec::new();
    for (kind, content) in extensions {
        list.extend(kind.to_be_bytes());
        list.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
        list.extend(content);
    }
    let mut body = vec![3, 3];
    body.extend([0x5a; 32]);
    body.extend([32]);
    body.extend([0xa5; 32]);
    // Two cipher suites, the first one GREASE (RFC 8701).
    body.extend([0, 4, 0x0a, 0x0a, 0x13, 0x01]);
    body.extend([1, 0]);
    body.extend(u16::try_from(list.len()).unwrap().to_be_bytes());
    body.extend(list);
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let mut hello = vec![1];
    hello.extend(&length[1..]);
    hello.extend(body);
    hello
}

/// The content of the extension with a name.
pub(crate) fn server_name(name: &str) -> Vec<u8> {
    let length = u16::try_from(name.len()).unwrap();
    let mut content = (length + 3).to_be_bytes().to_vec();
    content.push(0);
    content.extend(length.to_be_bytes());
    content.extend(name.as_bytes());
    content
}

/// A `ClientHello` of a client that asks for this server, among other extensions.
pub(crate) fn hello(name: &str) -> Vec<u8> {
    hello_with(&[
        (0x1a1a, Vec::new()),
        (0x002b, vec![2, 3, 4]),
        (0, server_name(name)),
        // Keys as large as those that quantum computers cannot break.
        (0x0033, vec![7; 1_200]),
        (0x2a2a, vec![0]),
    ])
}

/// In records of at most so many bytes.
pub(crate) fn records(handshake: &[u8], most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in handshake.chunks(most) {
        bytes.extend([22, 3, 1]);
        bytes.extend(u16::try_from(part.len()).unwrap().to_be_bytes());
        bytes.extend(part);
    }
    bytes
}
