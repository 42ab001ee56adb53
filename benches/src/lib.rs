//! The load that benchmarks and the accuracy harness measure under. The benchmarks are
//! in `benches/`, one file a subject; what they found is in `README.md`.

pub mod load;
#[cfg(target_os = "linux")]
pub mod network;
pub mod payload;
pub mod random;
