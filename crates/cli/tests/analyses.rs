//! The analyses: their texts, JSON and CSV, restrictions, and what they say of damage.

mod common;

use common::{assert_golden, run};

/// Runs a command line on a trace and compares what it prints with a golden file.
fn golden(name: &str, args: &[&str]) {
    let output = common::exectrace(args).output().unwrap();
    let ran = common::Ran::from(output);
    assert_golden(name, ran.result());
}

#[test]
fn goroutines_by_function() {
    for trace in ["go1.22-zoo", "go1.25-cgo", "go1.27-web"] {
        let file = format!("{trace}.trace");
        golden(&format!("goroutines-{trace}.txt"), &["goroutines", &file]);
    }
    let args = ["goroutines", "--csv", "go1.27-forever.trace"];
    golden("goroutines-go1.27-forever.csv", &args);
}

#[test]
fn one_group_and_one_goroutine_in_full() {
    let file = "go1.27-web.trace";
    let args = ["goroutines", file, "--function", "=net/http.(*conn).serve"];
    golden("goroutines-group.txt", &args);
    let file = "go1.27-cgolate.trace";
    golden("goroutines-one.txt", &["goroutines", file, "-g", "10"]);
    golden(
        "goroutines-one.json",
        &["goroutines", file, "-g", "10", "--json"],
    );
}

#[test]
fn goroutines_one_by_one_in_a_window() {
    let file = "go1.27-web.trace";
    let mut args = vec!["goroutines", file, "--each", "--sort", "wait", "--top", "5"];
    args.extend(["--from", "2ms", "--to", "4ms"]);
    golden("goroutines-each.txt", &args);
}

#[test]
fn a_window_of_wall_clock_times_is_one_of_the_traces() {
    let info = run(["info", "--json", "go1.27-web.trace"]);
    let info: serde_json::Value = serde_json::from_str(info.result()).unwrap();
    let wall = info["start_wall"].as_str().unwrap();
    let by_wall = run(["goroutines", "go1.27-web.trace", "--json", "--from", wall]);
    let by_start = run(["goroutines", "go1.27-web.trace", "--json", "--from", "0ns"]);
    assert_eq!(by_wall.result(), by_start.result());
}

#[test]
fn restrictions_that_leave_nothing_are_refused_or_said() {
    let file = "go1.27-web.trace";
    let ran = run(["goroutines", file, "--from", "2ms", "--to", "1ms"]);
    assert!(ran.message(2).contains("the end must be after the start"));
    let ran = run(["goroutines", file, "--from", "1h"]);
    assert!(ran.message(2).contains("it lasts 9.07 ms"), "{ran:?}");
    let ran = run([
        "goroutines",
        "go1.22-idle.trace",
        "--from",
        "2026-11-22T00:00:00Z",
    ]);
    assert!(ran.message(2).contains("Go writes them since 1.25"));
    assert!(
        run(["goroutines", file, "-g", "99999"])
            .result()
            .contains("No such goroutine.")
    );
    let ran = run(["goroutines", file, "--function", "nobody"]);
    assert!(ran.result().contains("No goroutines."));
}

#[test]
fn damage_is_said_first_and_what_came_before_it_is_analysed() {
    let file = "go1.27-genscgo-gap.trace";
    let strict = run(["goroutines", file]);
    assert_eq!((strict.status, strict.stderr.as_str()), (1, ""));
    let second = strict.stdout.lines().nth(1).unwrap();
    assert!(second.starts_with("damaged: "), "{second}");
    let salvaged = run(["goroutines", "--salvage", file]);
    assert_eq!(salvaged.status, 1);
    assert_golden("goroutines-salvaged.txt", &salvaged.stdout);
    let json = run(["goroutines", "--json", file]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["problems"].as_array().unwrap().len(), 1);
}

#[test]
fn a_trace_with_nothing_in_it_is_no_trouble() {
    let dir = common::TempDir::new();
    let file = dir.file("empty.trace", &exectrace_wire::Version::Go126.header());
    for form in [&[][..], &["--json"], &["--csv"]] {
        let mut args = vec!["goroutines", file.as_str()];
        args.extend(form);
        let ran = common::Ran::from(common::exectrace(&args).output().unwrap());
        assert!(!ran.result().contains("NaN"), "{ran:?}");
    }
}
