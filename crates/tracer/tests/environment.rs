//! What `EXECTRACE` makes of a program: this one, as a child.

mod support;

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Output},
    time::Duration,
};

use exectrace::{InitError, log, thread};
use support::{ask_go, checked, count};

/// What the children do. Not a test of its own.
#[test]
#[ignore = "what another test starts"]
fn child() {
    let Ok(what) = env::var("EXECTRACE_TEST_CHILD") else {
        return;
    };
    let tracing = match exectrace::init_from_env() {
        Ok(tracing) => tracing,
        Err(error @ InitError::BadSeconds(_)) => panic!("bad seconds: {error}"),
        Err(error) => panic!("{error}"),
    };
    log!("child", "begins");
    match &*what {
        "panics" => {
            let panicked = thread::spawn(|| panic!("on purpose")).join();
            assert!(panicked.is_err());
        }
        "waits" => std::thread::sleep(Duration::from_millis(300)),
        _ => {}
    }
    log!("child", "ends");
    if let Some(tracing) = tracing {
        tracing.finish().unwrap();
    }
}

fn run(what: &str, options: &str) -> (Output, PathBuf) {
    let name = format!("exectrace-environment-{}-{what}.trace", std::process::id());
    let path = env::temp_dir().join(name);
    let value = format!("{}{options}", path.display());
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env("EXECTRACE", value)
        .env("EXECTRACE_TEST_CHILD", what)
        .output()
        .unwrap();
    (output, path)
}

fn events(what: &str, options: &str) -> Vec<String> {
    let (output, path) = run(what, options);
    assert!(output.status.success(), "{output:?}");
    let trace = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let events = checked(&trace);
    ask_go(&trace, &events);
    events
}

#[test]
fn everything_or_the_beginning_or_the_end() {
    let all = events("works", "");
    assert_eq!(count(&all, "Message=\"begins\""), 1);
    assert_eq!(count(&all, "Message=\"ends\""), 1);
    assert_eq!(count(&all, "Label="), 1);
    let beginning = events("waits", ",seconds=0.05");
    assert_eq!(count(&beginning, "Message=\"begins\""), 1);
    assert_eq!(count(&beginning, "Message=\"ends\""), 0);
    let end = events("works-in-flight", ",flight,seconds=5");
    assert_eq!(count(&end, "Message=\"ends\""), 1);
}

#[test]
fn a_flight_recorder_keeps_what_led_to_a_panic() {
    let events = events("panics", ",flight");
    assert_eq!(count(&events, "Message=\"begins\""), 1);
    assert_eq!(count(&events, "Message=\"ends\""), 0);
}

#[test]
fn what_makes_no_sense_is_told() {
    let (output, path) = run("refuses", ",seconds=soon");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("bad seconds"), "{said}");
    assert!(!path.exists());
}
