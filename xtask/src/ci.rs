//! What continuous integration does, in order. `.ci/run` only installs what this needs.

use std::path::PathBuf;
use std::time::Instant;

use crate::run::Step;
use crate::{Outcome, root};

/// Runs every step, even after one that failed, and reports them all at the end.
///
/// # Errors
///
/// Names the steps that failed.
pub fn run(_args: &[String]) -> Outcome {
    let mut report = Vec::new();
    for (name, step) in steps() {
        println!("\n== {name}: {}", step.shown());
        let start = Instant::now();
        let outcome = step.run();
        report.push((name, start.elapsed(), outcome));
    }
    println!("\n== steps");
    for (name, elapsed, outcome) in &report {
        let verdict = if outcome.is_ok() { "ok" } else { "FAILED" };
        println!("{name:28} {:6.1} s  {verdict}", elapsed.as_secs_f64());
    }
    let failed: Vec<&str> = report
        .iter()
        .filter(|(.., o)| o.is_err())
        .map(|(name, ..)| *name)
        .collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("failed: {}", failed.join(", ")))
    }
}

fn steps() -> Vec<(&'static str, Step)> {
    let cargo = |args: &str| Step::new("cargo").args(args.split(' '));
    let mut steps = vec![
        ("format", cargo("fmt --all --check")),
        ("tidy", cargo("xtask tidy")),
        (
            "lints",
            cargo("clippy --workspace --all-targets -- -D warnings"),
        ),
        (
            "documentation",
            cargo("doc --workspace --no-deps").env("RUSTDOCFLAGS", "-D warnings"),
        ),
        // The second of README's two commands, as a newcomer runs it.
        ("tests", cargo("test --workspace --no-fail-fast")),
        ("models", cargo("xtask loom")),
        // The first one, on its embedded trace.
        (
            "command",
            cargo("run --release -- info testdata/corpus/go1.27-web.trace"),
        ),
    ];
    match shared() {
        Some(folder) => {
            // Optimized, with overflow checks and debug assertions: see Cargo.toml.
            let step = cargo("test --profile checked --workspace --no-fail-fast");
            let step = step.env("EXECTRACE_SHARED", folder);
            steps.push(("differential tests", step));
        }
        None => println!("skipped: differential tests, since there is no corpus in ../shared"),
    }
    // What the goldens claim of Go, and what the simulator takes for valid, Go confirms.
    let example =
        |args: &str| cargo("run --package exectrace-testkit --example").args(args.split(' '));
    steps.push(("goldens, asked of Go", example("golden")));
    let unchanged = Step::new("git").args(["diff", "--exit-code", "--", "testdata/golden"]);
    steps.push(("goldens, as Go said", unchanged));
    steps.push(("simulations, asked of Go", example("simulate -- 0 50")));
    let asked = "test -p exectrace-mend --test gaps -- --ignored";
    steps.push(("bridges, asked of Go", cargo(asked)));
    let asked = "test -p exectrace-rewrite --test round_trip -- --ignored";
    steps.push(("rewriting, asked of Go", cargo(asked)));
    // Stacks are walked along frame pointers, which the other builds do not have.
    let stacks = cargo("test --package exectrace --lib stack::")
        .env("RUSTFLAGS", "-C force-frame-pointers=yes")
        .env("CARGO_TARGET_DIR", root().join("target/frame-pointers"));
    steps.push(("stacks", stacks));
    let fuzz = "check --locked --manifest-path fuzz/Cargo.toml --bins";
    steps.push(("fuzz targets", cargo(fuzz)));
    steps
}

/// The large corpus: `EXECTRACE_SHARED`, or the folder `shared` beside the workspace.
fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("EXECTRACE_SHARED")
        .map_or_else(|| root().join("../shared"), PathBuf::from);
    let folder = folder.canonicalize().ok()?;
    folder
        .join("corpus/MANIFEST.jsonl")
        .is_file()
        .then_some(folder)
}
