//! See `exectrace_fuzzing::salvage`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| exectrace_fuzzing::salvage(data));
