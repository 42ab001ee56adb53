//! Any bytes as the beginning of TLS: into however many records a handshake is split, it says the
//! same.

#![no_main]

use flowner_names::MAX_NAME;
use flowner_names::wire::{Parsed, tls};

fn check(reading: &Parsed) {
    if let Parsed::Complete(Some(server)) = reading {
        assert!(server.name.as_str().len() <= MAX_NAME);
        assert!(
            server
                .name
                .as_str()
                .bytes()
                .all(|byte| byte.is_ascii_graphic())
        );
    }
}

libfuzzer_sys::fuzz_target!(|input: (u8, &[u8])| {
    let (most, bytes) = input;
    check(&tls::read_records(bytes));
    let _ = tls::read_cut_handshake(bytes);
    let whole = tls::read_handshake(bytes);
    check(&whole);
    let mut records = Vec::new();
    for part in bytes.chunks(usize::from(most) + 1) {
        let length = u16::try_from(part.len()).unwrap_or_default();
        records.extend([22, 3, 1]);
        records.extend(length.to_be_bytes());
        records.extend(part);
    }
    assert_eq!(tls::read_records(&records), whole);
});
