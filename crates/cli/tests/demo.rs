//! `exectrace demo` records a trace that is whole, and says so.

mod common;

use common::{TempDir, run};

#[test]
fn the_demo_records_a_valid_trace() {
    let folder = TempDir::new();
    let trace = folder.path("demo.trace");
    let ran = run(["demo", "-o", &trace]);
    let result = ran.result();
    assert!(result.contains("worked on 200 requests"), "{result}");
    assert!(result.contains(&format!("{trace}: ok")), "{result}");
    assert!(result.contains("Go 1.26"), "{result}");
    let blocking = run(["blocking", &trace]);
    for reason in ["sync.Mutex", "chan receive", "sleep"] {
        assert!(blocking.result().contains(reason), "{reason}");
    }
    let tasks = run(["tasks", &trace]);
    assert!(tasks.result().contains("request"));
    // The same sum each time: nothing in the program depends on who is faster.
    let again = run(["demo", "-o", &trace]);
    let first = |text: &str| {
        text.lines()
            .next()
            .unwrap()
            .rsplit(' ')
            .next()
            .map(str::to_owned)
    };
    assert_eq!(first(result), first(again.result()));
}

#[test]
fn a_demo_that_cannot_be_written_is_told() {
    let folder = TempDir::new();
    let ran = run(["demo", "-o", &folder.path("no/such/folder/demo.trace")]);
    assert!(ran.message(2).contains("cannot create"));
}
