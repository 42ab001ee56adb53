//! Any text as the comment of a packet: an owner that can be, or none.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    flowner_core::fuzzing::comment(text);
    // Most texts do not claim anything.
    flowner_core::fuzzing::comment(&format!("flowner: {text}"));
});
