//! Databases of countries and networks (MMDB), written as the format's specification has it:
//! <https://maxmind.github.io/MaxMind-DB/>.
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test that cannot go on fails"
)]

use std::net::IpAddr;

/// A value of the data section.
#[derive(Debug, Clone)]
pub enum Value {
    /// UTF-8.
    Text(&'static str),
    /// An unsigned number of 32 bits.
    Number(u32),
    /// An unsigned number of 16 bits.
    Short(u16),
    /// An unsigned number of 64 bits.
    Long(u64),
    /// Without anything in it.
    List,
    /// Keys with values.
    Map(Vec<(&'static str, Value)>),
}

/// Bits of an address, IPv4 at `::/96`.
const BITS: u32 = 128;

/// A whole file of networks, each with a record.
pub fn database(kind: &'static str, networks: &[(&str, Value)]) -> Vec<u8> {
    let mut tree = Tree::default();
    let mut data = Vec::new();
    for (network, value) in networks {
        let offset = data.len();
        value.write(&mut data);
        let (address, length) = network.split_once('/').unwrap();
        let (bits, shift) = match address.parse().unwrap() {
            IpAddr::V4(address) => (u128::from(u32::from(address)), 96),
            IpAddr::V6(address) => (u128::from(address), 0),
        };
        tree.insert(bits, shift + length.parse::<u32>().unwrap(), offset);
    }
    let mut file = tree.written();
    file.extend([0; 16]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    metadata(kind, tree.nodes.len()).write(&mut file);
    file
}

fn metadata(kind: &'static str, nodes: usize) -> Value {
    let nodes = u32::try_from(nodes).unwrap();
    Value::Map(vec![
        ("node_count", Value::Number(nodes)),
        ("record_size", Value::Short(32)),
        ("ip_version", Value::Short(6)),
        ("database_type", Value::Text(kind)),
        ("languages", Value::List),
        ("binary_format_major_version", Value::Short(2)),
        ("binary_format_minor_version", Value::Short(0)),
        ("build_epoch", Value::Long(1_700_000_000)),
        ("description", Value::Map(Vec::new())),
    ])
}

#[derive(Debug, Clone, Copy, Default)]
enum Child {
    #[default]
    Nothing,
    Node(usize),
    Data(usize),
}

#[derive(Debug)]
struct Tree {
    nodes: Vec<[Child; 2]>,
}

impl Default for Tree {
    fn default() -> Self {
        Self {
            nodes: vec![[Child::Nothing; 2]],
        }
    }
}

impl Tree {
    fn insert(&mut self, bits: u128, length: u32, offset: usize) {
        let mut node = 0;
        for depth in 0..length {
            let side = usize::from(bits >> (BITS - 1 - depth) & 1 == 1);
            if depth + 1 == length {
                self.nodes[node][side] = Child::Data(offset);
                return;
            }
            if let Child::Node(next) = self.nodes[node][side] {
                node = next;
                continue;
            }
            self.nodes.push([Child::Nothing; 2]);
            let next = self.nodes.len() - 1;
            self.nodes[node][side] = Child::Node(next);
            node = next;
        }
    }

    fn written(&self) -> Vec<u8> {
        let count = self.nodes.len();
        let records = self.nodes.iter().flatten().map(|child| match child {
            Child::Nothing => count,
            Child::Node(node) => *node,
            Child::Data(offset) => count + 16 + offset,
        });
        let records = records.map(|record| u32::try_from(record).unwrap());
        records.flat_map(u32::to_be_bytes).collect()
    }
}

impl Value {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => {
                size(out, 2, text.len());
                out.extend(text.as_bytes());
            }
            Self::Number(number) => {
                size(out, 6, 4);
                out.extend(number.to_be_bytes());
            }
            Self::Short(number) => {
                size(out, 5, 2);
                out.extend(number.to_be_bytes());
            }
            // Types above 7 are in a byte of their own.
            Self::Long(number) => {
                out.extend([8, 2]);
                out.extend(number.to_be_bytes());
            }
            Self::List => out.extend([0, 4]),
            Self::Map(pairs) => {
                size(out, 7, pairs.len());
                for (key, value) in pairs {
                    Self::Text(key).write(out);
                    value.write(out);
                }
            }
        }
    }
}

/// The control byte: a type and a size.
fn size(out: &mut Vec<u8>, kind: u8, size: usize) {
    match size {
        0..29 => out.push(kind << 5 | u8::try_from(size).unwrap()),
        29..285 => out.extend([kind << 5 | 0x1d, u8::try_from(size - 29).unwrap()]),
        _ => {
            let rest = u16::try_from(size - 285).unwrap();
            out.push(kind << 5 | 0x1e);
            out.extend(rest.to_be_bytes());
        }
    }
}
