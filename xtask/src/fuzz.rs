//! Fuzzing with cargo-fuzz and the toolchain that is there.
//!
//! The code has no unsafe blocks, so sanitizers would find nothing that a panic does not; without
//! them, cargo-fuzz needs no nightly. Debug assertions and overflow checks are on.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::Step;
use crate::{Outcome, root};

const USAGE: &str = "usage: cargo xtask fuzz [TARGET...] [--minutes N] [--minimize | --list]

Runs the targets (all, without any) one after another, N minutes each (1). New inputs go to
fuzz/grown/TARGET, which is not committed. --minimize replaces fuzz/corpus/TARGET by the smallest
part of both folders that reaches the same code.";

/// What to do with a target.
enum Work {
    /// Look for inputs that break it, for so many minutes.
    Run(f64),
    Minimize,
    List,
}

/// Runs targets, all or those named.
///
/// # Errors
///
/// If a target fails, does not exist, or cargo-fuzz is missing.
pub fn run(args: &[String]) -> Outcome {
    let known = targets()?;
    let (mut targets, work) = parse(args)?;
    if let Some(unknown) = targets.iter().find(|t| !known.contains(t)) {
        return Err(format!(
            "no target {unknown}; there are: {}",
            known.join(", ")
        ));
    }
    if targets.is_empty() {
        targets.clone_from(&known);
    }
    if let Work::List = work {
        println!("{}", known.join("\n"));
        return Ok(());
    }
    Step::new("cargo")
        .args(["fuzz", "--version"])
        .quiet()
        .run()
        .map_err(|_| "cargo-fuzz is missing: cargo install cargo-fuzz".to_owned())?;
    for target in &targets {
        println!("== {target}");
        match work {
            Work::Run(minutes) => fuzz(target, minutes)?,
            Work::Minimize => minimize(target)?,
            Work::List => {}
        }
    }
    Ok(())
}

fn parse(args: &[String]) -> Outcome<(Vec<String>, Work)> {
    let (mut targets, mut work) = (Vec::new(), Work::Run(1.0));
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--minutes" => {
                let minutes = args
                    .next()
                    .and_then(|n| n.parse().ok())
                    .filter(|n| *n > 0.0);
                work = Work::Run(minutes.ok_or(USAGE)?);
            }
            "--minimize" => work = Work::Minimize,
            "--list" => work = Work::List,
            option if option.starts_with('-') => return Err(USAGE.to_owned()),
            target => targets.push(target.to_owned()),
        }
    }
    Ok((targets, work))
}

/// The targets: the files in `fuzz/fuzz_targets`.
fn targets() -> Outcome<Vec<String>> {
    let folder = root().join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut targets: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    targets.sort();
    Ok(targets)
}

fn folder(kind: &str, target: &str) -> PathBuf {
    root().join("fuzz").join(kind).join(target)
}

fn create(folder: &Path) -> Outcome {
    fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))
}

/// A run of a target; the first of the folders is where it writes.
fn step(target: &str, folders: &[&Path], options: &[&str]) -> Step {
    Step::new("cargo")
        .args([
            "fuzz",
            "run",
            target,
            "--sanitizer",
            "none",
            "--debug-assertions",
        ])
        .args(folders)
        .args(["--", "-timeout=20", "-rss_limit_mb=2048", "-max_len=65536"])
        .args(options)
}

fn fuzz(target: &str, minutes: f64) -> Outcome {
    let (grown, corpus) = (folder("grown", target), folder("corpus", target));
    create(&grown)?;
    let seconds = format!("-max_total_time={}", (minutes * 60.0).ceil());
    step(
        target,
        &[&grown, &corpus],
        &[&seconds, "-print_final_stats=1"],
    )
    .run()
}

/// Merges into a new folder, which then takes the place of the corpus.
fn minimize(target: &str) -> Outcome {
    let (grown, corpus) = (folder("grown", target), folder("corpus", target));
    let minimized = folder("grown", &format!("{target}.minimized"));
    create(&grown)?;
    create(&minimized)?;
    step(target, &[&minimized, &corpus, &grown], &["-merge=1"]).run()?;
    let replace = || {
        fs::remove_dir_all(&corpus)?;
        fs::rename(&minimized, &corpus)
    };
    replace().map_err(|e| format!("{}: {e}", corpus.display()))
}
