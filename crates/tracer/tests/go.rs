//! Go reads what the tracer writes: its parser to the end, its test validator without objection.
//!
//! Needs the oracle (`testdata/go-oracle`), which installs Go when it is first used. Where it cannot be
//! had, the test says so and passes, except in continuous integration.

mod support;

use std::{thread, time::Duration};

use exectrace::raw::{self, Proc, Returned, Syscall};
use exectrace_wire::TaskId;
use support::{alone, ask_go, checked, traced};

/// A little of everything, on several threads, over several generations.
fn everything() {
    let worker = |n: u64| {
        thread::spawn(move || {
            let mut proc = Proc::new().start();
            for i in 0..20 {
                let task = proc.create();
                let running = proc.run(task);
                running.procs_changed(4);
                let id = raw::task_begin(TaskId::BACKGROUND, "task");
                let region = raw::region_begin(id, "region");
                raw::log(id, "place", &format!("{n} {i}"));
                running.label("worker");
                running.heap_alloc(1 << i);
                let mark = running.mark();
                let assist = running.mark_assist();
                let coroutine = running.create_blocked();
                drop(assist);
                let sweep = running.sweep();
                thread::sleep(Duration::from_micros(100));
                sweep.end(1, 1);
                drop(running.stop_the_world("start trace"));
                drop(mark);
                if region {
                    raw::region_end(id, "region");
                }
                raw::task_end(id);
                let (running, task) = running.switch(coroutine);
                let call = running.syscall();
                let handle = call.proc_handle();
                let thief = thread::spawn(move || handle.and_then(|handle| handle.steal()));
                let returned = call.end();
                let stolen = thief.join().unwrap();
                let running = match returned {
                    Returned::Running(running) => running,
                    Returned::Lost(task) => stolen.unwrap().start().run(task),
                };
                let task = task.unblock();
                let (running_proc, coroutine) = running.block("sync");
                proc = running_proc.run(task).exit();
                drop(coroutine);
            }
            proc.stop();
            Syscall::create().unwrap().end_on(Proc::new()).exit().stop();
        })
    };
    let workers: Vec<_> = (0..3).map(worker).collect();
    for _ in 0..5 {
        thread::sleep(Duration::from_millis(1));
        exectrace::advance().unwrap();
    }
    for worker in workers {
        worker.join().unwrap();
    }
}

#[test]
fn go_agrees() {
    let _turn = alone();
    for trace in [traced(everything), traced(|| ())] {
        let events = checked(&trace);
        ask_go(&trace, &events);
    }
}
