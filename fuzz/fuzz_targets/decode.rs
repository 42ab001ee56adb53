//! Any bytes as a frame of any link type: headers or a typed error, never a panic.
//!
//! The first byte picks the link type, by its place in `LinkType::ALL`; the rest is
//! the frame. `cargo xtask fuzz` makes seeds of that form from capture files.

#![no_main]

use flowner_capture::{LinkType, decode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&pick, frame)) = data.split_first() else {
        return;
    };
    let link_type = LinkType::ALL[usize::from(pick) % LinkType::ALL.len()];
    let wire_len = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    let Ok(whole) = decode(link_type, frame, wire_len) else {
        return;
    };
    assert_eq!(whole.wire_len, wire_len);
    assert!(whole.tcp.is_none() || whole.protocol == 6);
    // What is cut off is absent; what is there stays the same.
    if let Ok(part) = decode(link_type, &frame[..frame.len() / 2], wire_len) {
        assert_eq!((part.source, part.destination), (whole.source, whole.destination));
        assert_eq!(part.protocol, whole.protocol);
        assert!(part.ports.is_none() || part.ports == whole.ports);
        assert!(part.tcp.is_none() || part.tcp == whole.tcp);
    }
});
