//! `exectrace rewrite`: the same events, and files that appear whole or not at all.

mod common;

use common::{TempDir, run, trace};

/// The output of `dump`, without the syncs: their clocks are what a version may not have.
fn events(path: &str) -> String {
    let dump = run(["dump", path]);
    let mut kept = String::new();
    let mut is_sync = false;
    for line in dump.result().lines() {
        if line.starts_with("M=") {
            is_sync = line.contains(" Sync ");
        }
        if !is_sync {
            kept += line;
            kept.push('\n');
        }
    }
    kept
}

#[test]
fn a_converted_trace_has_the_same_events() {
    let dir = TempDir::new();
    let out = dir.path("converted");
    for name in ["go1.22-uni.trace", "go1.25-zoo.trace", "go1.27-gens.trace"] {
        for version in ["1.23", "1.25", "1.26"] {
            let ran = run([
                "rewrite", "convert", name, "--to", version, "-o", &out, "-q",
            ]);
            assert_eq!(ran.result(), "");
            assert!(events(&out) == events(name), "{name} to {version}");
            // Of one of the traces, Go's own, the validator does not think well.
            let verdict = |path: &str| run(["validate", path]).status;
            assert_eq!(verdict(&out), verdict(name), "{name} to {version}");
        }
    }
    assert_eq!(dir.names(), ["converted"]);
}

#[test]
fn what_is_lost_is_said() {
    let dir = TempDir::new();
    let out = dir.path("old");
    let ran = run([
        "rewrite",
        "convert",
        "go1.27-allocfree.trace",
        "--to",
        "1.22",
        "-o",
        &out,
    ]);
    assert_eq!((ran.status, &*ran.stdout), (0, ""));
    for what in [
        "clock snapshot",
        "batches of experiments are lost",
        "events of experiments are lost",
    ] {
        assert!(ran.stderr.contains(what), "{what}: {ran:?}");
    }
    assert!(!run(["dump", &out]).result().contains("Experimental"));
    assert!(std::fs::read(&out).unwrap().starts_with(b"go 1.22 trace"));
}

#[test]
fn dropped_samples_are_all_that_is_missing() {
    let dir = TempDir::new();
    let out = dir.path("without");
    let ran = run([
        "rewrite",
        "filter",
        "go1.26-cpu.trace",
        "--drop-samples",
        "-o",
        &out,
    ]);
    assert_eq!(ran.result(), "");
    let kinds = |path: &str| {
        let json = run(["dump", "--format", "json", path]);
        let lines: Vec<_> = json.result().lines().map(str::to_owned).collect();
        lines
    };
    let (before, after) = (kinds("go1.26-cpu.trace"), kinds(&out));
    let is_sample = |line: &&String| line.contains("\"StackSample\"");
    let samples = before.iter().filter(is_sample).count();
    assert!(samples > 0);
    assert_eq!(after.iter().filter(is_sample).count(), 0);
    assert_eq!(after.len() + samples, before.len());

    let ran = run(["rewrite", "filter", "go1.26-cpu.trace", "-o", &out]);
    assert_eq!(ran.status, 2, "nothing to leave out");
}

#[test]
fn a_failure_leaves_what_was_there() {
    let dir = TempDir::new();
    let whole = trace("go1.27-gens.trace");
    let cut = dir.file("cut", &whole[..whole.len() / 2]);
    let out = dir.file("out", b"what was there");
    let ran = run(["rewrite", "convert", &cut, "--to", "1.26", "-o", &out, "-q"]);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert_eq!(std::fs::read(&out).unwrap(), b"what was there");
    assert_eq!(dir.names(), ["cut", "out"]);

    let ran = run([
        "rewrite",
        "convert",
        "go1.19-uni.trace",
        "--to",
        "1.26",
        "-o",
        &out,
    ]);
    assert!(ran.message(1).contains("cannot rewrite a trace of Go 1.19"));
    assert_eq!(std::fs::read(&out).unwrap(), b"what was there");
    // A trace may take its own place.
    let own = dir.file("own", &whole);
    let ran = run(["rewrite", "convert", &own, "--to", "1.26", "-o", &own]);
    assert_eq!(ran.result(), "");
    assert!(events(&own) == events("go1.27-gens.trace"));
}
