//! Any bytes as the kernel's reports on devices, addresses and packet sockets, and of where a
//! packet comes from. Linux only.

#![no_main]

#[cfg(target_os = "linux")]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    use flowner_capture::fuzzing;

    fuzzing::cooked(data);
    fuzzing::device(data);
    fuzzing::addresses(data);
    fuzzing::senders(data);
});
