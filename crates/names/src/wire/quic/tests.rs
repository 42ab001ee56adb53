use proptest::prelude::*;

use super::keys::Parts;
use super::*;
use crate::Name;
use crate::samples::hello;

/// The identifier of the examples (RFC 9001, appendix A; RFC 9369, appendix A).
const ID: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pairs = digits
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).unwrap());
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

#[test]
fn keys_are_those_of_the_documents() {
    for (version, key, iv, header) in [
        (
            Version::V1,
            "1f369613dd76d5467730efcbe3b1a22d",
            "fa044b2f42a3fd3b46fb255c",
            "9f50449e04a0e810283a1e9933adedd2",
        ),
        (
            Version::V2,
            "8b1a0bc121284290a29e0971b5cd045d",
            "91f73e2351d8fa91660e909f",
            "45b95e15235d6f45a6b19cbcb0294ba9",
        ),
    ] {
        let parts = Parts::of_client(version, &ID);
        assert_eq!(parts.key[..], hex(key), "{version:?}");
        assert_eq!(parts.iv[..], hex(iv), "{version:?}");
        assert_eq!(parts.header[..], hex(header), "{version:?}");
    }
}

fn crypto(offset: usize, bytes: &[u8]) -> Vec<u8> {
    sealing::crypto(offset, bytes).unwrap()
}

/// A protected packet of a client whose keys come from `key_id`.
fn initial(version: Version, key_id: &[u8], id: &[u8], number: u8, frames: &[u8]) -> Vec<u8> {
    let initial = sealing::Initial {
        is_v2: version == Version::V2,
        key_id,
        destination: id,
        number,
        frames,
    };
    initial.seal().unwrap()
}

fn name(reading: Parsed) -> Option<Name> {
    match reading {
        Parsed::Complete(Some(name)) => Some(name.name),
        _ => None,
    }
}

#[test]
fn the_first_packet_names_the_server() {
    for version in [Version::V1, Version::V2] {
        let frames = crypto(0, &hello("www.example.com"));
        let datagram = initial(version, &ID, &ID, 2, &frames);
        assert!(may_be_initial(&datagram));
        let name = name(Hello::default().read(&datagram)).unwrap();
        assert_eq!(name.as_str(), "www.example.com");
    }
}

#[test]
fn frames_come_in_any_order_and_over_several_packets() {
    let whole = hello("www.example.com");
    let (first, second) = whole.split_at(300);
    let mut frames = crypto(200, &first[200..]);
    frames.extend([0, 0, 0, 1]);
    frames.extend(crypto(0, &first[..200]));
    let mut hello = Hello::default();
    // The second part first, with an identifier that the server chose meanwhile.
    let late = initial(Version::V1, &ID, &ID, 1, &crypto(300, second));
    assert_eq!(hello.read(&late), Parsed::Partial);
    let acknowledged = [&[2, 0, 0, 0, 0][..], &frames].concat();
    let early = initial(Version::V1, &ID, b"chosen", 2, &acknowledged);
    assert_eq!(
        name(hello.read(&early)).unwrap().as_str(),
        "www.example.com"
    );
}

#[test]
fn packets_share_a_datagram() {
    let whole = hello("www.example.com");
    let (first, second) = whole.split_at(700);
    let datagram = [
        initial(Version::V1, &ID, &ID, 0, &crypto(0, first)),
        initial(Version::V1, &ID, &ID, 1, &crypto(700, second)),
        vec![0; 20],
    ]
    .concat();
    let mut hello = Hello::default();
    assert_eq!(
        name(hello.read(&datagram)).unwrap().as_str(),
        "www.example.com"
    );
}

#[test]
fn after_a_retry_it_begins_anew() {
    let whole = hello("www.example.com");
    let mut hello = Hello::default();
    let lost = initial(Version::V1, &ID, &ID, 0, &crypto(0, &whole[..500]));
    assert_eq!(hello.read(&lost), Parsed::Partial);
    let id = b"of the retry";
    let anew = initial(Version::V1, id, id, 1, &crypto(0, &whole));
    assert_eq!(name(hello.read(&anew)).unwrap().as_str(), "www.example.com");
}

#[test]
fn packets_of_others_say_nothing() {
    let frames = crypto(0, &hello("www.example.com"));
    // Sealed with the keys of another connection, as those of a server are.
    let datagram = initial(Version::V1, b"another", &ID, 0, &frames);
    let mut hello = Hello::default();
    for _ in 1..MAX_DATAGRAMS {
        assert_eq!(hello.read(&datagram), Parsed::Partial);
    }
    assert_eq!(hello.read(&datagram), Parsed::Other);
    assert!(
        !may_be_initial(&[0xc0, 0, 0, 0, 0, 8]),
        "negotiation of a version"
    );
    assert!(!may_be_initial(b"GET / HTTP/1.1"));
}

proptest! {
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..1_400, byte: u8) {
        let mut hello = Hello::default();
        let _anything = hello.read(&[&[0xc3, 0, 0, 0, 1][..], &bytes].concat());
        let frames = crypto(0, &crate::samples::hello("www.example.com"));
        let mut datagram = initial(Version::V1, &ID, &ID, 0, &frames);
        let length = datagram.len();
        datagram[at % length] = byte;
        let _anything = hello.read(&datagram);
    }

    /// Frames are what somebody chose who made the packet.
    #[test]
    fn any_frames(frames in prop::collection::vec(any::<u8>(), 0..300)) {
        let _anything = Hello::default().read(&initial(Version::V1, &ID, &ID, 0, &frames));
    }
}
