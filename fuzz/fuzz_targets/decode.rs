//! See `exectrace_fuzzing::decode`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| exectrace_fuzzing::decode(data));
