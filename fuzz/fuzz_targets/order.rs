//! See `exectrace_fuzzing::order`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| exectrace_fuzzing::order(data));
