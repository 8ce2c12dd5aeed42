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
    GoroutineAnalysis, GoroutineIx, GoroutineStats, Interval, Measure, RangeKind, RegionStats,
    Selection, State, Store, TaskAnalysis, TaskStats, regions,
};
use exectrace_reader::{GoroutineId, Time};
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
    regions: Vec<RegionStats>,
    regions_compared: usize,
    tasks_compared: usize,
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
        // 2. Tasks.
        self.check_tasks(summary, &by_id);
        // 3. Their times.
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

        // 3. Regions.
        self.check_regions(ours.goroutine, theirs, &context);

        // 4. Ranges.
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

    /// Regions of a goroutine: Go has one without a name for the task that it inherits, which begins
    /// when the goroutine is created.
    fn check_regions(&mut self, goroutine: GoroutineIx, theirs: &Value, context: &str) {
        let store = self.store;
        let id = store.goroutine(goroutine).id;
        let created = theirs["creation"].as_i64();
        let is_inherited = |region: &Value| {
            region["name"].as_str() == Some("") && region["start"].as_i64() == created
        };
        let theirs: Vec<&Value> = theirs["regions"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|region| !is_inherited(region))
            .collect();
        let mut ours: Vec<&RegionStats> = self
            .regions
            .iter()
            .filter(|stats| store.region(stats.region).goroutine == goroutine)
            .collect();
        // Goroutines of the runtime have none for Go.
        let function = store.goroutine(goroutine).function;
        let name = function.map_or(String::new(), |name| {
            store.symbols().string(name).to_string()
        });
        if name.is_empty() || name.starts_with("runtime.") && name != "runtime.main" {
            ours.retain(|stats| !stats.seen.open_end);
        }
        ours.sort_by_key(|stats| store.region(stats.region).start);
        assert_eq!(ours.len(), theirs.len(), "{context}");
        for (ours, theirs) in ours.into_iter().zip(theirs) {
            let region = store.region(ours.region);
            let name = store.symbols().string(region.name).to_string();
            assert_eq!(name, theirs["name"].as_str().unwrap(), "{context}");
            let task = region.task.map_or(0, |task| store.task(task).id.0);
            assert_eq!(task, theirs["task"].as_u64().unwrap(), "{context}");
            let start = region.start.map(|time| time.nanos());
            assert_eq!(start, theirs["start"].as_i64(), "{context}: {name}");
            if let Some(end) = region.end {
                assert_eq!(
                    Some(end.nanos()),
                    theirs["end"].as_i64(),
                    "{context}: {name}"
                );
            }
            let for_ever = ours.times.iter().any(|(measure, _)| match measure {
                Measure::Blocked(reason) => store.symbols().string(*reason) == "forever",
                _ => false,
            });
            if for_ever || self.by_our_rules[&id] != self.by_their_rules[&id] {
                continue;
            }
            let number = |key: &str| theirs[key].as_u64().unwrap();
            let time = |measure| {
                let mut times = ours.times.iter();
                let found = times.find(|(other, _)| *other == measure);
                found.map_or(0, |(_, spells)| spells.nanos)
            };
            assert_eq!(ours.seen.span.nanos(), number("total"), "{context}: {name}");
            let found = [
                time(Measure::Execution),
                time(Measure::SchedulerWait),
                time(Measure::Syscall),
                time(Measure::SyscallWithoutProc),
            ];
            let expected = ["exec", "sched_wait", "syscall", "syscall_block"].map(number);
            assert_eq!(found, expected, "{context}: {name}");
            let blocked: u64 = ours
                .times
                .iter()
                .filter(|(measure, _)| matches!(measure, Measure::Blocked(_)))
                .map(|(_, spells)| spells.nanos)
                .sum();
            let expected = theirs["block"].as_object().unwrap().values();
            let expected: u64 = expected.map(|nanos| nanos.as_u64().unwrap()).sum();
            assert_eq!(blocked, expected, "{context}: {name}");
            self.regions_compared += 1;
        }
    }

    fn check_tasks(&mut self, summary: &Value, by_id: &BTreeMap<u64, GoroutineIx>) {
        let store = self.store;
        let selection = Selection::default();
        let analysis = TaskAnalysis::new(store, &selection);
        let all: Vec<TaskStats> = analysis.each().collect();
        let ours: BTreeMap<u64, &TaskStats> = all
            .iter()
            .map(|stats| (store.task(stats.task).id.0, stats))
            .collect();
        let theirs: Vec<&Value> = summary["tasks"]
            .as_array()
            .into_iter()
            .flatten()
            // The background task.
            .filter(|task| task["id"].as_u64() != Some(0))
            .collect();
        assert_eq!(ours.len(), theirs.len(), "{}", self.name);
        for theirs in theirs {
            let context = format!("{}: task {}", self.name, theirs["id"]);
            let ours = ours[&theirs["id"].as_u64().unwrap()];
            let row = store.task(ours.task);
            let kind = store.symbols().string(row.kind).to_string();
            assert_eq!(kind, theirs["name"].as_str().unwrap(), "{context}");
            let time = |time: Option<Time>| time.map(Time::nanos);
            assert_eq!(time(row.start), theirs["start"].as_i64(), "{context}");
            assert_eq!(time(row.end), theirs["end"].as_i64(), "{context}");
            assert_eq!(
                Some(ours.seen.is_complete()),
                theirs["complete"].as_bool(),
                "{context}"
            );
            let parent = row.parent.map(|parent| store.task(parent).id.0);
            assert_eq!(parent, theirs["parent"].as_u64(), "{context}");
            assert_eq!(Some(ours.logs), theirs["logs"].as_u64(), "{context}");
            assert_eq!(Some(ours.regions), theirs["regions"].as_u64(), "{context}");
            let list = |key: &str| -> BTreeSet<u64> {
                let list = theirs[key].as_array().into_iter().flatten();
                list.filter_map(Value::as_u64).collect()
            };
            let children = analysis.children(ours.task).iter();
            let children: BTreeSet<u64> = children.map(|child| store.task(*child).id.0).collect();
            assert_eq!(children, list("children"), "{context}");
            let goroutines = ours.goroutines.iter();
            let goroutines: BTreeSet<u64> = goroutines
                .map(|goroutine| store.goroutine(*goroutine).id.0)
                .collect();
            assert!(goroutines.iter().all(|id| by_id.contains_key(id)));
            assert_eq!(goroutines, list("goroutines"), "{context}");
            self.tasks_compared += 1;
        }
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
    let (mut compared, mut regions_compared, mut tasks_compared) = (0, 0, 0);
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
            regions: regions(&store, &Selection::default()).collect(),
            regions_compared: 0,
            tasks_compared: 0,
            found: &mut found,
        };
        case.check(&summary);
        compared += 1;
        regions_compared += case.regions_compared;
        tasks_compared += case.tasks_compared;
    }
    assert!(compared >= 90, "only {compared} compared");
    assert!(regions_compared >= 500, "only {regions_compared} regions");
    assert!(tasks_compared >= 250, "only {tasks_compared} tasks");
    // These are there in some trace of each corpus, or it would not be known whether they still are
    // differences.
    for difference in ["forever", "system calls"] {
        assert!(found.contains_key(difference), "{found:?}");
    }
}
