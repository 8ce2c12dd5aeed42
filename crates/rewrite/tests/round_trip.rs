//! Read, write, read: the same events.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use exectrace_export::ParsedWriter;
use exectrace_reader::{EventKind, Reader};
use exectrace_rewrite::{Changes, Losses, RewriteError, rewrite};
use exectrace_testkit::{
    damage,
    go::{self, Question},
    sim,
};
use exectrace_validate::{Severity, Validator};
use exectrace_wire::{Family, Version, parse_header};

/// What a trace says: its events as text, one entry an event, and how many objections there are.
#[derive(Debug, PartialEq)]
struct Said {
    events: Vec<String>,
    objections: usize,
}

/// `with_syncs`: the text of syncs has the clocks, which not every version can tell.
fn read(trace: &[u8], with_syncs: bool) -> Result<Said, exectrace_reader::Error> {
    let mut reader = Reader::new(trace)?;
    let mut validator = Validator::new(reader.version());
    let mut writer = ParsedWriter::new();
    let mut events = Vec::new();
    while let Some(event) = reader.next_event()? {
        validator.check(&event);
        let mut text = Vec::new();
        writer.write_event(&mut text, &event);
        if !matches!(event.kind(), EventKind::Sync(_)) {
            events.push(String::from_utf8_lossy(&text).into_owned());
        } else if with_syncs {
            // The frequency is not in the text.
            events.push(String::from_utf8_lossy(&text).into_owned());
        } else {
            events.push(format!("sync at {}", event.time()));
        }
    }
    let report = validator.finish();
    let objections = report
        .violations()
        .iter()
        .filter(|violation| violation.rule.severity() >= Severity::Strict)
        .count();
    Ok(Said { events, objections })
}

fn rewritten(
    trace: &[u8],
    version: Version,
    changes: Changes,
) -> Result<(Vec<u8>, Losses), RewriteError> {
    rewrite(&mut Reader::new(trace)?, Vec::new(), version, changes)
}

/// The traces of the v2 family that are here: the large collection if it is there
/// (`EXECTRACE_SHARED`, or `shared` beside the workspace), else the workspace's selection.
fn traces() -> Vec<(String, Vec<u8>)> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared =
        env::var_os("EXECTRACE_SHARED").map_or_else(|| workspace.join("../shared"), PathBuf::from);
    let mut traces = Vec::new();
    for folder in [
        shared.join("corpus"),
        workspace.join("testdata/corpus"),
        workspace.join("testdata/edge"),
    ] {
        let Ok(entries) = fs::read_dir(folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|end| end != "trace") {
                continue;
            }
            let trace = fs::read(&path).unwrap();
            if parse_header(&trace).is_ok_and(|version| version.family() == Family::V2) {
                traces.push((path.file_stem().unwrap().display().to_string(), trace));
            }
        }
    }
    traces.sort();
    traces.dedup();
    traces
}

fn assert_same(name: &str, before: &Said, after: &Said) {
    for (number, (before, after)) in before.events.iter().zip(&after.events).enumerate() {
        assert_eq!(before, after, "{name}: event {number}");
    }
    assert_eq!(before.events.len(), after.events.len(), "{name}: events");
    // What is odd about tables and batches is put right.
    assert!(after.objections <= before.objections, "{name}: objections");
}

#[test]
fn every_sound_trace_comes_back_as_it_was() {
    let mut sound = 0;
    for (name, trace) in traces() {
        let version = parse_header(&trace).unwrap();
        let Ok(before) = read(&trace, true) else {
            assert!(
                rewritten(&trace, version, Changes::default()).is_err(),
                "{name} is broken"
            );
            continue;
        };
        sound += 1;
        let (copy, losses) = rewritten(&trace, version, Changes::default())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(losses, Losses::default(), "{name}");
        let after = read(&copy, true).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_same(&name, &before, &after);
        // Once written by us, nothing changes any more.
        let (again, _) = rewritten(&copy, version, Changes::default()).unwrap();
        assert!(again == copy, "{name}: not the same bytes again");
    }
    assert!(sound > 30, "only {sound} traces");
}

#[test]
fn other_versions_have_the_same_events_but_for_what_is_counted() {
    let mut compared = 0;
    for (name, trace) in traces() {
        let version = parse_header(&trace).unwrap();
        let Ok(before) = read(&trace, false) else {
            continue;
        };
        for target in Version::V2.into_iter().filter(|target| *target != version) {
            let name = format!("{name} to {target}");
            let (copy, losses) = match rewritten(&trace, target, Changes::default()) {
                Err(RewriteError::Empty(_)) if before.events.len() == 1 => continue,
                result => result.unwrap_or_else(|error| panic!("{name}: {error}")),
            };
            assert_eq!(parse_header(&copy), Ok(target));
            let after = read(&copy, false).unwrap_or_else(|error| panic!("{name}: {error}"));
            let kept = losses.experimental_events
                + losses.status_stacks
                + losses.blocked_creations
                + losses.early_runnable;
            if kept == 0 {
                compared += 1;
                for (number, (before, after)) in before.events.iter().zip(&after.events).enumerate()
                {
                    assert_eq!(before, after, "{name}: event {number}");
                }
                assert_eq!(before.events.len(), after.events.len(), "{name}");
            } else {
                let lost = before.events.len() - after.events.len();
                let may = losses.experimental_events + losses.early_runnable;
                assert!(lost as u64 <= may, "{name}: {lost} of {may} are lost");
            }
        }
    }
    assert!(compared > 60, "only {compared} conversions");
}

#[test]
fn simulated_programs_come_back_too() {
    for seed in 0..200 {
        for version in Version::V2 {
            let trace = simulated(seed, version);
            let before = read(&trace, true).unwrap();
            let (copy, _) = rewritten(&trace, version, Changes::default()).unwrap();
            let after = read(&copy, true).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert_same(&format!("seed {seed}, {version}"), &before, &after);
        }
    }
}

/// What a reader accepts after damage comes back as it was; all else is an error.
#[test]
fn damaged_traces_come_back_as_they_are_read() {
    for version in Version::V2 {
        let trace = simulated(7, version);
        let mut accepted = 0;
        for damaged in damage::bit_flips(&trace)
            .step_by(17)
            .chain(damage::gigantic_numbers(&trace).step_by(3))
        {
            let how = &damaged.how;
            let Ok(before) = read(&damaged.bytes, true) else {
                let result = rewritten(&damaged.bytes, version, Changes::default());
                assert!(result.is_err(), "{version}: {how}");
                continue;
            };
            let target = parse_header(&damaged.bytes).unwrap();
            let (copy, losses) = match rewritten(&damaged.bytes, target, Changes::default()) {
                // Of a clock that overflows.
                Err(RewriteError::Time(_)) => continue,
                result => result.unwrap_or_else(|error| panic!("{how}: {error}")),
            };
            // Readers take events of later versions; they are lost, and that is counted. And times
            // that readers round are those of a clock that is damaged, too.
            if losses != Losses::default() || is_beyond_rounding(&damaged.bytes) {
                continue;
            }
            accepted += 1;
            let after = read(&copy, true).unwrap_or_else(|error| panic!("{how}: {error}"));
            assert_same(&format!("{version}: {how}"), &before, &after);
        }
        assert!(accepted > 100, "only {accepted} were accepted");
    }
}

/// Whether a time of the trace is too large for readers to convert it without rounding.
fn is_beyond_rounding(trace: &[u8]) -> bool {
    let mut reader = Reader::new(trace).unwrap();
    let mut latest = 0;
    while let Some(event) = reader.next_event().unwrap() {
        latest = latest.max(event.time().nanos());
        if let EventKind::Sync(sync) = event.kind() {
            let clock = sync.clock().map_or(0, |clock| clock.trace.nanos());
            latest = latest.max(clock.saturating_abs());
        }
    }
    latest >= 1 << 53
}

#[test]
fn what_is_dropped_is_gone_and_the_rest_stays() {
    let (name, trace) = traces()
        .into_iter()
        .find(|(name, trace)| name.contains("cpu") && read(trace, true).is_ok())
        .unwrap();
    let version = parse_header(&trace).unwrap();
    let before = read(&trace, true).unwrap();
    let changes = Changes::default().drop_samples(true);
    let (copy, _) = rewritten(&trace, version, changes).unwrap();
    let after = read(&copy, true).unwrap();
    let is_sample = |event: &&String| event.contains("StackSample");
    assert!(
        before.events.iter().any(|event| is_sample(&event)),
        "{name}"
    );
    let rest: Vec<_> = before.events.iter().filter(|e| !is_sample(e)).collect();
    assert_eq!(after.events.iter().collect::<Vec<_>>(), rest, "{name}");

    let changes = Changes::default().drop_stacks(true);
    let (copy, _) = rewritten(&trace, version, changes).unwrap();
    let mut reader = Reader::new(&copy[..]).unwrap();
    let mut events = 0;
    while let Some(event) = reader.next_event().unwrap() {
        events += 1;
        assert!(event.stack().is_none_or(|stack| stack.is_empty()));
    }
    assert_eq!(events, before.events.len());
}

#[test]
fn the_v1_family_is_refused_both_ways() {
    let v1 = Version::Go121.header();
    assert!(matches!(
        rewritten(&v1, Version::Go126, Changes::default()),
        Err(RewriteError::Source(Version::Go121))
    ));
    let v2 = Version::Go126.header();
    assert!(matches!(
        rewritten(&v2, Version::Go111, Changes::default()),
        Err(RewriteError::Target(Version::Go111))
    ));
}

/// Asks Go about some: it takes a second for each.
#[test]
#[ignore = "asks Go, which it may have to install; continuous integration runs it"]
fn go_reads_what_is_written() {
    let mut asked = 0;
    for (name, trace) in traces() {
        if trace.len() > 400_000 || read(&trace, true).is_err() {
            continue;
        }
        let objection = |trace: &[u8]| go::ask(Question::Validate, trace).unwrap().error;
        if objection(&trace).is_some() {
            continue;
        }
        asked += 1;
        for target in Version::V2 {
            let Ok((copy, _)) = rewritten(&trace, target, Changes::default()) else {
                assert!(trace.len() < 20, "{name} to {target}");
                continue;
            };
            assert_eq!(objection(&copy), None, "{name} to {target}");
        }
    }
    assert!(asked > 10, "only {asked} traces");
}

fn simulated(seed: u64, version: Version) -> Vec<u8> {
    sim::simulate(seed, sim::Size::small(version))
        .layout
        .to_bytes()
}
