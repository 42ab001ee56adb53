//! Any bytes as `/proc/PID/cgroup`, and as the path of a cgroup. Linux only.

#![no_main]

#[cfg(target_os = "linux")]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    flowner_attribution::snapshot::linux::fuzzing::cgroup(data);
});
