//! The rule on the frames of stacks, which only traces have.

use exectrace_reader::Reader;
use exectrace_testkit::{FrameSpec, Stack, TraceBuilder};
use exectrace_validate::{Report, Rule, Severity, Validator};
use exectrace_wire::{EventType as E, GoStatus, ProcStatus, Version};

/// Validates a trace in which a goroutine blocks at `stack` in each of two generations.
fn validate(stack: &Stack) -> Report {
    let mut trace = TraceBuilder::new(Version::Go126);
    trace
        .generation(1)
        .on(0)
        .event(E::ProcStatus, (0, ProcStatus::Running))
        .event(E::GoStatus, (1, 0, GoStatus::Running))
        .event(E::GoBlock, ("sync", stack.clone()));
    trace
        .generation(2)
        .on(0)
        .event(E::ProcStatus, (0, ProcStatus::Running))
        .event(E::GoStatus, (1, u64::MAX, GoStatus::Waiting))
        .event(E::GoCreate, (2, stack.clone(), stack.clone()));
    let bytes = trace.build();
    let mut reader = Reader::new(&bytes[..]).unwrap();
    let mut validator = Validator::new(reader.version());
    while let Some(event) = reader.next_event().unwrap() {
        validator.check(&event);
    }
    validator.finish()
}

fn frame(func: &str, file: &str, line: u64, pc: Option<u64>) -> FrameSpec {
    FrameSpec {
        pc,
        func: func.to_owned(),
        file: file.to_owned(),
        line,
    }
}

#[test]
fn whole_frames_are_sound() {
    let report = validate(&Stack::calls(["main.f", "main.main"]));
    assert_eq!(report.worst(), None, "{report}");
}

#[test]
fn the_leaf_may_have_nothing() {
    let leaf = frame("", "", 0, Some(0));
    let caller = frame("main.main", "main.go", 1, None);
    let report = validate(&Stack(vec![leaf, caller]));
    assert_eq!(report.worst(), None, "{report}");
}

#[test]
fn callers_have_all() {
    let leaf = frame("main.f", "main.go", 1, None);
    for caller in [
        frame("", "main.go", 1, None),
        frame("main.main", "", 1, None),
        frame("main.main", "main.go", 0, None),
        frame("main.main", "main.go", 1, Some(0)),
    ] {
        let report = validate(&Stack(vec![leaf.clone(), caller]));
        // The stack of a transition counts beside that of its event, and each event counts.
        assert_eq!(report.count(Rule::StackFrame), 4, "{report}");
        assert_eq!(report.worst(), Some(Severity::Go));
        assert_eq!(report.count_of(Severity::Strict), 0, "{report}");
    }
}
