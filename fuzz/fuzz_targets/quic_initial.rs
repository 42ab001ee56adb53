//! Any bytes as the first datagrams of QUIC: whatever they are, a name in them can be shown.

#![no_main]

use flowner_names::MAX_NAME;
use flowner_names::wire::{Reading, quic};

libfuzzer_sys::fuzz_target!(|datagrams: Vec<&[u8]>| {
    let mut hello = quic::Hello::default();
    for datagram in datagrams {
        let _ = quic::may_be_initial(datagram);
        if let Reading::Complete(Some(server)) = hello.read(datagram) {
            assert!(server.name.as_str().len() <= MAX_NAME);
            assert!(
                server
                    .name
                    .as_str()
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic())
            );
        }
        let _ = hello.cut();
    }
});
