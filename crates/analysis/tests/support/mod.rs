//! What the tests share.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod pprof;
pub(crate) mod syscalls;

use std::{fs, path::PathBuf};

use exectrace_analysis::Store;
use exectrace_reader::{Options, Reader};
use exectrace_testkit::sim::{Size, simulate};
use exectrace_wire::Version;

/// The store of a trace that must have a sound header.
pub(crate) fn store(bytes: &[u8], salvage: bool) -> Option<Store> {
    let options = Options::default().salvage(salvage);
    let mut reader = Reader::with_options(bytes, options).ok()?;
    Some(Store::read(&mut reader).unwrap())
}

/// A folder with real traces: that of the project, and the larger one where it is at hand.
fn folders() -> Vec<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared = std::env::var_os("EXECTRACE_SHARED").map(PathBuf::from);
    let mut folders = vec![root.join("testdata/corpus")];
    folders.extend(shared.map(|shared| shared.join("corpus")));
    folders
}

/// Real traces, whole and damaged, by name: the project's, or also those of a larger corpus if
/// `EXECTRACE_SHARED` says where it is.
pub(crate) fn corpus() -> Vec<(String, Vec<u8>)> {
    let mut traces = Vec::new();
    for folder in folders() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|extension| extension == "trace")
            {
                let name = path.with_extension("").display().to_string();
                traces.push((name, fs::read(&path).unwrap()));
            }
        }
    }
    traces.sort();
    assert!(traces.len() >= 100);
    traces
}

/// Simulated programs, by name.
pub(crate) fn simulated() -> impl Iterator<Item = (String, Vec<u8>)> {
    let busy = Size {
        version: Version::Go126,
        threads: 12,
        procs: 8,
        goroutines: 30,
        steps: 3000,
        generation_steps: 400,
        skew: 100,
    };
    let small = Version::V2
        .into_iter()
        .flat_map(|version| (0..60).map(move |seed| (seed, Size::small(version))));
    small
        .chain((0..6).map(move |seed| (seed, busy)))
        .map(|(seed, size)| {
            let bytes = simulate(seed, size).layout.to_bytes();
            (format!("seed {seed}, {size:?}"), bytes)
        })
}
