//! `event_loop`: what an event costs, from the caller's side: tracing on and off, with a stack and without,
//! on one thread and on two. Build it with `RUSTFLAGS="-C force-frame-pointers=yes"`, otherwise stacks are
//! one frame deep.
//!
//! Each figure is the median over many short runs, which alternate between the parts, so that they share
//! what the machine does at the time.
#![forbid(unsafe_code)]

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::{
    Arc, Barrier,
    atomic::{AtomicU64, Ordering},
};
use std::thread;
use std::time::Instant;

use exectrace::Subscription;
use exectrace::clock;
use exectrace::generation::{Consumer, EncodedGeneration, LostGeneration};
use exectrace::raw::{self, Proc, Running};
use exectrace_wire::TaskId;

/// Runs of each part.
const RUNS: usize = 101;
/// Repetitions in a run.
const REPETITIONS: u32 = 10_000;
/// Events of each thread when several write at once.
const TOGETHER: u32 = 2_000_000;

/// Counts, and keeps nothing.
#[derive(Default)]
struct Count {
    events: AtomicU64,
    bytes: AtomicU64,
}

impl Consumer for Count {
    fn generation(&self, generation: &Arc<EncodedGeneration>) {
        self.events.fetch_add(generation.events, Ordering::Relaxed);
        let bytes = generation.bytes.len() as u64;
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn lost(&self, _: &LostGeneration) {}
}

type Part<'a> = (&'static str, Box<dyn FnMut() -> f64 + 'a>);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), exectrace::ControlError> {
    clock::start();
    let task = Proc::new().start();
    let created = task.create();
    let running = task.run(created);
    let floor = measure(&mut parts(&running), "off", 1.0);

    let count = Arc::new(Count::default());
    let tracing = Subscription::session(count.clone())?;
    measure(&mut parts(&running), "on", floor);
    tracing.end()?;
    print(&bytes(&count, "all of the above"));

    for (name, event) in [
        ("without a stack", without_stack as fn(u32)),
        ("with a stack", with_stack),
    ] {
        let count = Arc::new(Count::default());
        let tracing = Subscription::session(count.clone())?;
        let one = together(1, event);
        let two = together(2, event);
        tracing.end()?;
        print(&format!(
            "{name}: {one:.1} M events/s on one thread, {two:.1} on two: {:.2} times",
            two / one
        ));
        print(&bytes(&count, name));
    }
    drop(running);
    Ok(())
}

fn bytes(count: &Count, what: &str) -> String {
    let (events, bytes) = (
        count.events.load(Ordering::Relaxed),
        count.bytes.load(Ordering::Relaxed),
    );
    format!(
        "{what}: {:.2} bytes an event of {events}",
        bytes as f64 / events as f64
    )
}

fn parts(running: &Running) -> Vec<Part<'_>> {
    vec![
        (
            "clock::now (floor)",
            Box::new(|| {
                time(|| {
                    black_box(clock::now());
                })
            }),
        ),
        (
            "event without stack",
            Box::new(|| time(|| running.heap_alloc(black_box(1 << 20)))),
        ),
        (
            "event with 10 frames",
            Box::new(|| deep(8, &|| time(|| raw::task_end(black_box(TaskId(7)))))),
        ),
        (
            "log, one frame",
            Box::new(|| time(|| raw::log(TaskId::BACKGROUND, "category", black_box("message")))),
        ),
        ("transition without stack", Box::new(transitions)),
    ]
}

/// Calls `f` that many frames deeper.
#[inline(never)]
fn deep(frames: usize, f: &dyn Fn() -> f64) -> f64 {
    if frames == 0 {
        return f();
    }
    // What comes after the call keeps it from being a jump.
    black_box(deep(frames - 1, f))
}

/// Nanoseconds a repetition.
fn time(mut f: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..REPETITIONS {
        f();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(REPETITIONS)
}

/// A thread's proc that stops and starts: two events.
fn transitions() -> f64 {
    thread::spawn(|| {
        let mut proc = Some(Proc::new());
        time(|| proc = proc.take().map(|proc| proc.start().stop())) / 2.0
    })
    .join()
    .unwrap_or(f64::NAN)
}

/// Prints the medians and returns the first.
fn measure(parts: &mut [Part<'_>], state: &str, floor: f64) -> f64 {
    let mut figures = vec![Vec::new(); parts.len()];
    for _ in 0..RUNS {
        for ((_, part), figures) in parts.iter_mut().zip(&mut figures) {
            figures.push(part());
        }
    }
    let mut first = None;
    for ((name, _), figures) in parts.iter().zip(&mut figures) {
        figures.sort_by(f64::total_cmp);
        let median = figures[figures.len() / 2];
        let first = *first.get_or_insert(median);
        print(&format!(
            "{state:4} {name:28} {median:7.2} ns, {:5.2} times the clock",
            median / first
        ));
    }
    first.unwrap_or(floor)
}

fn without_stack(n: u32) {
    let proc = Proc::new().start();
    for i in 0..n {
        proc.heap_alloc(u64::from(i));
    }
}

fn with_stack(n: u32) {
    let proc = Proc::new().start();
    let created = proc.create();
    let _running = proc.run(created);
    for _ in 0..n {
        raw::task_end(TaskId(7));
    }
}

/// Millions of events a second, of all threads.
fn together(threads: usize, event: fn(u32)) -> f64 {
    let barrier = Barrier::new(threads + 1);
    let start = thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                event(1000);
                barrier.wait();
                event(TOGETHER);
            });
        }
        barrier.wait();
        Instant::now()
    });
    threads as f64 * f64::from(TOGETHER) / start.elapsed().as_secs_f64() / 1e6
}

#[allow(clippy::print_stdout, reason = "the measurement is the output")]
fn print(line: &str) {
    println!("{line}");
}
