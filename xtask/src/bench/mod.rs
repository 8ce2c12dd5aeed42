//! Our loops and dumps against Go's, on the same traces, in one go.
//!
//! 1. Traces are made by our own Go programs, once, in `bench/out`.
//! 2. Each round runs every contender once, so that what disturbs the machine disturbs all.
//! 3. The table has medians with the range, peak memory, and the ratio of medians.
//!
//! Loops time themselves, without the start of their process; dumps go to `/dev/null` and are timed
//! from start to exit. Memory is the kernel's high-water mark of resident memory, sampled every few
//! milliseconds while the program runs.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::Step;
use crate::{Outcome, root};

mod measure;
mod table;

use measure::{Contender, Run, measure};

const USAGE: &str = "usage: cargo xtask bench [--rounds N] [--big-rounds N] [--quick] [TRACE...]
       cargo xtask bench events

Without TRACEs, makes and measures mix and web of 100 MB with N rounds (5), and mix of 1 GB with its
own N (1; it shows memory). --quick leaves out Go's dumps, which take most of the time.
The table goes to standard output and bench/out/benchmarks.md, every run to bench/out/runs.tsv.

events measures what it costs to trace an event, with exectrace and with other tracers.";

/// What the command line asks for.
struct Plan {
    rounds: usize,
    big_rounds: usize,
    quick: bool,
    traces: Vec<PathBuf>,
}

/// What an event costs the program that is traced. Stacks need frame pointers.
fn measure_events() -> Outcome {
    let peers = root().join("bench/peers/Cargo.toml");
    let peers = peers
        .to_str()
        .ok_or("the path of bench/peers is no UTF-8")?;
    for program in [
        &["--package", "exectrace-bench", "--bin", "event_loop"][..],
        &["--manifest-path", peers, "--locked"],
    ] {
        Step::new("cargo")
            .args(["run", "--release"])
            .args(program)
            .env("RUSTFLAGS", "-C force-frame-pointers=yes")
            .run()?;
    }
    Ok(())
}

/// A trace from this size on is measured `big_rounds` times.
const BIG_BYTES: u64 = 500_000_000;

/// Measures, and prints the table.
///
/// # Errors
///
/// If something cannot be built or run, or two loops disagree about how many events there are.
pub fn run(args: &[String]) -> Outcome {
    if args == ["events"] {
        return measure_events();
    }
    let mut plan = parse(args)?;
    if plan.traces.is_empty() {
        plan.traces = make_traces()?;
    }
    let contenders = build(plan.quick)?;
    let load = load_average();
    let mut runs = Vec::new();
    for trace in &plan.traces {
        let bytes = fs::metadata(trace)
            .map_err(|e| format!("{}: {e}", trace.display()))?
            .len();
        let rounds = if bytes < BIG_BYTES {
            plan.rounds
        } else {
            plan.big_rounds
        };
        // Every contender finds the trace in the page cache.
        fs::read(trace).map_err(|e| format!("{}: {e}", trace.display()))?;
        for round in 0..rounds {
            for contender in &contenders {
                eprintln!(
                    "{} round {} of {rounds}: {}",
                    name(trace),
                    round + 1,
                    contender.name()
                );
                runs.push(measure(contender, trace, bytes)?);
            }
        }
        check_counts(&runs)?;
    }
    let report = table::report(&contenders, &runs, load)?;
    print!("{report}");
    write("benchmarks.md", &report)?;
    write("runs.tsv", &table::tsv(&runs))
}

fn parse(args: &[String]) -> Outcome<Plan> {
    let mut plan = Plan {
        rounds: 5,
        big_rounds: 1,
        quick: false,
        traces: Vec::new(),
    };
    let mut args = args.iter();
    let count = |next: Option<&String>| -> Outcome<usize> {
        next.and_then(|n| n.parse().ok())
            .filter(|n| *n > 0)
            .ok_or_else(|| USAGE.to_owned())
    };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--rounds" => plan.rounds = count(args.next())?,
            "--big-rounds" => plan.big_rounds = count(args.next())?,
            "--quick" => plan.quick = true,
            option if option.starts_with('-') => return Err(USAGE.to_owned()),
            trace => plan.traces.push(PathBuf::from(trace)),
        }
    }
    Ok(plan)
}

fn out() -> PathBuf {
    root().join("bench/out")
}

fn write(file: &str, text: &str) -> Outcome {
    let path = out().join(file);
    fs::create_dir_all(out())
        .and_then(|()| fs::write(&path, text))
        .map_err(|e| format!("{}: {e}", path.display()))
}

fn name(trace: &Path) -> String {
    trace
        .file_stem()
        .unwrap_or(trace.as_os_str())
        .to_string_lossy()
        .into_owned()
}

/// The traces, made on first use.
fn make_traces() -> Outcome<Vec<PathBuf>> {
    let go = format!("{} go", root().join("testdata/go-oracle").display());
    let mut traces = Vec::new();
    for (program, megabytes) in [("mix", 100), ("web", 100), ("mix", 1000)] {
        let trace = out().join(format!("go1.27-{program}.{megabytes}.trace"));
        if !trace.is_file() {
            Step::new(root().join("testdata/regenerate"))
                .args([
                    go.as_str(),
                    "bench/out",
                    &format!("big:{program}:{megabytes}"),
                ])
                .run()?;
        }
        traces.push(trace);
    }
    Ok(traces)
}

/// Builds both sides; Go's and ours of a task are next to each other.
fn build(quick: bool) -> Outcome<Vec<Contender>> {
    let packages = ["-p", "exectrace-bench", "-p", "exectrace-cli"];
    Step::new("cargo")
        .args(["build", "--release", "--locked"])
        .args(packages)
        .run()?;
    let oracle = root().join("testdata/go-oracle");
    let go = |program: &str| {
        let path = Step::new(&oracle).args(["path", program]).output()?;
        Ok::<_, String>(path.trim_end().to_owned())
    };
    let (go_oracle, go_trace) = (go("oracle")?, go("trace")?);
    let ours = |program: &str| format!("{}/release/{program}", target_folder());
    let (reader, raw, exectrace) = (ours("reader_loop"), ours("raw_loop"), ours("exectrace"));

    let mut contenders = vec![
        Contender::loop_of("ordered events", "Go", &[&go_oracle, "loop"]),
        Contender::loop_of("ordered events", "exectrace, 1 thread", &[&reader]),
        Contender::loop_of(
            "ordered events",
            "exectrace, 2 threads",
            &[&reader, "--overlapped"],
        ),
        Contender::loop_of("raw records", "Go", &[&go_oracle, "rawcount"]),
        Contender::loop_of("raw records", "exectrace, 1 thread", &[&raw]),
        Contender::loop_of(
            "raw records",
            "exectrace, 2 threads",
            &[&raw, "--overlapped"],
        ),
        Contender::dump("text of ordered events", "Go", &[&go_trace, "-d=parsed"]),
        Contender::dump("text of ordered events", "exectrace", &[&exectrace, "dump"]),
        Contender::dump("text of raw records", "Go", &[&go_trace, "-d=wire"]),
        Contender::dump(
            "text of raw records",
            "exectrace",
            &[&exectrace, "dump", "--format=wire"],
        ),
        Contender::dump(
            "JSON of ordered events",
            "exectrace",
            &[&exectrace, "dump", "--format=json"],
        ),
    ];
    if quick {
        contenders.retain(|c| !(c.is_dump && c.side == "Go"));
    }
    Ok(contenders)
}

fn target_folder() -> String {
    std::env::var("CARGO_TARGET_DIR")
        .unwrap_or_else(|_| root().join("target").to_string_lossy().into_owned())
}

/// Work that is not the same cannot be compared: loops of a task must see the same events.
fn check_counts(runs: &[Run]) -> Outcome {
    for run in runs {
        let same = |other: &&Run| other.task == run.task && other.trace == run.trace;
        if let Some(other) = runs
            .iter()
            .filter(same)
            .find(|other| other.events != run.events)
        {
            return Err(format!("{run:?} and {other:?} disagree about the events"));
        }
    }
    Ok(())
}

/// The load of the machine before the measurements, where the system tells.
fn load_average() -> Option<String> {
    let loads = fs::read_to_string("/proc/loadavg").ok()?;
    Some(loads.split(' ').next()?.to_owned())
}
