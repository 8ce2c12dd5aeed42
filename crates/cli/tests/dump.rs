//! `exectrace dump`: Go's bytes, JSON, filters, and what happens at damage.

mod common;

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use common::{exectrace, go_output, run};

/// Whole and damaged traces of every version.
const TRACES: [&str; 10] = [
    "go1.22-cgo",
    "go1.22-genscgo-cut60",
    "go1.23-coro",
    "go1.23-uni",
    "go1.25-procs",
    "go1.25-genscgo-gap",
    "go1.26-cgo",
    "go1.27-gens",
    "go1.27-genscgo-cut60",
    "go1.27-idle-trailing",
];

#[test]
fn parsed_text_is_gos_up_to_the_damage() {
    for name in TRACES {
        let output = exectrace(["dump", &format!("{name}.trace")])
            .output()
            .unwrap();
        assert!(
            output.stdout == go_output(&format!("{name}.parsed.gz")),
            "{name}"
        );
        let stderr = String::from_utf8(output.stderr).unwrap();
        let damaged = ["cut", "gap", "trailing"]
            .iter()
            .any(|word| name.contains(word));
        assert_eq!(
            output.status.code(),
            Some(i32::from(damaged)),
            "{name}: {stderr}"
        );
        let begins = stderr.starts_with(&format!("exectrace: {name}.trace: "));
        assert_eq!(begins, damaged, "{stderr}");
        assert_eq!(stderr.lines().count(), usize::from(damaged), "{stderr}");
    }
}

#[test]
fn wire_text_is_gos() {
    for name in TRACES {
        let output = exectrace(["dump", "--format", "wire", &format!("{name}.trace")])
            .output()
            .unwrap();
        assert!(
            output.stdout == go_output(&format!("{name}.wire.gz")),
            "{name}"
        );
    }
}

#[test]
fn wire_text_of_a_cut_trace_ends_with_a_message() {
    let ran = run(["dump", "-f", "wire", "go1.27-idle-cut20.trace"]);
    assert_eq!(ran.status, 1);
    assert_eq!(
        ran.stderr,
        "exectrace: go1.27-idle-cut20.trace: the file ends inside a record; it was cut off (at \
         byte 16)\n"
    );
}

#[test]
fn filters_select() {
    let count = |args: &[&str]| {
        let all = [&["dump", "go1.27-web.trace", "--format", "json"], args].concat();
        let output = exectrace(all).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        output.stdout.iter().filter(|byte| **byte == b'\n').count()
    };
    let all = count(&[]);
    assert_eq!(all, 5413);
    // What Go's own text says.
    let text = String::from_utf8(go_output("go1.27-web.parsed.gz")).unwrap();
    let lines = |needle: &str| {
        text.lines()
            .filter(|line| line.starts_with("M=") && line.contains(needle))
            .count()
    };
    assert_eq!(count(&["--kind", "Log"]), lines(" Log "));
    assert_eq!(
        count(&["--kind", "TaskBegin,TaskEnd"]),
        lines(" TaskBegin ") + lines(" TaskEnd ")
    );
    assert_eq!(
        count(&["--kind", "Goroutine:Running->Waiting"]),
        lines(" Running->Waiting ")
    );
    assert_eq!(
        count(&["--proc", "0", "--kind", "Metric"]),
        text.lines()
            .filter(|line| line.contains(" P=0 ") && line.contains(" Metric "))
            .count()
    );
    // A window and its complement are the whole.
    let middle = ["5ms", "6ms"];
    let parts = count(&["--to", middle[0]])
        + count(&["--from", middle[0], "--to", middle[1]])
        + count(&["--from", middle[1]]);
    assert_eq!(parts, all);
    assert!(count(&["--grep", "net/http"]) > 0);
    assert_eq!(count(&["--grep", "no such text"]), 0);
}

#[test]
fn wall_time_is_a_field_on_demand() {
    let with = run(["dump", "-f", "json", "--wall", "go1.27-idle.trace"]);
    let without = run(["dump", "-f", "json", "go1.27-idle.trace"]);
    for (with, without) in with.result().lines().zip(without.result().lines()) {
        let mut with: serde_json::Value = serde_json::from_str(with).unwrap();
        let wall = with.as_object_mut().unwrap().remove("wall").unwrap();
        assert!(wall.as_str().unwrap().starts_with("2026-"));
        let without: serde_json::Value = serde_json::from_str(without).unwrap();
        assert_eq!(with, without);
    }
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let trace = "go1.27-idle.trace";
    let message = |args: &[&str]| {
        let all = [&["dump", trace], args].concat();
        let ran: common::Ran = exectrace(all).output().unwrap().into();
        ran.message(2).to_owned()
    };
    assert!(message(&["--format", "wire", "--goroutine", "1"]).contains("filters"));
    assert!(message(&["--format", "wire", "--salvage"]).contains("salvage"));
    assert!(message(&["--lossless"]).contains("--format wire"));
    assert!(message(&["--wall"]).contains("--format json"));
    assert!(message(&["-o", "x"]).contains("http://"));
}

#[test]
fn bad_values_of_filters_are_explained() {
    for (option, value, expected) in [
        ("--from", "soon", "soon"),
        ("--kind", "Nonsense", "Nonsense"),
        ("--grep", "(", "unclosed group"),
        ("--goroutine", "x", "invalid digit"),
    ] {
        let ran = run(["dump", "go1.27-idle.trace", option, value]);
        assert_eq!((ran.status, &*ran.stdout), (2, ""), "{ran:?}");
        assert!(
            ran.stderr.contains(option) && ran.stderr.contains(expected),
            "{ran:?}"
        );
    }
}

#[test]
fn a_wall_clock_window_needs_a_wall_clock() {
    let ran = run([
        "dump",
        "go1.22-idle.trace",
        "--from",
        "2026-11-22T00:43:01Z",
    ]);
    assert!(ran.message(2).contains("no wall clock times"), "{ran:?}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    for format in ["parsed", "json", "wire"] {
        // More text than pipes and buffers hold.
        let mut child = exectrace(["dump", "--format", format, "go1.27-manylate.trace"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::with_capacity(64, child.stdout.take().unwrap()).lines();
        assert!(lines.next().unwrap().is_ok());
        drop(lines);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{format}");
        assert_eq!(output.stderr, b"", "{format}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = exectrace(["dump", "go1.27-web.trace"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.starts_with("exectrace: cannot write standard output: "),
        "{message}"
    );
}
