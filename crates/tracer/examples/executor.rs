//! An async executor, written by hand and traced completely: `cargo run --example executor FILE`.
//!
//! Several threads poll tasks, a timer wakes some of them and channels wake others. What the executor
//! tells the tracer are the calls into `exectrace::raw`, and there is no way to tell it in another
//! order: a task has its token in the place of its state.

#![allow(clippy::print_stdout, reason = "says what it did")]

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::{Future, poll_fn},
    mem,
    pin::Pin,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use exectrace::{
    Session,
    raw::{self, Proc, Returned, Runnable, Running, RunningProc, Syscall, Waiting},
    sink::Sink,
};
use exectrace_wire::GoroutineId;

/// What the tasks share.
pub(crate) struct Executor {
    queue: Mutex<Queue>,
    /// There is something to run, or nothing will ever be again.
    changed: Condvar,
    timer: Mutex<Sender<(Instant, Waker)>>,
    /// Who woke whom, by their numbers in the trace, in no particular order.
    wakes: Mutex<Vec<WokenBy>>,
}

/// Who was woken, and by whom.
pub(crate) type WokenBy = (GoroutineId, Option<GoroutineId>);

#[derive(Default)]
struct Queue {
    ready: VecDeque<(Arc<Task>, Runnable)>,
    /// Tasks that have not ended.
    alive: usize,
}

struct Task {
    executor: Arc<Executor>,
    future: Mutex<Pin<Box<dyn Future<Output = ()> + Send>>>,
    state: Mutex<State>,
}

enum State {
    /// Nobody has to do anything for it to run, or to end.
    Settled,
    /// It is being polled; whether it was woken meanwhile.
    Polled { woken: bool },
    /// It waits to be woken.
    Parked(Waiting),
}

thread_local! {
    /// What runs on the thread.
    static CURRENT: RefCell<Option<Running>> = const { RefCell::new(None) };
    /// What the task that is being polled waits for.
    static REASON: Cell<&'static str> = const { Cell::new("future") };
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let mut state = lock(&self.state);
        match mem::replace(&mut *state, State::Settled) {
            State::Parked(waiting) => {
                let woken_by = (waiting.id(), raw::current_goroutine());
                lock(&self.executor.wakes).push(woken_by);
                let runnable = waiting.unblock();
                drop(state);
                Arc::clone(&self).enqueue(runnable);
            }
            State::Polled { .. } => *state = State::Polled { woken: true },
            State::Settled => {}
        }
    }
}

impl Task {
    fn enqueue(self: Arc<Self>, runnable: Runnable) {
        let executor = Arc::clone(&self.executor);
        lock(&executor.queue).ready.push_back((self, runnable));
        executor.changed.notify_one();
    }

    /// Polls it once, and leaves it ended, parked or in the queue.
    fn run(self: Arc<Self>, proc: RunningProc, runnable: Runnable) -> RunningProc {
        // 1. While it is polled, wakers leave its token alone.
        *lock(&self.state) = State::Polled { woken: false };
        CURRENT.set(Some(proc.run(runnable)));
        let waker = Waker::from(Arc::clone(&self));
        let result = lock(&self.future)
            .as_mut()
            .poll(&mut Context::from_waker(&waker));
        let running = CURRENT.take().expect("it was put there above");

        // 2. What is to become of it is decided at once with what the trace says.
        let mut state = lock(&self.state);
        let woken = matches!(*state, State::Polled { woken: true });
        *state = State::Settled;
        if result.is_ready() {
            let proc = running.exit();
            lock(&self.executor.queue).alive -= 1;
            self.executor.changed.notify_all();
            proc
        } else if woken {
            let (proc, runnable) = running.stop("yield");
            drop(state);
            self.enqueue(runnable);
            proc
        } else {
            let (proc, waiting) = running.block(REASON.replace("future"));
            *state = State::Parked(waiting);
            proc
        }
    }
}

impl Executor {
    /// Has a future polled to its end. To be called where something runs: it is the creator.
    fn spawn(self: &Arc<Self>, future: impl Future<Output = ()> + Send + 'static) {
        let runnable = CURRENT.with_borrow(|current| current.as_ref().map(Running::create));
        let runnable = runnable.expect("tasks are created by tasks");
        lock(&self.queue).alive += 1;
        let task = Arc::new(Task {
            executor: Arc::clone(self),
            future: Mutex::new(Box::pin(future)),
            state: Mutex::new(State::Settled),
        });
        task.enqueue(runnable);
    }

    /// Runs tasks until all have ended. While there is nothing to run, the thread has no proc.
    fn work(&self) {
        let mut proc = Proc::new().start();
        while let Some((task, runnable)) = {
            let mut queue = lock(&self.queue);
            if queue.ready.is_empty() {
                let idle = proc.stop();
                let is_early = |queue: &mut Queue| queue.ready.is_empty() && queue.alive > 0;
                queue = self
                    .changed
                    .wait_while(queue, is_early)
                    .unwrap_or_else(PoisonError::into_inner);
                proc = idle.start();
            }
            queue.ready.pop_front()
        } {
            proc = task.run(proc, runnable);
        }
        drop(proc.stop());
    }

    /// Wakes who slept long enough, until nobody can sleep any more. A thread without a proc: for the
    /// trace it is in a system call.
    fn time(requests: &mpsc::Receiver<(Instant, Waker)>) {
        let timer = Syscall::create();
        let mut sleepers: Vec<(Instant, Waker)> = vec![];
        loop {
            let now = Instant::now();
            for (_, waker) in sleepers.extract_if(.., |(until, _)| *until <= now) {
                waker.wake();
            }
            let next = sleepers.iter().map(|(until, _)| *until).min();
            let patience = next.map_or(Duration::from_secs(3600), |until| until - now);
            match requests.recv_timeout(patience) {
                Ok(sleeper) => sleepers.push(sleeper),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        drop(timer);
    }

    /// Ends when the time has come.
    async fn sleep(&self, duration: Duration) {
        let until = Instant::now() + duration;
        poll_fn(|context| {
            if Instant::now() >= until {
                return Poll::Ready(());
            }
            REASON.set("timer");
            // The timer is there until all tasks have ended.
            let _ = lock(&self.timer).send((until, context.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

/// A queue between tasks, with one who receives.
#[derive(Default)]
struct Channel(Mutex<(VecDeque<u32>, Option<Waker>)>);

impl Channel {
    fn send(&self, item: u32) {
        let waker = {
            let mut inner = lock(&self.0);
            inner.0.push_back(item);
            inner.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn receive(&self) -> u32 {
        poll_fn(|context| {
            let mut inner = lock(&self.0);
            if let Some(item) = inner.0.pop_front() {
                return Poll::Ready(item);
            }
            REASON.set("channel");
            inner.1 = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

/// Lets others run.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Calls that go back and forth between two tasks, the second of which the first one spawns; and naps.
async fn play(executor: Arc<Executor>, rounds: u32) {
    let (there, back) = <(Arc<Channel>, Arc<Channel>)>::default();
    let (receiver, sender) = (Arc::clone(&there), Arc::clone(&back));
    executor.spawn(async move {
        for _ in 0..rounds {
            let item = receiver.receive().await;
            yield_now().await;
            sender.send(item + 1);
        }
    });
    for round in 0..rounds {
        there.send(round);
        executor.sleep(Duration::from_micros(50)).await;
        assert_eq!(back.receive().await, round + 1);
    }
}

/// Runs `2 * games` tasks on so many threads and returns who woke whom.
pub(crate) fn run(threads: usize, games: u32, rounds: u32) -> Vec<WokenBy> {
    let (timer, requests) = mpsc::channel();
    let executor = Arc::new(Executor {
        queue: Mutex::default(),
        changed: Condvar::new(),
        timer: Mutex::new(timer),
        wakes: Mutex::default(),
    });
    // 1. The calling thread has a goroutine, too, which creates the first tasks.
    let proc = Proc::new().start();
    let main = proc.create();
    CURRENT.set(Some(proc.run(main)));
    for _ in 0..games {
        executor.spawn(play(Arc::clone(&executor), rounds));
    }

    // 2. It waits for the workers as for a system call: others could have its proc meanwhile.
    let call = CURRENT.take().expect("it was put there above").syscall();
    thread::scope(|scope| {
        scope.spawn(move || Executor::time(&requests));
        let workers: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| executor.work()))
            .collect();
        for worker in workers {
            worker.join().expect("tasks do not panic");
        }
        // The timer ends when nobody can ask for anything.
        *lock(&executor.timer) = mpsc::channel().0;
    });
    if let Returned::Running(running) = call.end() {
        drop(running.exit().stop());
    }
    mem::take(&mut lock(&executor.wakes))
}

#[allow(dead_code, reason = "the test runs it without")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os()
        .nth(1)
        .ok_or("which file is the trace for?")?;
    let session = Session::start(Sink::path(&path))?;
    let wakes = run(4, 8, 50);
    let written = session.stop()?;
    println!("{} wakes, {} bytes of trace", wakes.len(), written.bytes);
    Ok(())
}
