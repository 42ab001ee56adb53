//! Any bytes as messages of `sock_diag` and rtnetlink. Linux only.

#![no_main]

#[cfg(target_os = "linux")]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    flowner_attribution::snapshot::linux::fuzzing::netlink(data);
});
