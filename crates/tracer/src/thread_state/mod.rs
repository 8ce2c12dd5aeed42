//! The threads that write events: the protocol by which they do, and who they are.

pub(crate) mod fence;
pub(crate) mod section;
#[cfg(not(loom))]
mod threads;

#[cfg(not(loom))]
pub(crate) use threads::{
    CLOCKWORK, Half, Over, Own, Section, collected, enter, forget_current, is_closed_before,
    stacks, switch,
};
