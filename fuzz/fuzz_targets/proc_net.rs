//! Any bytes as a list of `/proc/net`. Linux only.

#![no_main]

#[cfg(target_os = "linux")]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    flowner_attribution::snapshot::linux::fuzzing::proc_net(data);
});
