//! `exectrace recover` after a process has died, and where there is nothing to recover. That recovered
//! traces are valid, however a process died, is tested where the tracer is. And what `info` says of
//! dropped generations.

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

/// Dies in the middle of a trace. Not a test of its own.
#[test]
#[ignore = "what another test starts"]
fn child() {
    use exectrace::{Session, raw, sink::Sink};
    let Ok(folder) = std::env::var("EXECTRACE_TEST_CHILD") else {
        return;
    };
    let session = Session::builder().signals(false);
    let session = session.map_memory(format!("{folder}/blocks"), 4 << 20);
    let _session = session
        .start(Sink::path(format!("{folder}/written")))
        .unwrap();
    let proc = raw::Proc::new().start();
    let goroutine = proc.create();
    let _running = proc.run(goroutine);
    for word in ["the", "last", "words"] {
        raw::log(exectrace_wire::TaskId::BACKGROUND, "test", word);
        exectrace::advance().unwrap();
    }
    raw::log(exectrace_wire::TaskId::BACKGROUND, "test", "not finished");
    std::process::abort();
}

#[test]
#[cfg(target_os = "linux")]
fn a_dead_process_leaves_a_trace() {
    let folder = TempDir::new();
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored"])
        .env("EXECTRACE_TEST_CHILD", folder.path(""))
        .output()
        .unwrap()
        .status;
    assert!(!status.success());
    let (blocks, output) = (folder.path("blocks"), folder.path("out.trace"));
    let ran = run(["recover", &blocks, "-o", &output]);
    let text = ran.result();
    assert!(text.contains("1 generation was rebuilt"), "{text}");
    assert!(text.contains("it begins with"), "{text}");
    let ran = run(["dump", &output, "--kind", "Log"]);
    for word in ["the", "last", "words", "not finished"] {
        let wanted = format!("Message={word:?}");
        assert!(ran.result().contains(&wanted), "{}", ran.result());
    }
    // In the place of what the process had written itself, another file may be named.
    let ran = run([
        "recover",
        &blocks,
        "--written",
        "go1.22-idle.trace",
        "-o",
        &output,
    ]);
    assert!(
        ran.message(1)
            .contains("expected to be a trace of version 1.26")
    );
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
