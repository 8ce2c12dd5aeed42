//! What goroutines spend their time on, compared with Go's own summaries.
//!
//! Where the numbers differ, the difference is one of docs/differences-from-go.md, and it is checked
//! that it is exactly that.

mod support;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    io::Read as _,
    path::PathBuf,
};

use exectrace_analysis::{
    GoroutineAnalysis, GoroutineIx, GoroutineStats, Interval, Measure, RangeKind, Selection, State,
    Store,
};
use exectrace_reader::GoroutineId;
use exectrace_wire::{Family, parse_header};
use serde_json::Value;
use support::syscalls::{self, Rules, Times};

/// Go's summary of a trace, if there is one.
fn summary(trace: &str) -> Option<Value> {
    let file = fs::File::open(PathBuf::from(format!("{trace}.summary.json.gz"))).ok()?;
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(file)
        .read_to_string(&mut text)
        .unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

/// The differences that were found, by name.
type Found = BTreeMap<&'static str, usize>;

struct Case<'a> {
    name: &'a str,
    store: &'a Store,
    by_our_rules: HashMap<GoroutineId, Times>,
    by_their_rules: HashMap<GoroutineId, Times>,
    found: &'a mut Found,
}

impl Case<'_> {
    fn note(&mut self, difference: &'static str) {
        *self.found.entry(difference).or_default() += 1;
    }

    fn check(&mut self, summary: &Value) {
        let store = self.store;
        let selection = Selection::default();
        let analysis = GoroutineAnalysis::new(store, &selection);
        // 1. Goroutines by id. Of an id that C code used again, Go has the last life only.
        let mut by_id: BTreeMap<u64, GoroutineIx> = BTreeMap::new();
        for goroutine in store.goroutine_indices() {
            let id = store.goroutine(goroutine).id.0;
            if by_id.insert(id, goroutine).is_some() {
                self.note("lives of one id");
            }
        }
        let theirs = summary["goroutines"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        let their_ids: BTreeSet<u64> = theirs.iter().map(|g| g["id"].as_u64().unwrap()).collect();
        let our_ids: BTreeSet<u64> = by_id.keys().copied().collect();
        assert_eq!(our_ids, their_ids, "{}", self.name);
        // 2. Their times.
        for theirs in theirs {
            let goroutine = by_id[&theirs["id"].as_u64().unwrap()];
            self.check_goroutine(&analysis.stats(goroutine), theirs);
        }
    }

    fn check_goroutine(&mut self, ours: &GoroutineStats, theirs: &Value) {
        let store = self.store;
        let context = format!("{}: goroutine {}", self.name, theirs["id"]);
        let goroutine = store.goroutine(ours.goroutine);
        let text = |string| store.symbols().string(string).to_string();
        let number = |key: &str| theirs[key].as_i64().unwrap();
        let intervals: Vec<Interval> = store.intervals(ours.goroutine).collect();
        let first = intervals.first().unwrap();
        let last = intervals.last().unwrap();

        // 1. Name and life.
        assert_eq!(
            goroutine.function.map(text).unwrap_or_default(),
            theirs["name"].as_str().unwrap(),
            "{context}"
        );
        assert_eq!(
            goroutine.seen.span.start.nanos(),
            number("creation"),
            "{context}"
        );
        let starts_running = first.seen.open_start && first.state == State::Running;
        if starts_running {
            // Go has the time at which that was reported.
            assert!(
                ours.first_run.unwrap().nanos() <= number("start"),
                "{context}"
            );
        } else {
            let start = ours.first_run.map_or(0, |time| time.nanos());
            assert_eq!(start, number("start"), "{context}");
        }
        // Go takes blocking for ever for the end.
        let for_ever = match last {
            last if last.state == State::Waiting && text(last.reason) == "forever" => {
                self.note("forever");
                assert_eq!(last.seen.span.start.nanos(), number("end"), "{context}");
                last.seen.span.nanos() as i64
            }
            _ => {
                let end = goroutine.seen.end().map_or(0, |time| time.nanos());
                assert_eq!(end, number("end"), "{context}");
                0
            }
        };
        let total = ours.seen.span.nanos() as i64;
        assert_eq!(total - for_ever, number("total"), "{context}");

        // 2. The parts of the life.
        let time = |measure| ours.time(measure).nanos as i64;
        assert_eq!(time(Measure::Execution), number("exec"), "{context}");
        let mut blocked: BTreeMap<String, i64> = BTreeMap::new();
        for (measure, spells) in &ours.times {
            if let Measure::Blocked(reason) = measure
                && text(*reason) != "forever"
            {
                blocked.insert(text(*reason), spells.nanos as i64);
            }
        }
        let their_blocked: BTreeMap<String, i64> = theirs["block"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(reason, nanos)| (reason.clone(), nanos.as_i64().unwrap()))
            .collect();
        assert_eq!(blocked, their_blocked, "{context}");
        self.check_syscalls(ours, theirs, &context);

        // 3. Ranges.
        let ranges: BTreeMap<String, i64> = ours
            .ranges
            .iter()
            .map(|(kind, spells)| (range_name(store, *kind), spells.nanos as i64))
            .collect();
        let their_ranges: BTreeMap<String, i64> = theirs["range"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(kind, nanos)| (kind.clone(), nanos.as_i64().unwrap()))
            .collect();
        assert_eq!(ranges, their_ranges, "{context}");
    }

    /// Scheduler wait and system calls. Go's rules give Go's numbers, ours give ours.
    fn check_syscalls(&mut self, ours: &GoroutineStats, theirs: &Value, context: &str) {
        let id = self.store.goroutine(ours.goroutine).id;
        let number = |key: &str| theirs[key].as_i64().unwrap();
        let time = |measure| ours.time(measure).nanos as i64;
        let by_ours = self.by_our_rules[&id];
        let by_theirs = self.by_their_rules[&id];
        let found = Times {
            with_proc: time(Measure::Syscall),
            without_proc: time(Measure::SyscallWithoutProc),
            wait: 0,
        };
        assert_eq!(found, by_ours, "{context}");
        let found = Times {
            with_proc: number("syscall"),
            without_proc: number("syscall_block"),
            wait: number("sched_wait") - time(Measure::SchedulerWait),
        };
        assert_eq!(found, by_theirs, "{context}");
        if by_ours != by_theirs {
            self.note("system calls");
        }
    }
}

fn range_name(store: &Store, kind: RangeKind) -> String {
    match kind {
        RangeKind::GcConcurrentMark => "GC concurrent mark phase".to_owned(),
        RangeKind::GcIncrementalSweep => "GC incremental sweep".to_owned(),
        RangeKind::GcMarkAssist => "GC mark assist".to_owned(),
        RangeKind::StopTheWorld(reason) => {
            format!("stop-the-world ({})", store.symbols().string(reason))
        }
    }
}

#[test]
fn goroutines_spend_their_time_as_go_says() {
    let mut found = Found::new();
    let mut compared = 0;
    for (name, bytes) in support::corpus() {
        let Some(summary) = summary(&name) else {
            continue;
        };
        // Of events at one tick of an older trace Go takes whichever its hash map yields first, and
        // times differ by as much.
        if parse_header(&bytes).is_ok_and(|version| version.family() == Family::V1) {
            continue;
        }
        let Some(store) = support::store(&bytes, false) else {
            continue;
        };
        let mut case = Case {
            name: &name,
            store: &store,
            by_our_rules: syscalls::times(&bytes, Rules::Ours),
            by_their_rules: syscalls::times(&bytes, Rules::Go),
            found: &mut found,
        };
        case.check(&summary);
        compared += 1;
    }
    assert!(compared >= 90, "only {compared} compared");
    // These are there in some trace of each corpus, or it would not be known whether they still are
    // differences.
    for difference in ["forever", "system calls"] {
        assert!(found.contains_key(difference), "{found:?}");
    }
}
