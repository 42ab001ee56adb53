//! The load that the benchmarks share.
