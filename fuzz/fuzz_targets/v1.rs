//! See `exectrace_fuzzing::v1`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| exectrace_fuzzing::v1(data));
