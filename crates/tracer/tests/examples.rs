//! What the examples write is right: by our reader and validator, and by Go's.

mod support;

#[allow(dead_code, reason = "its main function")]
#[path = "../examples/annotations.rs"]
mod annotations;
#[allow(dead_code, reason = "its main function")]
#[path = "../examples/convoy.rs"]
mod convoy;
#[allow(dead_code, reason = "its main function")]
#[path = "../examples/pull.rs"]
mod pull;

use exectrace::thread;
use support::{alone, ask_go, checked, count, traced};

fn events(work: impl FnOnce() + Send + 'static) -> Vec<String> {
    let trace = traced(|| thread::spawn(work).join().unwrap());
    let events = checked(&trace);
    ask_go(&trace, &events);
    events
}

#[test]
fn a_convoy() {
    let _turn = alone();
    let events = events(convoy::convoy);
    for n in 0..4 {
        assert_eq!(count(&events, &format!("Label=\"clerk {n}\"")), 1);
    }
    assert_eq!(count(&events, "Reason=\"sleep\""), 40);
    assert!(count(&events, "Reason=\"sync.Mutex\"") >= 3);
}

#[test]
fn pull_iterators() {
    let _turn = alone();
    let events = events(|| assert!(pull::same_leaves()));
    assert_eq!(count(&events, "NotExist->Waiting"), 2);
    // Two switches for each of 50 leaves of two trees, and one to each of their ends.
    assert_eq!(count(&events, "Running->Waiting Reason=\"\""), 202);
}

#[test]
fn annotations() {
    let _turn = alone();
    let events = events(|| assert_eq!(annotations::serve(), 15));
    assert_eq!(count(&events, "TaskBegin"), 6);
    assert_eq!(count(&events, "TaskEnd"), 6);
    assert_eq!(count(&events, "RegionBegin"), 9);
    assert_eq!(count(&events, "RegionEnd"), 9);
    assert_eq!(count(&events, "Category=\"rows\" Message=\"3 found\""), 3);
}
