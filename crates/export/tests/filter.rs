//! Filters on real traces against a plain reading of their text, and on hand-made ones.

mod common;

use common::{cases, selection};
use exectrace_export::{
    ParsedWriter,
    filter::{Criteria, Filter, FilterError},
};
use exectrace_reader::{GoroutineId, ProcId, Reader, ThreadId};
use exectrace_testkit::{Stack, TraceBuilder};
use exectrace_wire::{EventType as E, GoStatus, ProcStatus, Version};

/// The texts of the events that pass, and of all.
fn filtered(trace: &[u8], criteria: Criteria) -> Result<(Vec<String>, Vec<String>), FilterError> {
    let mut reader = Reader::new(trace).unwrap();
    let mut filter = Filter::new(criteria);
    let mut writer = ParsedWriter::new();
    let mut all_writer = ParsedWriter::new();
    let (mut passed, mut all) = (Vec::new(), Vec::new());
    let text = |out: Vec<u8>| String::from_utf8_lossy(&out).into_owned();
    while let Ok(Some(event)) = reader.next_event() {
        let mut out = Vec::new();
        all_writer.write_event(&mut out, &event);
        all.push(text(out));
        if filter.matches(&event)? {
            assert!(!filter.is_past_end());
            let mut out = Vec::new();
            writer.write_event(&mut out, &event);
            passed.push(text(out));
        } else {
            writer.skip(&event);
        }
    }
    Ok((passed, all))
}

/// Checks on every trace that the events which pass are those whose text has a property.
#[track_caller]
fn same_as_text(criteria: &Criteria, holds: impl Fn(&str) -> bool) {
    let mut total = 0;
    for case in cases(&selection().join("corpus"), ".parsed.gz") {
        let (passed, all) = filtered(&case.trace, criteria.clone()).unwrap();
        let expected: Vec<_> = all.into_iter().filter(|text| holds(text)).collect();
        assert!(
            passed == expected,
            "{}: {} passed, expected {}",
            case.name,
            passed.len(),
            expected.len()
        );
        total += passed.len();
    }
    assert!(total > 0, "nothing passes in any trace");
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[test]
fn nothing_wanted_is_everything() {
    same_as_text(&Criteria::default(), |_| true);
}

#[test]
fn goroutines_are_those_that_run_and_those_that_change() {
    let mut criteria = Criteria::default();
    criteria.goroutines.push(GoroutineId(1));
    same_as_text(&criteria, |text| {
        let line = first_line(text);
        line.contains(" G=1 ") || line.contains(" GoID=1 ") || line.contains("Goroutine(1)")
    });
}

#[test]
fn procs_and_threads() {
    let mut criteria = Criteria::default();
    criteria.procs.extend([ProcId(0), ProcId(3)]);
    same_as_text(&criteria, |text| {
        let line = first_line(text);
        [0, 3].iter().any(|id| {
            line.contains(&format!(" P={id} "))
                || line.contains(&format!(" ProcID={id} "))
                || line.contains(&format!("Proc({id})"))
        })
    });

    let mut criteria = Criteria::default();
    criteria.threads.push(ThreadId(24904));
    same_as_text(&criteria, |text| text.starts_with("M=24904 "));
}

#[test]
fn kinds() {
    let kinds = ["Metric", "goroutine:running->waiting", "Proc:*->Idle"];
    let criteria = Criteria {
        kinds: kinds.map(|kind| kind.parse().unwrap()).to_vec(),
        ..Criteria::default()
    };
    same_as_text(&criteria, |text| {
        let line = first_line(text);
        line.contains(" Metric ")
            || line.contains(" GoID=") && line.contains(" Running->Waiting ")
            || line.contains(" ProcID=") && line.contains("->Idle ")
    });
}

#[test]
fn grep_searches_stacks_and_names() {
    let criteria = Criteria {
        grep: Some(
            r"^runtime\.gc|/gc\.go$|chan (send|receive)|^/gc/"
                .parse()
                .unwrap(),
        ),
        ..Criteria::default()
    };
    same_as_text(&criteria, |text| {
        text.lines().any(|line| {
            let function = line.trim_start_matches('\t');
            line.starts_with('\t') && function.starts_with("runtime.gc")
                || line.contains("/gc.go:")
                || line.contains("Reason=\"chan send")
                || line.contains("Reason=\"chan receive")
                || line.contains("Name=\"/gc/")
        })
    });
}

#[test]
fn criteria_add_up() {
    let criteria = Criteria {
        goroutines: vec![GoroutineId(1)],
        kinds: vec!["GoBlock".parse().unwrap()],
        grep: Some("^sleep$".parse().unwrap()),
        ..Criteria::default()
    };
    same_as_text(&criteria, |text| {
        let line = first_line(text);
        line.contains(" GoID=1 Running->Waiting Reason=\"sleep\"")
    });
}

/// A trace of a few events at regular times.
fn clockwork(version: Version) -> Vec<u8> {
    let mut trace = TraceBuilder::new(version);
    let generation = trace.generation(1);
    let mut on = generation
        .on(0)
        .event(E::ProcStatus, (0, ProcStatus::Running))
        .event(E::GoStatus, (1, 0, GoStatus::Running));
    for goal in 0..20 {
        on = on.event(E::HeapGoal, (goal,));
    }
    on.event(E::GoBlock, ("end", Stack::NONE));
    trace.build()
}

fn times(texts: &[String]) -> Vec<i64> {
    texts
        .iter()
        .map(|text| {
            let (_, rest) = text.split_once(" Time=").unwrap();
            let end = rest.find([' ', '\n']).unwrap();
            rest[..end].parse().unwrap()
        })
        .collect()
}

#[test]
fn windows_of_time_do_not_overlap_and_leave_nothing_out() {
    let trace = clockwork(Version::Go126);
    let (all, _) = filtered(&trace, Criteria::default()).unwrap();
    let times = times(&all);
    let (first, middle) = (times[0], times[times.len() / 2]);
    let wall = {
        let mut reader = Reader::new(&trace[..]).unwrap();
        let mut wall = None;
        while let Some(event) = reader.next_event().unwrap() {
            if event.time().nanos() == middle {
                wall = event.wall_time();
            }
        }
        wall.unwrap().to_string()
    };
    for bound in [
        middle.to_string(),
        format!("{}ns", middle - first),
        wall.clone(),
    ] {
        let before = Criteria {
            to: Some(bound.parse().unwrap()),
            ..Criteria::default()
        };
        let after = Criteria {
            from: Some(bound.parse().unwrap()),
            ..Criteria::default()
        };
        let (before, _) = filtered(&trace, before).unwrap();
        let (after, _) = filtered(&trace, after).unwrap();
        assert_eq!(before, all[..all.len() / 2], "{bound}");
        assert_eq!(after, all[all.len() / 2..], "{bound}");
    }
}

#[test]
fn reading_may_stop_when_the_window_is_past() {
    let trace = clockwork(Version::Go126);
    let mut reader = Reader::new(&trace[..]).unwrap();
    let mut filter = Filter::new(Criteria {
        to: Some("640ns".parse().unwrap()),
        ..Criteria::default()
    });
    let mut first = None;
    while let Some(event) = reader.next_event().unwrap() {
        let first = *first.get_or_insert(event.time());
        let passes = filter.matches(&event).unwrap();
        assert_eq!(passes, event.time().since(first) < 640);
        assert_eq!(filter.is_past_end(), !passes);
    }
    assert!(filter.is_past_end());
}

#[test]
fn wall_times_need_a_clock() {
    let criteria = Criteria {
        from: Some("2026-11-22T00:43:01Z".parse().unwrap()),
        ..Criteria::default()
    };
    let error = filtered(&clockwork(Version::Go123), criteria).unwrap_err();
    assert_eq!(error, FilterError::NoWallClock);
    assert!(error.to_string().contains("1.5s"), "{error}");
}
