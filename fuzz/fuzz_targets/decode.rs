//! Any bytes as a frame of any link type: headers or a typed error, never a panic; and
//! cutting the frame takes values away but changes none.
//!
//! The first byte picks the link type, by its place in `LinkType::ALL`; the rest is
//! the frame. `cargo xtask fuzz` makes seeds of that form from capture files.

#![no_main]

use flowner_capture::{Headers, Icmp, LinkType, decode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&pick, frame)) = data.split_first() else {
        return;
    };
    let link_type = LinkType::ALL[usize::from(pick) % LinkType::ALL.len()];
    let wire_len = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    let whole = decode(link_type, frame, wire_len);
    if let Ok(whole) = whole {
        assert_eq!(whole.wire_len, wire_len);
        assert!(whole.payload_len <= wire_len);
        assert!(whole.tcp.is_none() || whole.protocol == 6);
        assert!(whole.tcp.is_none() || whole.ports.is_some());
        let payload = whole.payload(frame);
        assert!(payload.is_empty() || whole.payload_offset >= 20);
        assert!(payload.len() <= whole.payload_len as usize);
    }
    // Beyond this there are only more of the same options.
    for len in 0..frame.len().min(128) {
        if let Ok(cut) = decode(link_type, &frame[..len], wire_len) {
            assert_only_less(cut, whole.expect("what is cut decodes, so the whole does"));
        }
    }
});

fn assert_only_less(cut: Headers, whole: Headers) {
    let expected = Headers {
        ports: cut.ports.and(whole.ports),
        tcp: cut.tcp.and(whole.tcp),
        icmp: cut.icmp.zip(whole.icmp).map(|(cut, whole)| Icmp {
            identifier: cut.identifier.and(whole.identifier),
            quoted: cut.quoted.and(whole.quoted),
            ..whole
        }),
        payload_len: [0, whole.payload_len][usize::from(cut.payload_len > 0)],
        payload_offset: [0, whole.payload_offset][usize::from(cut.payload_offset > 0)],
        ..whole
    };
    assert_eq!(cut, expected);
}
