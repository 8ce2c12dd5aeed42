//! What an event costs with exectrace and with other tracers, in one run: all are on at once, on one
//! thread, and take turns in short runs, so that they share what the machine does at the time.
//!
//! Spans of the peers are two events, a begin and an end, so their figures are halves. Run it with
//! `RUSTFLAGS="-C force-frame-pointers=yes"`, otherwise stacks are one frame deep.
#![forbid(unsafe_code)]

use std::error::Error;
use std::hint::black_box;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use dial9_core::{buffer::SegmentWriter, clock::clock_monotonic_ns, recorder::recorder};
use dial9_trace_format::TraceEvent;
use exectrace::Subscription;
use exectrace::generation::{Consumer, EncodedGeneration, LostGeneration};
use exectrace::raw::{self, Proc, Running};
use exectrace_wire::TaskId;
use tracing_subscriber::layer::SubscriberExt;

/// Runs of each part.
const RUNS: usize = 101;
/// Events in a run.
const EVENTS: u32 = 10_000;

/// The event of the peer that records single events: a time and two numbers.
#[derive(TraceEvent)]
struct Event {
    #[traceevent(timestamp)]
    timestamp_ns: u64,
    a: u64,
    b: u64,
}

/// Takes what was traced and keeps nothing.
struct Nothing;

impl Consumer for Nothing {
    fn generation(&self, _: &Arc<EncodedGeneration>) {}

    fn lost(&self, _: &LostGeneration) {}
}

impl fastrace::collector::Reporter for Nothing {
    fn report(&mut self, _: Vec<fastrace::collector::SpanRecord>) {}
}

fn main() -> Result<(), Box<dyn Error>> {
    // 1. Everybody on.
    exectrace::clock::start();
    let task = Proc::new().start();
    let created = task.create();
    let running = task.run(created);
    let tracing_session = Subscription::session(Arc::new(Nothing))?;
    let dial9 = recorder(SegmentWriter::new(64 << 20)?).build();
    fastrace::set_reporter(Nothing, fastrace::collector::Config::default());
    puffin::set_scopes_on(true);
    let _tracy = tracy_client::Client::start();
    let (chrome, _flush) = tracing_chrome::ChromeLayerBuilder::new()
        .writer(io::sink())
        .build();
    let subscriber = tracing_subscriber::registry().with(chrome);
    tracing::subscriber::set_global_default(subscriber)?;

    // 2. In turns.
    let handle = dial9.handle().clone();
    let mut parts = parts(&running, &handle);
    let mut nanos = vec![Vec::with_capacity(RUNS); parts.len()];
    for _ in 0..RUNS {
        for ((_, part), nanos) in parts.iter_mut().zip(&mut nanos) {
            nanos.push(part());
        }
        puffin::GlobalProfiler::lock().new_frame();
    }

    // 3. Medians, and how they compare with a look at the clock.
    let medians = nanos.iter_mut().map(|nanos| {
        nanos.sort_by(f64::total_cmp);
        nanos[RUNS / 2]
    });
    let medians: Vec<f64> = medians.collect();
    println!("| an event of | ns | times the clock |\n|---|---|---|");
    for ((name, _), median) in parts.iter().zip(&medians) {
        println!("| {name} | {median:.1} | {:.1} |", median / medians[0]);
    }
    drop(parts);
    tracing_session.end()?;
    drop(running);
    Ok(())
}

type Part<'a> = (&'static str, Box<dyn FnMut() -> f64 + 'a>);

fn parts<'a>(running: &'a Running, dial9: &'a dial9_core::handle::Dial9Handle) -> Vec<Part<'a>> {
    vec![
        (
            "the clock alone",
            Box::new(|| {
                time(|| {
                    black_box(exectrace::clock::now());
                })
            }),
        ),
        (
            "exectrace, without a stack",
            Box::new(|| time(|| running.heap_alloc(black_box(1 << 20)))),
        ),
        (
            "exectrace, with a stack of 10 frames",
            Box::new(|| deep(8, &|| time(|| raw::task_end(black_box(TaskId(7)))))),
        ),
        (
            "dial9-core, `record_event` of two numbers",
            Box::new(|| {
                time(|| {
                    dial9.record_event_with(|| Event {
                        timestamp_ns: clock_monotonic_ns(),
                        a: black_box(1),
                        b: black_box(2),
                    });
                })
            }),
        ),
        (
            "fastrace, half a local span",
            Box::new(|| {
                let context = fastrace::collector::SpanContext::random();
                let root = fastrace::Span::root("root", context);
                let _guard = root.set_local_parent();
                half(|| drop(fastrace::local::LocalSpan::enter_with_local_parent("span")))
            }),
        ),
        (
            "puffin, half a scope",
            Box::new(|| {
                half(|| {
                    puffin::profile_scope!("scope");
                })
            }),
        ),
        (
            "tracy-client, half a span",
            Box::new(|| half(|| drop(tracy_client::span!("span")))),
        ),
        (
            "tracing with tracing-chrome, half a span",
            Box::new(|| half(|| drop(tracing::info_span!("span").entered()))),
        ),
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
    for _ in 0..EVENTS {
        f();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(EVENTS)
}

/// The same for what is two events.
fn half(f: impl FnMut()) -> f64 {
    time(f) / 2.0
}
