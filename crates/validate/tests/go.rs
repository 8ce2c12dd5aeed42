//! Our verdict on Go's rules against that of Go's own validator, trace by trace.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use exectrace_reader::Reader;
use exectrace_validate::{Report, Rule, Severity, Validator};
use exectrace_wire::{Family, parse_header};

/// What Go says about a trace, by the trace's folder and name.
#[derive(Debug)]
struct Verdict {
    verdict: String,
    /// The events before it: those that are sound, or that were read.
    events: u64,
    /// The validator's objections to one event.
    objections: Vec<String>,
}

/// Where we part with Go, and why.
const DIFFERENCES: [(&str, &str); 2] = [
    (
        "edge/P10",
        "Go crashes on a stop-the-world that ends in the generation after; we read on",
    ),
    (
        "edge/S12",
        "Go crashes on a batch of an unknown experiment; we read on",
    ),
];

fn verdicts() -> BTreeMap<String, Verdict> {
    include_str!("data/go-verdicts.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let mut fields = line.split('\t');
            let mut field = || fields.next().unwrap_or_default().to_owned();
            let (name, verdict) = (field(), field());
            let events = field().parse().unwrap();
            let objections = field().split(" | ").map(str::to_owned).collect();
            let verdict = Verdict {
                verdict,
                events,
                objections,
            };
            (name, verdict)
        })
        .collect()
}

/// Traces of the v2 family, by folder and name: the large collection if it is there
/// (`EXECTRACE_SHARED`, or `shared` beside the workspace), else the workspace's selection.
fn traces() -> Vec<(String, Vec<u8>)> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared =
        env::var_os("EXECTRACE_SHARED").map_or_else(|| workspace.join("../shared"), PathBuf::from);
    let root = if shared.join("corpus").is_dir() {
        shared
    } else {
        workspace.join("testdata")
    };
    let mut traces = Vec::new();
    for folder in ["corpus", "edge"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_none_or(|extension| extension != "trace")
            {
                continue;
            }
            let trace = fs::read(&path).unwrap();
            if parse_header(&trace).is_ok_and(|version| version.family() == Family::V2) {
                let name = path.file_stem().unwrap().to_str().unwrap();
                traces.push((format!("{folder}/{name}"), trace));
            }
        }
    }
    assert!(traces.len() > 60, "only {} traces", traces.len());
    traces.sort();
    traces
}

/// The report on a trace, and whether all of it could be read.
fn validate(trace: &[u8]) -> (Report, bool) {
    let mut reader = Reader::new(trace).unwrap();
    let mut validator = Validator::new(reader.version());
    loop {
        match reader.next_event() {
            Ok(Some(event)) => {
                validator.check(&event);
            }
            Ok(None) => return (validator.finish(), true),
            Err(_) => return (validator.finish(), false),
        }
    }
}

/// The rule behind a message of Go's.
fn rule(message: &str) -> Rule {
    let rules = [
        ("has no clock snapshot", Rule::ClockMissing),
        ("has non-increasing", Rule::ClockOrder),
        ("must have thread", Rule::NoThread),
        ("transition to undetermined state", Rule::ToUndetermined),
    ];
    rules
        .into_iter()
        .find(|(part, _)| message.contains(part))
        .unwrap_or_else(|| panic!("no rule for {message}"))
        .1
}

/// What Go would say: it stops at the first event to which its validator objects, or at an error.
fn as_go_would(report: &Report, complete: bool) -> (&'static str, u64, Vec<Rule>) {
    let mut objections: Vec<_> = report
        .violations()
        .iter()
        .filter(|violation| violation.rule.severity() == Severity::Go)
        .collect();
    let first = objections.iter().map(|violation| violation.event).min();
    match first {
        Some(first) => {
            objections.retain(|violation| violation.event == first);
            let rules = objections.iter().map(|violation| violation.rule).collect();
            ("objects", first, rules)
        }
        None if complete => ("valid", report.events(), Vec::new()),
        None => ("error", report.events(), Vec::new()),
    }
}

#[test]
fn our_verdict_on_gos_rules_is_gos() {
    let verdicts = verdicts();
    let mut failures = Vec::new();
    for (name, trace) in traces() {
        let go = &verdicts[&name];
        let (report, complete) = validate(&trace);
        let ours = as_go_would(&report, complete);
        let rules = match &*go.verdict {
            "objects" => go.objections.iter().map(|text| rule(text)).collect(),
            _ => Vec::new(),
        };
        let agree = ours == (&*go.verdict, go.events, rules);
        let is_known = DIFFERENCES.iter().any(|(known, _)| *known == name);
        if agree == is_known {
            failures.push(format!("{name}: ours {ours:?}, Go's {go:?}\n{report}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Where no sound producer's rule is broken, they are rules indeed: they hold for whatever Go
/// itself writes, in all its versions.
#[test]
fn sound_traces_break_no_strict_rule() {
    let verdicts = verdicts();
    let mut failures = Vec::new();
    let mut sound = 0;
    for (name, trace) in traces() {
        if name.starts_with("edge/") || verdicts[&name].verdict != "valid" {
            continue;
        }
        sound += 1;
        let (report, _) = validate(&trace);
        if report.worst() >= Some(Severity::Strict) {
            failures.push(format!("{name}:\n{report}"));
        }
    }
    assert!(sound > 40, "only {sound} sound traces");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
