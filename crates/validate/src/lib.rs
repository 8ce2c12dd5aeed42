//! A validator for execution traces, stricter than the reader.
#![forbid(unsafe_code)]
