//! Any steps on the questions that wait for owners: they are in doubt, due and asked as on a list
//! that goes through all of them.

#![no_main]

use std::time::Instant;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    flowner_attribution::capture::policy::fuzzing::requests(data, Instant::now());
});
