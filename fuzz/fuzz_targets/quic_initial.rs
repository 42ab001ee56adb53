//! Any datagrams as the first ones of QUIC, sealed ones among them: whatever they are, a name in them
//! can be shown, and a handshake that comes in pieces says what the whole says.

#![no_main]

use arbitrary::Arbitrary;
use flowner_names::MAX_NAME;
use flowner_names::wire::quic::sealing::{Initial, crypto};
use flowner_names::wire::{Parsed, quic};

/// Where keys come from, before and after a Retry.
const IDS: [&[u8]; 2] = [b"first id", b"of the retry"];
const NAME: &str = "www.example.com";

#[derive(Debug, Arbitrary)]
enum Datagram<'a> {
    Bytes(&'a [u8]),
    Packets(Vec<Packet<'a>>),
}

#[derive(Debug, Arbitrary)]
struct Packet<'a> {
    is_v2: bool,
    is_after_retry: bool,
    number: u8,
    frames: Vec<Frame<'a>>,
}

#[derive(Debug, Arbitrary)]
enum Frame<'a> {
    /// Whatever it is.
    Bytes(&'a [u8]),
    /// A part of any handshake.
    Crypto(u16, &'a [u8]),
    /// A part of a handshake that is right: from where, and how much.
    Hello(u16, u8),
    Padding(u8),
    Ping,
    Acknowledgement(u8, u8),
}

impl Frame<'_> {
    fn write(&self, hello: &[u8], frames: &mut Vec<u8>) {
        match self {
            Self::Bytes(bytes) => frames.extend(*bytes),
            Self::Crypto(offset, bytes) => {
                frames.extend(crypto((*offset).into(), bytes).unwrap_or_default());
            }
            Self::Hello(from, length) => {
                let from = usize::from(*from) % hello.len();
                let to = (from + usize::from(*length)).min(hello.len());
                frames.extend(crypto(from, &hello[from..to]).unwrap_or_default());
            }
            Self::Padding(count) => frames.resize(frames.len() + usize::from(*count), 0),
            Self::Ping => frames.push(1),
            Self::Acknowledgement(largest, first) => {
                frames.extend([2, largest & 0x3f, 0, 0, first & 0x3f]);
            }
        }
    }

    fn is_of_a_client(&self) -> bool {
        !matches!(self, Self::Bytes(_) | Self::Crypto(..))
    }
}

/// A `ClientHello` for this name.
fn hello() -> Vec<u8> {
    let length = u8::try_from(NAME.len()).unwrap_or_default();
    let mut extension = vec![0, 0, 0, length + 5, 0, length + 3, 0, 0, length];
    extension.extend(NAME.bytes());
    let mut body = vec![3, 3];
    body.extend([0x5a; 32]);
    body.extend([0, 0, 2, 0x13, 1, 1, 0, 0]);
    body.push(u8::try_from(extension.len()).unwrap_or_default());
    body.extend(extension);
    let mut hello = vec![1, 0, 0, u8::try_from(body.len()).unwrap_or_default()];
    hello.extend(body);
    hello
}

fn seal(packet: &Packet<'_>, hello: &[u8]) -> Vec<u8> {
    let mut frames = Vec::new();
    for frame in &packet.frames {
        frame.write(hello, &mut frames);
    }
    let id = IDS[usize::from(packet.is_after_retry)];
    let initial = Initial {
        is_v2: packet.is_v2,
        key_id: id,
        destination: id,
        number: packet.number,
        frames: &frames,
    };
    initial.seal().unwrap_or_default()
}

libfuzzer_sys::fuzz_target!(|datagrams: Vec<Datagram<'_>>| {
    let whole = hello();
    let mut hello = quic::Hello::default();
    // Whether all that came is of a client that asks for the name.
    let mut is_right = true;
    for datagram in &datagrams {
        let bytes = match datagram {
            Datagram::Bytes(bytes) => {
                is_right = false;
                bytes.to_vec()
            }
            Datagram::Packets(packets) => {
                let mut frames = packets.iter().flat_map(|packet| &packet.frames);
                is_right &= frames.all(Frame::is_of_a_client);
                packets
                    .iter()
                    .flat_map(|packet| seal(packet, &whole))
                    .collect()
            }
        };
        let _ = quic::may_be_initial(&bytes);
        if let Parsed::Complete(name) = hello.read(&bytes) {
            assert!(!is_right || name.as_ref().is_some_and(|name| name.name.as_str() == NAME));
            if let Some(name) = name {
                let text = name.name.as_str();
                assert!(text.len() <= MAX_NAME && text.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
        let _ = hello.cut();
    }
});
