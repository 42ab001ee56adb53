//! Benchmarks of the libraries, one file a subject, in `benches/`. What they found is in
//! `README.md`. (A package must have a target; this one holds nothing.)
