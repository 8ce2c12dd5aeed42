//! `exectrace recover`: what it says where there is nothing to recover. What there can be is tested
//! with processes that are killed, where the tracer is. And what `info` says of dropped generations.

mod common;

use common::{TempDir, run};
use exectrace_mend::Gap;
use exectrace_testkit::TraceBuilder;
use exectrace_wire::{EventType, GoStatus, ProcStatus, Version};

#[test]
fn what_is_no_block_file_is_told() {
    let folder = TempDir::new();
    let output = folder.path("out.trace");
    let ran = run(["recover", "go1.27-web.trace", "-o", &output]);
    let message = ran.message(1);
    assert!(message.contains("expected the block file"), "{message}");
    let ran = run(["recover", "no such file", "-o", &output]);
    let message = ran.message(2);
    assert!(message.contains("No such file"), "{message}");
    // Nothing is left behind, under no name.
    assert_eq!(folder.names(), Vec::<String>::new());
}

#[test]
fn info_says_what_the_tracer_dropped() {
    let mut trace = TraceBuilder::new(Version::Go126);
    for number in 1..=4 {
        let on = trace.generation(number).on(1);
        on.event(EventType::ProcStatus, (0, ProcStatus::Running))
            .event(EventType::GoStatus, (1, 1, GoStatus::Running));
    }
    let generations = trace.layout().generations();
    let mut gap = Gap::new(&generations[1]).unwrap();
    gap.widen(&generations[2]).unwrap();
    let bridge = gap.bridge(Some(&generations[3]), "the disk was full");
    let header = Version::Go126.header();
    let parts = [&header, &*generations[0], &bridge.unwrap(), &generations[3]];
    let folder = TempDir::new();
    let path = folder.file("dropped.trace", &parts.concat());
    let ran = run(["info", &path]);
    let text = ran.result();
    assert!(
        text.contains("warning: 2 generations with 4 events were dropped"),
        "{text}"
    );
    assert!(text.contains("the disk was full"), "{text}");
}
