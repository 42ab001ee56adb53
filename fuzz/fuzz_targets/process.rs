//! Any bytes as `/proc/PID/stat`, `/proc/PID/status` and `/proc/loadavg`. Linux only.

#![no_main]

#[cfg(target_os = "linux")]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    flowner_attribution::snapshot::linux::fuzzing::process(data);
});
