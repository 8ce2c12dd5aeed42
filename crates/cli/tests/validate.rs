//! `exectrace validate`: its verdicts and its exit status.

mod common;

use common::{Ran, exectrace, gzip, run, trace, with_stdin};

#[test]
fn a_sound_trace_is_ok() {
    let ran = run(["validate", "go1.27-web.trace"]);
    assert_eq!(ran.result(), "go1.27-web.trace: ok, 5,413 events\n");
    let ran: Ran = with_stdin(
        exectrace(["validate", "-"]),
        &gzip(&trace("go1.27-web.trace")),
    )
    .into();
    assert_eq!(ran.result(), "standard input: ok, 5,413 events\n");
}

#[test]
fn each_trace_gets_its_verdict() {
    let ran = run([
        "validate",
        "go1.27-idle.trace",
        "go1.27-genscgo-cut60.trace",
        "go1.27-gens.trace",
        "go1.27-idle-badmagic.trace",
        "go1.22-idle.trace",
    ]);
    assert_eq!((ran.status, &*ran.stderr), (1, ""));
    let verdicts: Vec<_> = ran
        .stdout
        .lines()
        .filter(|line| !line.starts_with("  "))
        .collect();
    assert_eq!(
        verdicts,
        [
            "go1.27-idle.trace: ok, 44 events",
            "go1.27-genscgo-cut60.trace: damaged, 346 events, 0 violations",
            "go1.27-gens.trace: invalid, 8,811 events, 1 violation",
            "go1.27-idle-badmagic.trace: unreadable",
            "go1.22-idle.trace: ok, 38 events",
        ]
    );
    assert!(ran.stdout.contains("[no-thread]"), "{}", ran.stdout);
}

#[test]
fn a_trace_that_cannot_be_had_does_not_stop_the_others() {
    let ran = run(["validate", "no such file", "go1.27-idle.trace"]);
    assert_eq!(ran.status, 2);
    assert!(
        ran.stderr.starts_with("exectrace: no such file: "),
        "{ran:?}"
    );
    assert_eq!(ran.stdout, "go1.27-idle.trace: ok, 44 events\n");
}

#[test]
fn notices_are_listed_on_demand() {
    let without = run(["validate", "go1.22-startstop-1.trace"]);
    assert_eq!(
        without.result(),
        "go1.22-startstop-1.trace: ok, 1,717 events\n"
    );
    let with = run(["validate", "--notices", "go1.22-startstop-1.trace"]);
    let (verdict, rest) = with.result().split_once('\n').unwrap();
    assert_eq!(
        verdict,
        "go1.22-startstop-1.trace: ok, 1,717 events, 2 notices"
    );
    assert_eq!(rest.matches("[task-unknown]").count(), 2);

    let limited = run([
        "validate",
        "--notices",
        "--limit",
        "1",
        "go1.22-startstop-1.trace",
    ]);
    let lines: Vec<_> = limited.result().lines().collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[2], "  1 more [task-unknown]");
}

#[test]
fn a_salvaged_trace_is_still_damaged() {
    let ran = run(["validate", "--salvage", "go1.22-genscgo-cut60.trace"]);
    assert_eq!((ran.status, &*ran.stderr), (1, ""));
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(
        lines[..2],
        [
            "go1.22-genscgo-cut60.trace: damaged, 828 events, 0 violations",
            "  1 generation is not whole: 13 bytes skipped",
        ]
    );
}
