//! Any bytes as a request of HTTP/1: a name in it can be shown, and no request is read for ever.

#![no_main]

use flowner_names::MAX_NAME;
use flowner_names::wire::{Parsed, http};

fn check(stream: &[u8]) {
    match http::read(stream) {
        Parsed::Complete(Some(server)) => {
            assert!(server.name.as_str().len() <= MAX_NAME);
            assert!(
                server
                    .name
                    .as_str()
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic())
            );
        }
        Parsed::Partial => assert!(stream.len() < http::MAX_REQUEST),
        _ => {}
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    // Most bytes are no request.
    check(&[&b"GET / HTTP/1.1\r\nHost: "[..], bytes].concat());
    check(&[&b"CONNECT "[..], bytes].concat());
});
