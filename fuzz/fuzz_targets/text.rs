//! See `exectrace_fuzzing::text`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| exectrace_fuzzing::text(data));
