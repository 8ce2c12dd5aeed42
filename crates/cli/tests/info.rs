//! `exectrace info`: its texts, its JSON, its exit status.

mod common;

use std::process::Stdio;

use common::{TempDir, assert_golden, corpus, exectrace, gzip, run, trace, with_stdin, zstd};

#[test]
fn the_text_is_as_agreed() {
    for name in [
        "go1.22-idle",
        "go1.27-web",
        "go1.27-gens",
        "go1.27-allocfree",
    ] {
        let ran = run(["info", &format!("{name}.trace")]);
        assert_golden(&format!("info-{name}.txt"), ran.result());
    }
}

#[test]
fn the_footprint_is_as_agreed() {
    let ran = run(["info", "--footprint", "go1.27-cpu.trace"]);
    assert_golden("info-footprint-go1.27-cpu.txt", ran.result());
}

#[test]
fn the_json_is_as_agreed() {
    for name in ["go1.22-idle", "go1.27-allocfree"] {
        let ran = run(["info", "--json", &format!("{name}.trace")]);
        assert_golden(&format!("info-{name}.json"), ran.result());
    }
}

#[test]
fn damage_is_the_first_thing_said_and_the_rest_is_still_shown() {
    for name in [
        "go1.22-genscgo-cut60",
        "go1.27-genscgo-cut60",
        "go1.27-idle-trailing",
        "go1.27-genscgo-gap",
    ] {
        let ran = run(["info", &format!("{name}.trace")]);
        assert_eq!((ran.status, &*ran.stderr), (1, ""), "{name}");
        assert_golden(&format!("info-{name}.txt"), &ran.stdout);
    }
    let ran = run(["info", "--json", "go1.27-genscgo-cut60.trace"]);
    assert_eq!((ran.status, &*ran.stderr), (1, ""));
    assert_golden("info-go1.27-genscgo-cut60.json", &ran.stdout);
}

/// The counts are those of Go's own reader, for every whole trace of the corpus.
#[test]
fn the_figures_are_gos() {
    let manifest = std::fs::read_to_string(corpus("MANIFEST.jsonl")).unwrap();
    let mut compared = 0;
    for line in manifest.lines() {
        let go: serde_json::Value = serde_json::from_str(line).unwrap();
        let name = go["name"].as_str().unwrap();
        let old = ["go 1.19", "go 1.21"].iter().any(|old| {
            go["header"]
                .as_str()
                .is_some_and(|header| header.starts_with(old))
        });
        if old || go["parsed_rc"] != 0 {
            continue;
        }
        let ran = run(["info", "--json", &format!("{name}.trace")]);
        let ours: serde_json::Value = serde_json::from_str(ran.result()).unwrap();
        for (ours_name, gos_name) in [
            ("bytes", "bytes"),
            ("events", "events"),
            ("goroutines", "gs"),
            ("threads", "ms"),
        ] {
            assert_eq!(ours[ours_name], go[gos_name], "{name}: {ours_name}");
        }
        // Go counts the procs that ran something, we count all that there are.
        assert!(ours["procs"].as_u64() >= go["ps"].as_u64(), "{name}: procs");
        assert_eq!(ours["uncounted_bytes"], 0, "{name}");
        compared += 1;
    }
    assert!(compared > 60, "compared only {compared}");
}

#[test]
fn compressed_traces_say_what_compression_saves() {
    let dir = TempDir::new();
    let bytes = trace("go1.27-web.trace");
    for (name, stored) in [("gzip", gzip(&bytes)), ("zstd", zstd(&bytes))] {
        // By content, not by name.
        let path = dir.file("trace.out", &stored);
        let plain = run(["info", "--json", "go1.27-web.trace"]);
        let packed = run(["info", "--json", &path]);
        let mut expected: serde_json::Value = serde_json::from_str(plain.result()).unwrap();
        expected["file"] = path.as_str().into();
        expected["compression"] = name.into();
        expected["stored_bytes"] = stored.len().into();
        let found: serde_json::Value = serde_json::from_str(packed.result()).unwrap();
        assert_eq!(found, expected);

        let text = run(["info", &path]);
        let first = text.result().lines().next().unwrap();
        assert!(first.contains(&format!(" as {name} (")), "{first}");
    }
}

#[test]
fn standard_input_is_a_source() {
    let bytes = trace("go1.27-idle.trace");
    let expected = run(["info", "go1.27-idle.trace"]);
    for stored in [bytes.clone(), gzip(&bytes), zstd(&bytes)] {
        let ran: common::Ran = with_stdin(exectrace(["info", "-"]), &stored).into();
        let (_, expected) = expected.result().split_once('\n').unwrap();
        let (title, rest) = ran.result().split_once('\n').unwrap();
        assert!(title.starts_with("standard input: trace of format 1.26"));
        assert_eq!(rest, expected);
    }
}

#[test]
fn standard_input_may_be_a_file() {
    let output = exectrace(["info", "--json", "-"])
        .stdin(std::fs::File::open(corpus("go1.27-idle.trace")).unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn colour_is_for_terminals_or_on_demand() {
    let plain = run(["info", "go1.27-idle.trace"]);
    assert!(!plain.result().contains('\x1b'));
    let coloured = run(["info", "--color", "always", "go1.27-idle.trace"]);
    assert!(
        coloured
            .result()
            .contains("\x1b[32mNo problems found.\x1b[0m")
    );
    let without_escapes = strip_escapes(coloured.result());
    assert_eq!(without_escapes, plain.result());
}

fn strip_escapes(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\x1b') {
        out += before;
        rest = after.split_once('m').expect("a whole escape").1;
    }
    out + rest
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = exectrace(["info", "go1.27-idle.trace"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stderr, b"");
}

#[test]
fn names_cannot_drive_the_terminal() {
    let dir = TempDir::new();
    let path = dir.file("\x1b[31mred", &trace("go1.27-idle.trace"));
    let ran = run(["info", &path]);
    assert!(!ran.result().contains('\x1b'));
}
