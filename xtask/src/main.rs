//! `cargo xtask TASK`: see [`TASKS`].
#![forbid(unsafe_code)]
#![allow(clippy::print_stderr, reason = "usage and errors go to the terminal")]

use std::process::ExitCode;

use xtask::run::Step;
use xtask::{Outcome, bench, ci, fuzz, root, tidy};

/// A task: its name and arguments, what it does, the function.
type Task = (&'static str, &'static str, fn(&[String]) -> Outcome);

const TASKS: &[Task] = &[
    (
        "ci",
        "everything that continuous integration does, in order",
        ci::run,
    ),
    (
        "tidy",
        "conventions that the compiler does not check",
        tidy::run,
    ),
    (
        "golden",
        "write the golden files anew from what the code does now",
        golden,
    ),
    (
        "fuzz [TARGET] [--minutes N] [--list]",
        "run fuzz targets, each N minutes",
        fuzz::run,
    ),
    (
        "loom",
        "every order of the steps of the tracer's lock-free parts",
        loom,
    ),
    (
        "bench [--help]",
        "compare with Go's tools; a Markdown table",
        bench::run,
    ),
    (
        "oracle ARGS...",
        "ask Go's own parser (testdata/go-oracle)",
        oracle,
    ),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let name = args.first().map_or("", String::as_str);
    let Some((_, _, task)) = TASKS
        .iter()
        .find(|(usage, ..)| usage.split(' ').next() == Some(name))
    else {
        eprintln!("cargo xtask TASK\n");
        for (usage, what, _) in TASKS {
            eprintln!("  {usage:38} {what}");
        }
        return ExitCode::from(2);
    };
    match task(&args[1..]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask {name}: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Golden tests rewrite their files when `UPDATE_GOLDEN` is set; what changed is for a person to
/// read in `git diff`.
fn golden(args: &[String]) -> Outcome {
    Step::new("cargo")
        .args(["test", "--workspace", "--no-fail-fast"])
        .args(args)
        .env("UPDATE_GOLDEN", "1")
        .run()?;
    Step::new("git").args(["status", "--short"]).run()
}

/// The models in `crates/tracer`: loom runs each through the orders in which its threads may take
/// their steps.
fn loom(args: &[String]) -> Outcome {
    Step::new("cargo")
        .args(["test", "--package", "exectrace", "--lib", "--release"])
        .args(["--target-dir", "target/loom", "model"])
        .args(args)
        .env("RUSTFLAGS", "--cfg loom")
        .run()
}

fn oracle(args: &[String]) -> Outcome {
    Step::new(root().join("testdata/go-oracle"))
        .args(args)
        .run()
}
