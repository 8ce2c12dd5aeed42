//! Profiles, compared with those of `go tool trace -pprof`, and their own laws.

mod support;

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use exectrace_analysis::{
    GoroutineAnalysis, Profile, ProfileKind, ProfileLabels, ProfileOptions, Selection, State, fold,
    to_pprof,
};
use support::pprof::{Decoded, decode};

const KINDS: [(&str, ProfileKind); 4] = [
    ("net", ProfileKind::Net),
    ("sync", ProfileKind::Sync),
    ("syscall", ProfileKind::Syscall),
    ("sched", ProfileKind::Sched),
];

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

fn go_profile(file: &Path) -> Decoded {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(fs::File::open(file).unwrap())
        .read_to_end(&mut bytes)
        .unwrap();
    decode(&bytes)
}

#[test]
fn profiles_have_gos_values() {
    let options = ProfileOptions {
        like_go: true,
        ..ProfileOptions::default()
    };
    let mut compared = 0;
    let mut samples = 0;
    for entry in fs::read_dir(testdata().join("pprof")).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(name) = file.strip_suffix(".pb.gz") else {
            continue;
        };
        let (trace, kind) = name.rsplit_once('.').unwrap();
        let (_, kind) = KINDS.iter().find(|(name, _)| *name == kind).unwrap();
        let bytes = fs::read(testdata().join(format!("corpus/{trace}.trace"))).unwrap();
        let store = support::store(&bytes, false).unwrap();
        let profile = Profile::new(&store, &Selection::default(), *kind, options);
        let ours = decode(&to_pprof(&store, &profile));
        let theirs = go_profile(&path);
        assert_eq!(ours.types, theirs.types);
        let differing = |a: &Decoded, b: &Decoded| -> Vec<_> {
            let stacks = a.by_stack.clone().into_iter();
            stacks
                .filter(|(stack, values)| b.by_stack.get(stack) != Some(values))
                .collect()
        };
        assert_eq!(
            differing(&ours, &theirs),
            differing(&theirs, &ours),
            "{name}"
        );
        // Go has one place for an address, even where the names of two inlined functions share it.
        let places = |decoded: &Decoded| -> Vec<u64> { decoded.places.keys().copied().collect() };
        assert_eq!(places(&ours), places(&theirs), "{name}");
        compared += 1;
        samples += ours.by_stack.len();
    }
    assert!(compared >= 36 && samples >= 400, "{compared}, {samples}");
}

/// Nanoseconds of all states that fit.
fn time_in(store: &exectrace_analysis::Store, fits: impl Fn(State) -> bool) -> u64 {
    store
        .goroutine_indices()
        .flat_map(|goroutine| store.intervals(goroutine))
        .filter(|interval| fits(interval.state))
        .map(|interval| interval.seen.span.nanos())
        .sum()
}

#[test]
fn profiles_sum_to_the_tables() {
    for (name, bytes) in support::corpus().into_iter().chain(support::simulated()) {
        let Some(store) = support::store(&bytes, true) else {
            continue;
        };
        let selection = Selection::default();
        let all = ProfileLabels {
            goroutine: true,
            function: true,
            state: true,
            reason: true,
        };
        let profile = |kind, labels| {
            let options = ProfileOptions {
                labels,
                ..ProfileOptions::default()
            };
            Profile::new(&store, &selection, kind, options)
        };
        let total = |kind| {
            // Labels split samples and change nothing else.
            let plain = profile(kind, ProfileLabels::default()).total_nanos();
            assert_eq!(plain, profile(kind, all).total_nanos(), "{name}");
            plain
        };
        let lives: u64 = GoroutineAnalysis::new(&store, &selection)
            .each()
            .map(|stats| stats.seen.span.nanos())
            .sum();
        assert_eq!(total(ProfileKind::Wall), lives, "{name}");
        let blocked = time_in(&store, |state| state == State::Waiting);
        assert_eq!(total(ProfileKind::Block), blocked, "{name}");
        let waiting = time_in(&store, |state| state == State::Runnable);
        assert_eq!(total(ProfileKind::Sched), waiting, "{name}");
        let off = time_in(&store, |state| {
            !matches!(state, State::Running | State::Unknown)
        });
        assert_eq!(total(ProfileKind::OffCpu), off, "{name}");
        let cpu = profile(ProfileKind::Cpu, all);
        let samples: u64 = cpu.samples.iter().map(|sample| sample.count).sum();
        assert_eq!(samples, store.samples().len() as u64, "{name}");

        // What is written is what was counted.
        let wall = profile(ProfileKind::Wall, all);
        let written = decode(&to_pprof(&store, &wall));
        let sum: u64 = written.by_stack.values().map(|values| values[1]).sum();
        assert_eq!(sum, lives, "{name}");
        for state in State::ALL {
            let label = ("state".to_owned(), state.name().to_owned());
            let found = written.by_label.get(&label).map_or(0, |values| values[1]);
            assert_eq!(found, time_in(&store, |other| other == state), "{name}");
        }
        let folded: u64 = fold(&store, &wall).iter().map(|stack| stack.weight).sum();
        assert_eq!(folded, lives, "{name}");
    }
}
