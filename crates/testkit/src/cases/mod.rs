//! The cases of the golden tests: one small trace for each side of each rule that orders events.
//!
//! # To add a case
//!
//! 1. Write a function in the file of its subject. Its doc comment is the scenario and becomes the
//!    head of the golden file; its name, with dashes, becomes the file's name.
//! 2. `cargo run -p exectrace-testkit --example golden` writes `testdata/golden/NAME.test`: the
//!    trace as text, and what Go's parser makes of it.
//! 3. `UPDATE_GOLDEN=1 cargo test -p exectrace-reader --test golden` adds the text of our error, if
//!    there is one. It never touches what Go said.
//! 4. Read the file. It is the text that is reviewed, not this code.
//!
//! In the comments, "ready" means that an event can come next, and "waits" that others must come
//! first; section numbers are those of the format specification.

mod coroutines;
mod generations;
mod goroutines;
mod ids;
mod procs;
mod ranges;
mod samples;
mod statuses;
mod syscalls;
mod tasks;
mod times;
mod truncations;

use exectrace_wire::{EventType as E, GoStatus, ProcStatus, ThreadId, Version};

use crate::{GenerationBuilder, TraceBuilder};

/// A case: a scenario and its trace.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The function's name; see [`Case::file_name`].
    name: &'static str,
    doc: &'static str,
    version: Version,
    build: fn(&mut TraceBuilder),
}

impl Case {
    /// The golden file's name.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}.test", self.name.replace('_', "-"))
    }

    /// The scenario: lines without comment signs.
    pub fn scenario(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.doc
            .lines()
            .map(|line| line.strip_prefix(' ').unwrap_or(line))
    }

    /// The trace.
    #[must_use]
    pub fn trace(&self) -> Vec<u8> {
        let mut trace = TraceBuilder::new(self.version);
        (self.build)(&mut trace);
        trace.build()
    }
}

/// All cases, in the order of the specification.
pub fn all() -> impl Iterator<Item = Case> {
    [
        statuses::CASES,
        procs::CASES,
        goroutines::CASES,
        syscalls::CASES,
        coroutines::CASES,
        ranges::CASES,
        tasks::CASES,
        ids::CASES,
        generations::CASES,
        truncations::CASES,
        times::CASES,
        samples::CASES,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// Functions `fn name(trace: Version) { … }` with doc comments, and the list of them.
macro_rules! cases {
    ($($(#[doc = $doc:literal])+ fn $name:ident($trace:ident: $version:ident) $body:block)*) => {
        $($(#[doc = $doc])+ fn $name($trace: &mut $crate::TraceBuilder) $body)*

        pub(super) const CASES: &[super::Case] = &[$(super::Case {
            name: stringify!($name),
            doc: concat!($($doc, "\n"),+),
            version: exectrace_wire::Version::$version,
            build: $name,
        }),*];
    };
}
use cases;

/// No thread, no proc.
const NONE: u64 = ThreadId::WIRE_NONE;

/// Thread `m` holds proc `p` and runs goroutine `g`.
fn running(generation: &mut GenerationBuilder, m: u64, p: u64, g: u64) {
    generation
        .on(m)
        .event(E::ProcStatus, (p, ProcStatus::Running))
        .event(E::GoStatus, (g, m, GoStatus::Running));
}

/// Thread `m` holds proc `p`, and its goroutine `g` is in a system call.
fn in_syscall(generation: &mut GenerationBuilder, m: u64, p: u64, g: u64) {
    generation
        .on(m)
        .event(E::ProcStatus, (p, ProcStatus::Syscall))
        .event(E::GoStatus, (g, m, GoStatus::Syscall));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_every_case_builds() {
        let mut names = BTreeSet::new();
        for case in super::all() {
            assert!(names.insert(case.file_name()), "{} twice", case.file_name());
            assert!(!case.trace().is_empty());
            assert!(case.scenario().next().is_some_and(|line| !line.is_empty()));
        }
    }
}
