//! `exectrace demo`: a trace of this very command, to look at.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use exectrace::{
    Region, Session, Task, iter,
    sink::Sink,
    sync::{Mutex, RwLock, mpsc},
    thread,
};

use super::{info, validate};
use crate::{
    args::Global,
    error::{Failure, Outcome},
    input::Source,
    output,
};

/// Threads that work on requests.
const WORKERS: usize = 4;

/// Requests that there are.
const REQUESTS: u64 = 200;

/// Record a small program with several threads, check its trace and describe it
#[derive(Debug, Args)]
#[command(after_help = "\
The program hands requests to four threads over a channel. They wait for a lock that one of them
holds for too long, and walk over numbers with a pull iterator.

Examples:
  exectrace demo && exectrace blocking demo.trace
  exectrace demo -o d.trace && go tool trace d.trace")]
pub(crate) struct DemoArgs {
    /// Where the trace goes. A file of that name is replaced
    #[arg(short, long, value_name = "FILE", default_value = "demo.trace", value_hint = ValueHint::FilePath)]
    output: PathBuf,
}

pub(crate) fn run(args: &DemoArgs, global: &Global) -> Result<Outcome, Failure> {
    // 1. Record.
    let name = args.output.display();
    let session = Session::start(Sink::path(&args.output));
    let session = session.map_err(|error| Failure::open(&name, error))?;
    thread::register_current("main");
    let sum = program();
    let written = session.stop();
    let written = written.map_err(|error| Failure::open(&name, error))?;
    output::print(&format!(
        "{name}: {} bytes, of a program that worked on {REQUESTS} requests and got {sum}\n\n",
        written.bytes
    ))?;

    // 2. Check and describe.
    let source = Source::File(args.output.clone());
    let outcome = validate::run(&validate::ValidateArgs::of(source.clone()), global)?;
    output::print("\n")?;
    Ok(outcome.max(info::run(&info::InfoArgs::of(source), global)?))
}

/// A request and what it asks for.
struct Request {
    task: Task,
    number: u64,
}

/// What is traced: the sum of the answers.
fn program() -> u64 {
    let (to_workers, requests) = mpsc::sync_channel::<Request>(8);
    let requests = Mutex::new(requests);
    let (sum, limits) = (Mutex::new(0), RwLock::new(1000));
    thread::scope(|scope| {
        for n in 1..=WORKERS {
            let (requests, sum, limits) = (&requests, &sum, &limits);
            let worker = thread::Builder::new().name(format!("worker {n}"));
            let worker = worker.spawn_scoped(scope, move || work(requests, sum, limits));
            // With fewer threads it takes longer.
            drop(worker);
        }
        for number in 0..REQUESTS {
            let task = Task::new("request");
            exectrace::log!(task: task, "number", "{number}");
            if number % 50 == 0 {
                *limits.write().unwrap_or_else(|e| e.into_inner()) += 1;
            }
            if to_workers.send(Request { task, number }).is_err() {
                break;
            }
        }
        drop(to_workers);
    });
    sum.into_inner().unwrap_or_default()
}

/// Works on requests until there are no more.
fn work(requests: &Mutex<mpsc::Receiver<Request>>, sum: &Mutex<u64>, limits: &RwLock<u64>) {
    loop {
        let request = match requests.lock() {
            Ok(requests) => requests.recv(),
            Err(_) => return,
        };
        let Ok(Request { task, number }) = request else {
            return;
        };
        let _region = task.region("answer");
        let limit = limits.read().map_or(0, |limit| *limit);
        let squares = Region::run("squares", || {
            squares(number).take_while(|n| *n < limit).sum()
        });
        let answer: u64 = squares;
        if let Ok(mut sum) = sum.lock() {
            if number % 40 == 0 {
                exectrace::log!(task: task, "slow", "keeps the lock for a millisecond");
                thread::sleep(std::time::Duration::from_millis(1));
            }
            *sum += answer;
        }
    }
}

/// The squares from a number on, one by one.
fn squares(from: u64) -> iter::Pull<u64> {
    iter::pull(move |yielder| {
        for n in from.. {
            if !yielder.give(n.saturating_mul(n)) {
                return;
            }
        }
    })
}
