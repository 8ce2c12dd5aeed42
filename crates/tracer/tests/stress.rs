//! Many threads, short generations, tracing that comes and goes: every event is in a trace or counted
//! as dropped, and every trace is valid.
//!
//! `EXECTRACE_STRESS_SESSIONS` is how many traces are made; 15 by default.

mod support;

use std::{
    collections::{BTreeMap, VecDeque},
    env,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use exectrace::{
    Memory, Settings, Subscription,
    raw::{self, Proc, ProcHandle, Returned, Runnable, Running, RunningProc, Waiting},
};
use exectrace_reader::{EventKind, Reader};
use exectrace_testkit::Rng;
use exectrace_wire::TaskId;
use support::{alone, valid};

/// Goroutines on their way between threads.
#[derive(Default)]
struct World {
    runnable: Mutex<VecDeque<Runnable>>,
    waiting: Mutex<VecDeque<Waiting>>,
    procs: Mutex<Vec<Proc>>,
    calling: Mutex<Vec<ProcHandle>>,
    stop: AtomicBool,
    /// How many logs were written.
    logged: AtomicU64,
}

impl World {
    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn proc(&self) -> Proc {
        let proc = self.procs.lock().unwrap().pop();
        proc.unwrap_or_default()
    }
}

/// Logs a serial number of the thread.
struct Logger {
    thread: u64,
    next: u64,
}

impl Logger {
    fn log(&mut self, world: &World) {
        let message = format!("{} {}", self.thread, self.next);
        self.next += 1;
        raw::log(TaskId::BACKGROUND, "serial", &message);
        world.logged.fetch_add(1, Ordering::Relaxed);
    }
}

fn work(world: &World, seed: u64) {
    let mut rng = Rng::new(seed);
    let mut logger = Logger {
        thread: seed,
        next: 0,
    };
    while !world.is_over() {
        let proc = world.proc().start();
        let proc = on_proc(world, proc, &mut rng, &mut logger);
        world.procs.lock().unwrap().push(proc.stop());
        // With fewer events there are more generations.
        thread::sleep(Duration::from_micros(rng.below(20_000)));
        if rng.below(20) == 0 {
            return;
        }
    }
}

fn on_proc(
    world: &World,
    mut proc: RunningProc,
    rng: &mut Rng,
    logger: &mut Logger,
) -> RunningProc {
    for _ in 0..rng.below(50) {
        let next = world.runnable.lock().unwrap().pop_front();
        let task = match next {
            Some(task) => task,
            None if rng.below(2) == 0 => proc.create(),
            None => {
                let waiting = world.waiting.lock().unwrap().pop_front();
                match waiting {
                    Some(waiting) => waiting.unblock(),
                    None => proc.create(),
                }
            }
        };
        proc = on_goroutine(world, proc.run(task), rng, logger);
    }
    proc
}

fn on_goroutine(
    world: &World,
    mut running: Running,
    rng: &mut Rng,
    logger: &mut Logger,
) -> RunningProc {
    for _ in 0..rng.below(20) {
        match rng.below(16) {
            0 => world.runnable.lock().unwrap().push_back(running.create()),
            1 => world
                .waiting
                .lock()
                .unwrap()
                .push_back(running.create_blocked()),
            2 => drop(running.create()),
            3 => {
                let Some(waiting) = world.waiting.lock().unwrap().pop_front() else {
                    continue;
                };
                world.runnable.lock().unwrap().push_back(waiting.unblock());
            }
            4 => {
                let Some(next) = world.waiting.lock().unwrap().pop_front() else {
                    continue;
                };
                let (next, waiting) = running.switch(next);
                world.waiting.lock().unwrap().push_back(waiting);
                running = next;
            }
            5 => {
                let Some(next) = world.waiting.lock().unwrap().pop_front() else {
                    continue;
                };
                running = running.switch_exit(next);
            }
            6..=8 => {
                let call = running.syscall();
                if let Some(handle) = call.proc_handle() {
                    world.calling.lock().unwrap().push(handle);
                }
                if rng.below(4) == 0 {
                    thread::yield_now();
                }
                running = match call.end() {
                    Returned::Running(running) => running,
                    Returned::Lost(task) => {
                        let proc = world.proc().start();
                        proc.run(task)
                    }
                };
            }
            9 => {
                if rng.below(4) == 0 {
                    running = running.syscall().end_on(world.proc());
                }
            }
            10 => {
                let stolen = world.calling.lock().unwrap().pop();
                if let Some(proc) = stolen.and_then(|handle| handle.steal()) {
                    world.procs.lock().unwrap().push(proc);
                }
            }
            11 => {
                let assist = running.mark_assist();
                logger.log(world);
                drop(assist);
                let sweep = running.sweep();
                logger.log(world);
                sweep.end(2, 1);
            }
            12 if rng.below(50) == 0 => {
                let stopped = running.stop_the_world("testing");
                logger.log(world);
                drop(stopped);
                if let Some(mark) = running.mark() {
                    logger.log(world);
                    drop(mark);
                }
            }
            13 => {
                if raw::region_begin(TaskId::BACKGROUND, "region") {
                    logger.log(world);
                    raw::region_end(TaskId::BACKGROUND, "region");
                }
            }
            _ => logger.log(world),
        }
    }
    match rng.below(3) {
        0 => {
            let (proc, task) = running.block("testing");
            world.waiting.lock().unwrap().push_back(task);
            proc
        }
        1 => {
            let (proc, task) = running.stop("testing");
            world.runnable.lock().unwrap().push_back(task);
            proc
        }
        _ => running.exit(),
    }
}

/// The serials in a trace, by thread.
fn serials(trace: &[u8]) -> BTreeMap<u64, Vec<u64>> {
    let mut reader = Reader::new(trace).unwrap();
    let mut serials: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    while let Some(event) = reader.next_event().unwrap() {
        if let EventKind::Log(log) = event.kind() {
            let message = log.message.to_string();
            let (thread, serial) = message.split_once(' ').unwrap();
            let serials = serials.entry(thread.parse().unwrap()).or_default();
            serials.push(serial.parse().unwrap());
        }
    }
    serials
}

/// Each thread's serials in a trace are consecutive: nothing in between is missing.
fn check_serials(trace: &[u8]) -> u64 {
    let mut count = 0;
    for (thread, serials) in serials(trace) {
        let first = serials[0];
        let expected: Vec<u64> = (first..first + serials.len() as u64).collect();
        assert_eq!(serials, expected, "of thread {thread}");
        count += serials.len() as u64;
    }
    count
}

fn sessions() -> u64 {
    let sessions = env::var("EXECTRACE_STRESS_SESSIONS");
    sessions.ok().and_then(|s| s.parse().ok()).unwrap_or(15)
}

/// Whatever happens to the control, the workers end.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Lets `threads` work, dying and being born, while `control` does what it likes.
///
/// Returns how many there were, and how many logs they have written.
fn with_workers(threads: u64, control: impl FnOnce()) -> (u64, u64) {
    let world = World::default();
    let born = AtomicU64::new(threads);
    thread::scope(|scope| {
        fn spawn<'a>(
            scope: &'a thread::Scope<'a, '_>,
            world: &'a World,
            born: &'a AtomicU64,
            seed: u64,
        ) {
            scope.spawn(move || {
                work(world, seed);
                if !world.is_over() {
                    spawn(scope, world, born, born.fetch_add(1, Ordering::Relaxed));
                }
            });
        }
        for seed in 0..threads {
            spawn(scope, &world, &born, seed);
        }
        let _stop = StopOnDrop(&world.stop);
        control();
    });
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    (count(&born), count(&world.logged))
}

/// Sessions of a few milliseconds, with generations of one.
#[test]
fn sessions_come_and_go() {
    let _turn = alone();
    let mut settings = Settings::default();
    settings.period = Duration::from_millis(1);
    exectrace::configure(&settings);
    let before = exectrace::stats();
    let mut traces = Vec::new();
    let (born, _) = with_workers(64, || {
        let mut rng = Rng::new(1);
        for _ in 0..sessions() {
            let memory = Arc::new(Memory::new());
            let tracing = Subscription::session(memory.clone()).unwrap();
            thread::sleep(Duration::from_micros(rng.below(8000)));
            tracing.end().unwrap();
            assert_eq!(memory.lost(), []);
            traces.push(memory.trace());
            // Checking takes much longer than writing, and writing is what is tested.
            thread::sleep(Duration::from_micros(rng.below(2000)));
        }
    });
    exectrace::configure(&Settings::default());
    let (mut events, mut logs) = (0, 0);
    for trace in &traces {
        events += valid(trace);
        logs += check_serials(trace);
    }
    let after = exectrace::stats();
    assert_eq!(after.leaked_tokens, before.leaked_tokens);
    assert_eq!(after.nested_events, before.nested_events);
    assert_eq!(after.homeless_events, before.homeless_events);
    let summary = format!(
        "{} traces, {events} events, {logs} logs, {} generations, {born} threads",
        traces.len(),
        after.generations - before.generations
    );
    assert!(logs > 0, "{summary}");
}

/// One session around everything: all logs are in the trace.
#[test]
fn nothing_is_missing() {
    let _turn = alone();
    let mut settings = Settings::default();
    settings.period = Duration::from_millis(1);
    exectrace::configure(&settings);
    let memory = Arc::new(Memory::new());
    let tracing = Subscription::session(memory.clone()).unwrap();
    let (_, logged) = with_workers(16, || thread::sleep(Duration::from_millis(8 * sessions())));
    tracing.end().unwrap();
    exectrace::configure(&Settings::default());
    assert_eq!(memory.lost(), []);
    let trace = memory.trace();
    valid(&trace);
    let all = serials(&trace);
    for (thread, serials) in &all {
        let expected: Vec<u64> = (0..serials.len() as u64).collect();
        assert_eq!(*serials, expected, "of thread {thread}");
    }
    let found: usize = all.values().map(Vec::len).sum();
    assert_eq!(found as u64, logged);
    assert!(logged > 0);
}
