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
    for command in [
        "goroutines",
        "sched",
        "blocking",
        "wakes",
        "regions",
        "tasks",
        "gc",
        "stw",
    ] {
        for form in [&[][..], &["--json"], &["--csv"]] {
            let mut args = vec![command, file.as_str()];
            args.extend(form);
            let ran = common::Ran::from(common::exectrace(&args).output().unwrap());
            assert!(
                !ran.result().is_empty() && !ran.result().contains("NaN"),
                "{ran:?}"
            );
        }
    }
}

#[test]
fn flame_graphs_are_as_agreed() {
    let file = "go1.27-web.trace";
    let args = [
        "flame", file, "--kind", "offcpu", "--label", "reason", "-f", "folded",
    ];
    golden("flame-offcpu.folded", &args);
    let file = "go1.27-cgolate.trace";
    golden("flame-syscall.svg", &["flame", file, "--kind", "syscall"]);
    golden(
        "flame-cpu.speedscope.json",
        &["flame", "go1.27-cpu.trace", "-k", "cpu", "-f", "speedscope"],
    );
}

#[test]
fn a_profile_is_compressed_and_the_same_each_time() {
    let args = [
        "pprof",
        "go1.27-web.trace",
        "--kind",
        "wall",
        "--label",
        "state,reason",
    ];
    let output = common::exectrace(args).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout[..2], [0x1f, 0x8b]);
    assert_eq!(
        output.stdout,
        common::exectrace(args).output().unwrap().stdout
    );
    let mut profile = Vec::new();
    let mut gzip = flate2::read::GzDecoder::new(&output.stdout[..]);
    std::io::Read::read_to_end(&mut gzip, &mut profile).unwrap();
    let text = String::from_utf8_lossy(&profile);
    for expected in [
        "net/http.(*conn).serve",
        "scheduler",
        "waiting",
        "delay",
        "nanoseconds",
    ] {
        let found = text.contains(expected);
        assert_eq!(found, expected != "scheduler", "{expected}");
    }
}

#[test]
fn what_is_wrong_with_a_trace_is_said_beside_its_profile() {
    let args = ["pprof", "go1.27-genscgo-gap.trace", "--kind", "sched"];
    let output = common::exectrace(args).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(!output.stdout.is_empty());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.starts_with("exectrace: go1.27-genscgo-gap.trace: damaged: "),
        "{stderr}"
    );
}

#[test]
fn waits_and_procs_are_as_agreed() {
    for trace in ["go1.22-zoo", "go1.25-cgo"] {
        let file = format!("{trace}.trace");
        golden(
            &format!("sched-{trace}.txt"),
            &["sched", &file, "--worst", "2"],
        );
    }
    let args = ["sched", "go1.27-cgolate.trace", "--worst", "1", "--json"];
    golden("sched-go1.27-cgolate.json", &args);
    golden(
        "sched-go1.27-zoo.csv",
        &["sched", "go1.27-zoo.trace", "--csv"],
    );
}

#[test]
fn blocking_and_wakes_are_as_agreed() {
    let file = "go1.27-zoo.trace";
    golden("blocking-go1.27-zoo.txt", &["blocking", file]);
    golden(
        "blocking-stacks.txt",
        &["blocking", file, "-r", "chan", "--stacks", "--top", "2"],
    );
    golden(
        "blocking-go1.27-forever.csv",
        &["blocking", "go1.27-forever.trace", "--csv"],
    );
    golden("wakes-go1.27-zoo.txt", &["wakes", file]);
    golden(
        "wakes-go1.27-zoo.dot",
        &["wakes", file, "--dot", "--top", "5"],
    );
}

#[test]
fn regions_and_tasks_are_as_agreed() {
    let web = "go1.27-web.trace";
    golden("regions-go1.27-web.txt", &["regions", web]);
    golden(
        "regions-histogram.txt",
        &["regions", web, "--histogram", "-n", "encode"],
    );
    golden(
        "regions-go1.22-uni.txt",
        &["regions", "go1.22-uni.trace", "--each", "--top", "6"],
    );
    golden(
        "regions-go1.27-zoo.csv",
        &["regions", "go1.27-zoo.trace", "--each", "--csv"],
    );
    golden("tasks-go1.27-zoo.txt", &["tasks", "go1.27-zoo.trace"]);
    golden(
        "tasks-one.txt",
        &["tasks", "go1.27-zoo.trace", "--task", "1,2"],
    );
    golden(
        "tasks-one.json",
        &["tasks", "go1.27-zoo.trace", "--task", "2", "--json"],
    );
    golden(
        "tasks-go1.27-zoo.csv",
        &["tasks", "go1.27-zoo.trace", "--each", "--csv"],
    );
}

#[test]
fn regions_and_tasks_are_found_by_length_and_text() {
    let web = "go1.27-web.trace";
    let count = |args: &[&str]| {
        let output = common::exectrace(args).output().unwrap();
        let ran = common::Ran::from(output);
        let json: serde_json::Value = serde_json::from_str(ran.result()).unwrap();
        let rows = json.get("regions").or(json.get("tasks")).unwrap();
        rows.as_array().unwrap().len()
    };
    for command in ["regions", "tasks"] {
        let all = count(&[command, web, "--each", "--json"]);
        let short = count(&[command, web, "--each", "--json", "--max", "200us"]);
        let long = count(&[command, web, "--each", "--json", "--min", "200us"]);
        assert!(
            short > 0 && long > 0 && short + long == all,
            "{short} + {long} != {all}"
        );
    }
    let logs = "571";
    assert_eq!(
        count(&["tasks", web, "--each", "--json", "--search", logs]),
        1
    );
    assert_eq!(
        count(&["tasks", web, "--each", "--json", "--search", "nobody"]),
        0
    );
    let ran = run(["tasks", web, "--min", "yesterday"]);
    assert!(
        ran.stderr.contains("expected a duration such as 1.5ms"),
        "{ran:?}"
    );
}

#[test]
fn collections_and_stops_of_the_world_are_as_agreed() {
    golden("gc-go1.27-zoo.txt", &["gc", "go1.27-zoo.trace"]);
    golden(
        "gc-go1.22-sweepactive.txt",
        &["gc", "go1.22-sweepactive.trace", "--top", "4"],
    );
    golden("gc-go1.27-web.json", &["gc", "go1.27-web.trace", "--json"]);
    golden(
        "stw-go1.27-zoo.txt",
        &["stw", "go1.27-zoo.trace", "--top", "4"],
    );
    golden(
        "stw-stacks.txt",
        &["stw", "go1.25-cgo.trace", "--stacks", "--top", "2"],
    );
    golden("stw-go1.22-zoo.csv", &["stw", "go1.22-zoo.trace", "--csv"]);
}

#[test]
fn timelines_are_as_agreed() {
    golden(
        "timeline-go1.27-zoo.txt",
        &["timeline", "go1.27-zoo.trace", "-g", "12,16,22"],
    );
    let mut args = vec![
        "timeline",
        "go1.27-cpu.trace",
        "--function",
        "main.cpu",
        "--top",
        "12",
    ];
    args.extend(["--from", "10ms", "--to", "12ms"]);
    golden("timeline-go1.27-cpu.txt", &args);
    let ran = run(["timeline", "go1.27-zoo.trace"]);
    assert!(ran.message(2).contains("whose timeline?"));
}
