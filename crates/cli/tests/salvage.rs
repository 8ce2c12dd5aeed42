//! `--salvage`: more events, and an honest account of what is missing.

mod common;

use common::{TempDir, assert_golden, exectrace, gzip, run, trace};

#[test]
fn dump_goes_on_after_damage_and_says_what_is_lost() {
    let name = "go1.27-genscgo-gap.trace";
    let strict = run(["dump", name]);
    let salvaged = run(["dump", "--salvage", name]);
    assert_eq!((strict.status, salvaged.status), (1, 0));
    // The strict reader ends with a sync that says nothing.
    let (events, _) = strict.stdout.trim_end().rsplit_once('\n').unwrap();
    assert!(salvaged.stdout.starts_with(events));
    assert!(salvaged.stdout.len() > strict.stdout.len());
    let prefix = format!("exectrace: {name}: salvage: ");
    assert!(salvaged.stderr.lines().count() >= 2, "{}", salvaged.stderr);
    for line in salvaged.stderr.lines() {
        assert!(line.starts_with(&prefix), "{line}");
    }
    let quiet = run(["dump", "--quiet", "--salvage", name]);
    assert_eq!((quiet.status, &*quiet.stderr), (0, ""));
    assert!(quiet.stdout == salvaged.stdout);
}

#[test]
fn a_whole_trace_is_left_alone() {
    for form in ["parsed", "json"] {
        let strict = run(["dump", "--format", form, "go1.27-web.trace"]);
        let salvaged = run(["dump", "--salvage", "--format", form, "go1.27-web.trace"]);
        assert_eq!(strict.result(), salvaged.result());
    }
}

#[test]
fn info_reports_the_losses() {
    for name in ["go1.27-genscgo-gap", "go1.22-genscgo-cut60"] {
        let ran = run(["info", "--salvage", &format!("{name}.trace")]);
        assert_eq!((ran.status, &*ran.stderr), (1, ""));
        assert_golden(&format!("info-salvage-{name}.txt"), &ran.stdout);
    }
}

#[test]
fn a_cut_compressed_trace_is_salvaged() {
    let dir = TempDir::new();
    let stored = gzip(&trace("go1.27-gens.trace"));
    let path = dir.file("cut.gz", &stored[..stored.len() * 3 / 4]);
    let output = exectrace(["dump", "--salvage", &path]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(!output.stdout.is_empty());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("salvage: the gzip data ends too early"),
        "{stderr}"
    );
}

#[test]
fn nothing_can_be_salvaged_from_what_is_no_trace() {
    let ran = run(["dump", "--salvage", "go1.27-idle-badmagic.trace"]);
    assert!(
        ran.message(1).contains("not a Go execution trace"),
        "{ran:?}"
    );
}
