//! Runs every saved input through its target, and checks that targets, files and folders match.
#![allow(
    clippy::print_stdout,
    reason = "a failing test prints which input it was"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use exectrace_fuzzing::TARGETS;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The entries of a folder, in order.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut entries: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

fn stems(folder: &Path) -> BTreeSet<String> {
    entries(folder)
        .iter()
        .map(|p| p.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_target_has_a_file_a_program_and_a_corpus() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(stems(&fuzz().join("fuzz_targets")), targets);
    assert_eq!(stems(&fuzz().join("corpus")), targets);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    let programs = manifest.split("[[bin]]").skip(1).map(|bin| {
        let name = bin
            .lines()
            .find_map(|line| line.strip_prefix("name = "))
            .unwrap();
        name.trim_matches('"').to_owned()
    });
    assert_eq!(programs.collect::<BTreeSet<_>>(), targets);
}

#[test]
fn saved_inputs() {
    for (name, target) in TARGETS {
        let inputs = entries(&fuzz().join("corpus").join(name));
        assert!(!inputs.is_empty(), "no inputs for {name}");
        for input in inputs {
            let data = fs::read(&input).unwrap();
            // The input's name is in what a failing test prints.
            println!("{}", input.display());
            target(&data);
        }
    }
}

/// The targets on small real traces, whole and damaged, and on what hand-made ones there are.
#[test]
fn traces() {
    let testdata = fuzz().join("../testdata");
    let folders = [testdata.join("corpus"), testdata.join("edge")];
    let inputs = folders.iter().flat_map(|folder| entries(folder));
    let mut replayed = 0;
    for input in inputs.filter(|p| p.extension().is_some_and(|e| e == "trace")) {
        let data = fs::read(&input).unwrap();
        if data.len() > 20_000 {
            continue;
        }
        println!("{}", input.display());
        TARGETS.iter().for_each(|(_, target)| target(&data));
        replayed += 1;
    }
    assert!(replayed > 100, "{replayed} traces");
}
