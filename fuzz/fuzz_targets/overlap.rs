//! See `exectrace_fuzzing::overlap`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| exectrace_fuzzing::overlap(data));
