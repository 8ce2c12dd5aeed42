//! Where signals are not caught: the same functions, which say that they did not.

use std::io;

pub(crate) const CRASHES: &[i32] = &[];
pub(crate) const ENDS: &[i32] = &[];

#[derive(Debug)]
pub(crate) struct Pipes {}

impl Pipes {
    pub(crate) fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn wait(&self) -> io::Result<i32> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn release(&self) {}
}

pub(crate) fn catch_fatal(_signal: i32) {}

pub(crate) fn catch_request(_signal: i32) -> bool {
    false
}

pub(crate) fn at_exit(_last: extern "C" fn()) -> bool {
    false
}
