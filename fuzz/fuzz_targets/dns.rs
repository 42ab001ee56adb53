//! Any bytes as a message of DNS: bounded, and every name in it can be shown.

#![no_main]

use flowner_names::wire::dns;
use flowner_names::{MAX_NAME, Name};

fn check(name: &Name) {
    let text = name.as_str();
    assert!(text.len() <= MAX_NAME);
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let is_query = dns::is_query(bytes);
    let Some(message) = dns::read(bytes) else {
        assert!(!is_query);
        return;
    };
    assert!(!is_query || !message.is_response && message.questions.len() == 1);
    assert!(message.questions.len() <= 32);
    assert!(message.addresses.len() <= bytes.len());
    message
        .questions
        .iter()
        .for_each(|question| check(&question.name));
    message
        .addresses
        .iter()
        .for_each(|address| check(&address.name));
});
