//! `stack_loop`: what the parts of an event with a stack cost: the clock, the walk, the stack table. Build it
//! with `RUSTFLAGS="-C force-frame-pointers=yes"`, otherwise there is nothing to walk.
//!
//! Each figure is the median over many short runs, which alternate between the parts, so that they share
//! what the machine does at the time.
#![forbid(unsafe_code)]

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use exectrace::block::Pool;
use exectrace::clock;
use exectrace::stack::{Captured, Here, Own, Symboliser, Table, walk};

/// Runs of each part.
const RUNS: usize = 301;
/// Repetitions in a run.
const REPETITIONS: u32 = 2_000;
/// Different stacks of 10 frames in the table beside the one that is looked for.
const OTHER_STACKS: usize = 1_000;

type Part<'a> = (&'static str, Box<dyn FnMut() -> f64 + 'a>);

fn main() -> ExitCode {
    clock::start();
    let method = walk::method();
    let pool: &'static Pool = Box::leak(Box::new(Pool::new(usize::MAX)));
    let table = Table::new(pool, 64 << 20);
    for n in 0..OTHER_STACKS {
        table.put(&Captured::from_addresses(&made_up(n)));
    }
    let at_depth = |frames: usize, f: &'static (dyn Fn(&Table) + Sync)| {
        let table = &table;
        move || {
            deep(frames.saturating_sub(frames_here(table)), &|| {
                time(|| black_box(f)(table))
            })
        }
    };
    let mut parts: Vec<Part<'_>> = vec![
        (
            "counter (floor)",
            Box::new(|| {
                time(|| {
                    black_box(clock::source());
                })
            }),
        ),
        (
            "clock::now",
            Box::new(|| {
                time(|| {
                    black_box(clock::now());
                })
            }),
        ),
        ("walk, 10 frames", Box::new(at_depth(10, &walked))),
        ("walk, 30 frames", Box::new(at_depth(30, &walked))),
        ("put, known, 10 frames", {
            let stack = Captured::from_addresses(&made_up(7));
            let table = &table;
            Box::new(move || {
                time(|| {
                    black_box(table.put(black_box(&stack)));
                })
            })
        }),
        ("put, new, 10 frames", Box::new(|| new_stacks(pool))),
        (
            "walk + put, 10 frames",
            Box::new(at_depth(10, &walked_and_put)),
        ),
        (
            "walk + put, 30 frames",
            Box::new(at_depth(30, &walked_and_put)),
        ),
        ("now + walk + put, 10 frames", {
            Box::new(at_depth(10, &|table| {
                black_box(clock::now());
                walked_and_put(table);
            }))
        }),
    ];
    parts.push(("unwind tables, 10 frames", {
        let walk = at_depth(10, &walked);
        Box::new(move || {
            walk::use_unwind_tables(true);
            let ns = walk();
            walk::use_unwind_tables(false);
            ns
        })
    }));
    parts.push(("clock::refine", Box::new(|| time(clock::refine))));
    parts.push((
        "clock::snapshot",
        Box::new(|| {
            time(|| {
                black_box(clock::snapshot());
            })
        }),
    ));
    let mut samples = vec![vec![]; parts.len()];
    for _ in 0..RUNS {
        for ((_, part), samples) in parts.iter_mut().zip(&mut samples) {
            samples.push(part());
        }
    }
    let medians: Vec<f64> = samples
        .iter_mut()
        .map(|samples| {
            samples.sort_by(f64::total_cmp);
            samples[samples.len() / 2]
        })
        .collect();
    let names: Vec<&str> = parts.iter().map(|(name, _)| *name).collect();
    print(&names, &medians, &format!("{method:?}"));
    symbolise();
    ExitCode::SUCCESS
}

#[allow(clippy::print_stdout, reason = "the measurement is the output")]
fn print(names: &[&str], medians: &[f64], method: &str) {
    println!("stacks by {method}");
    for (name, ns) in names.iter().zip(medians) {
        println!("{name:30} {ns:8.2} ns {:6.2} x floor", ns / medians[0]);
    }
}

/// What it takes to find the frames of a stack for the first time, of others in the same program, and
/// of what is known.
#[allow(clippy::print_stdout, reason = "the measurement is the output")]
fn symbolise() {
    let mut symboliser = Symboliser::new(Own::TRACER);
    let mut frames = vec![];
    let mut measure = |title: &str, addresses: &[usize]| {
        frames.clear();
        let start = Instant::now();
        symboliser.stack(addresses, &mut frames);
        let us = start.elapsed().as_secs_f64() * 1e6;
        let (addresses, frames) = (addresses.len(), frames.len());
        println!("{title:30} {us:8.1} us for {frames} frames of {addresses} addresses");
    };
    let code = main as fn() -> ExitCode as usize;
    let addresses: Vec<usize> = (0..100).map(|n| code + 1 + 16 * n).collect();
    measure("symbolise, the first", &addresses[..1]);
    measure("symbolise, others", &addresses);
    measure("symbolise, known", &addresses);
}

/// Nanoseconds a repetition.
fn time(mut part: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..REPETITIONS {
        part();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(REPETITIONS)
}

/// Ten addresses like a program's.
fn made_up(n: usize) -> [usize; 10] {
    std::array::from_fn(|i| 0x5555_5555_0000 + i * 0x1234 + if i < 3 { n * 0x40 } else { 0 })
}

fn new_stacks(pool: &'static Pool) -> f64 {
    let table = Table::new(pool, 64 << 20);
    let mut n = 0;
    time(|| {
        n += 1;
        black_box(table.put(&Captured::from_addresses(&made_up(n))));
    })
}

/// Frames of a walk in a part that is run without further calls.
fn frames_here(table: &Table) -> usize {
    static FRAMES: AtomicUsize = AtomicUsize::new(0);
    let counted: &(dyn Fn(&Table) + Sync) = &|_| {
        let mut stack = Captured::new();
        walk::capture(Here::now(), &mut stack);
        FRAMES.store(stack.addresses().len(), Ordering::Relaxed);
    };
    deep(0, &|| time(|| black_box(counted)(table)));
    FRAMES.load(Ordering::Relaxed)
}

/// Runs a part in so many calls more.
#[inline(never)]
fn deep(calls: usize, part: &dyn Fn() -> f64) -> f64 {
    let ns = if black_box(calls) > 0 {
        deep(calls - 1, part)
    } else {
        part()
    };
    black_box(ns)
}

fn walked(_: &Table) {
    let mut stack = Captured::new();
    walk::capture(Here::now(), &mut stack);
    black_box(stack.hash());
}

fn walked_and_put(table: &Table) {
    let mut stack = Captured::new();
    walk::capture(Here::now(), &mut stack);
    black_box(table.put(&stack));
}
