//! Work that is traced: a few goroutines that make, wake and wait for each other, with everything that
//! outlives a generation.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use exectrace::raw::{self, Proc, Runnable, Waiting};
use exectrace_wire::TaskId;

/// Who waits, and who may run, whatever the thread.
static WAITING: Mutex<Vec<Waiting>> = Mutex::new(Vec::new());
static RUNNABLE: Mutex<Vec<Runnable>> = Mutex::new(Vec::new());

/// Serial numbers of the logs that are written.
pub(crate) static SERIAL: AtomicU64 = AtomicU64::new(0);

fn take<T>(list: &Mutex<Vec<T>>) -> Option<T> {
    let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
    let middle = list.len() / 2;
    if list.is_empty() {
        None
    } else {
        Some(list.swap_remove(middle))
    }
}

fn put<T>(list: &Mutex<Vec<T>>, item: T) {
    list.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(item);
}

/// One thread's work, for as long as `goes_on` says.
pub(crate) fn work(mut goes_on: impl FnMut() -> bool) {
    let mut proc = Proc::new().start();
    let mut round = 0u64;
    while goes_on() {
        round += 1;
        // 1. Somebody to run: one that is there, or a new one.
        let next = take(&RUNNABLE);
        let goroutine = next.unwrap_or_else(|| proc.create());
        let running = proc.run(goroutine);
        // 2. What it does.
        let task = raw::task_begin(TaskId::BACKGROUND, "task");
        let region = raw::region_begin(task, "region");
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        raw::log(task, "serial", &serial.to_string());
        if let Some(waiting) = take(&WAITING) {
            put(&RUNNABLE, waiting.unblock());
        }
        if round.is_multiple_of(3) {
            put(&RUNNABLE, running.create());
        }
        if region {
            raw::region_end(task, "region");
        }
        if !round.is_multiple_of(5) {
            raw::task_end(task);
        }
        // 3. How it ends.
        proc = match round % 4 {
            0 => {
                let (proc, waiting) = running.block("sync");
                put(&WAITING, waiting);
                proc
            }
            1 => {
                let (proc, runnable) = running.stop("runtime.Gosched");
                put(&RUNNABLE, runnable);
                proc
            }
            _ => running.exit(),
        };
    }
    drop(proc.stop());
}
