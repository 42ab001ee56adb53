//! Any bytes as answers of conntrack, and as its list in `/proc`. Linux only.

#![no_main]

#[cfg(target_os = "linux")]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    flowner_attribution::snapshot::linux::fuzzing::conntrack(data);
});
