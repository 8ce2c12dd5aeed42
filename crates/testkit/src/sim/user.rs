//! Steps of the running program and its runtime: garbage collection, metrics, tasks, regions,
//! logs, samples and experiments.

use exectrace_wire::{EventType as E, GoStatus, ProcStatus, Version};

use super::{
    emit::{always_stack_text, stack_text},
    world::{G, T, World},
};
use crate::Sample;

impl World {
    /// Stops the world, maybe to begin or end a collection or to change the number of procs, and
    /// starts it again.
    pub(super) fn try_stop_the_world(&mut self) {
        let Some(t) = self.running_thread() else {
            return;
        };
        self.barrier();
        let g = self.running_goroutine(t);
        match self.rng.below(3) {
            0 if self.gc_running => {
                self.stw(t, g, "GC mark termination", |world| world.gc_end(t));
            }
            0 => self.stw(t, g, "GC sweep termination", |world| world.gc_begin(t)),
            1 => self.stw(t, g, "GOMAXPROCS", |world| world.procs_change(t)),
            _ => self.stw(t, g, "read mem stats", |_| {}),
        }
        self.barrier();
    }

    pub(super) fn stw(&mut self, t: T, g: G, kind: &str, stopped: impl FnOnce(&mut Self)) {
        let stack = self.random_stack();
        self.emit(t, E::STWBegin, (kind, &stack));
        let context = self.context(t);
        let range = format!("Name=\"stop-the-world ({kind})\" Scope=Goroutine({g})");
        let stacks = stack_text("Stack", &stack);
        self.fact(context, &format!("RangeBegin {range}{stacks}"));
        stopped(self);
        self.emit(t, E::STWEnd, ());
        self.fact(context, &format!("RangeEnd {range} Attributes=[]"));
    }

    fn gc_begin(&mut self, t: T) {
        self.gc_sequence += 1;
        self.gc_running = true;
        let stack = self.random_stack();
        self.emit(t, E::GCBegin, (self.gc_sequence, &stack));
        let stacks = stack_text("Stack", &stack);
        self.gc_fact(t, "RangeBegin", &stacks);
    }

    fn gc_end(&mut self, t: T) {
        self.gc_sequence += 1;
        self.gc_running = false;
        self.emit(t, E::GCEnd, (self.gc_sequence,));
        self.gc_fact(t, "RangeEnd", " Attributes=[]");
        let goal = self.heap * 2;
        self.emit(t, E::HeapGoal, (goal,));
        self.metric_fact(t, "/gc/heap/goal:bytes", goal, "");
    }

    pub(super) fn gc_active(&mut self, t: T) {
        self.gc_sequence += 1;
        self.emit(t, E::GCActive, (self.gc_sequence,));
        self.gc_fact(t, "RangeActive", "");
    }

    fn gc_fact(&mut self, t: T, kind: &str, rest: &str) {
        let context = self.context(t);
        self.fact(
            context,
            &format!("{kind} Name=\"GC concurrent mark phase\" Scope=None{rest}"),
        );
    }

    pub(super) fn procs_change(&mut self, t: T) {
        let (stack, count) = (self.random_stack(), self.procs.len() as u64);
        self.emit(t, E::ProcsChange, (count, &stack));
        let stacks = stack_text("Stack", &stack);
        self.metric_fact(t, "/sched/gomaxprocs:threads", count, &stacks);
    }

    fn metric_fact(&mut self, t: T, name: &str, value: u64, stacks: &str) {
        let context = self.context(t);
        self.fact(
            context,
            &format!("Metric Name={name:?} Value=Value{{Uint64({value})}}{stacks}"),
        );
    }

    /// A goroutine begins to help the collector, or ends it.
    pub(super) fn try_assist(&mut self) {
        let Some(t) = self.running_thread() else {
            return;
        };
        let g = self.running_goroutine(t);
        let range = format!("Name=\"GC mark assist\" Scope=Goroutine({g})");
        if std::mem::take(&mut self.goroutine(g).assisting) {
            self.emit(t, E::GCMarkAssistEnd, ());
            let context = self.context(t);
            self.fact(context, &format!("RangeEnd {range} Attributes=[]"));
        } else if self.gc_running {
            let stack = self.random_stack();
            self.emit(t, E::GCMarkAssistBegin, (&stack,));
            let context = self.context(t);
            let stacks = stack_text("Stack", &stack);
            self.fact(context, &format!("RangeBegin {range}{stacks}"));
            self.goroutine(g).assisting = true;
        }
    }

    /// A proc begins to sweep, or ends it.
    pub(super) fn try_sweep(&mut self) {
        let thread = self.thread_where(|world, thread| world.runs(thread));
        let Some(t) = thread else { return };
        self.running_goroutine(t);
        let p = self.threads[t].proc.expect("a running thread holds a proc");
        let range = format!("Name=\"GC incremental sweep\" Scope=Proc({p})");
        if std::mem::take(&mut self.procs[p].sweeping) {
            let (swept, reclaimed) = (self.rng.below(1 << 20), self.rng.below(1 << 10));
            self.emit(t, E::GCSweepEnd, (swept, reclaimed));
            let context = self.context(t);
            self.fact(
                context,
                &format!(
                    "RangeEnd {range} Attributes=[\"bytes swept\"=Value{{Uint64({swept})}} \
                     \"bytes reclaimed\"=Value{{Uint64({reclaimed})}}]"
                ),
            );
        } else {
            let stack = self.random_stack();
            self.emit(t, E::GCSweepBegin, (&stack,));
            let context = self.context(t);
            let stacks = stack_text("Stack", &stack);
            self.fact(context, &format!("RangeBegin {range}{stacks}"));
            self.procs[p].sweeping = true;
        }
    }

    /// The profiler looks at a thread, whatever it does.
    pub(super) fn try_sample(&mut self) {
        let Some(t) = self.thread_where(|_, _| true) else {
            return;
        };
        // A sample is ordered by its time alone, so the clocks must not put it elsewhere.
        self.barrier();
        self.now += 1 + self.rng.below(4);
        let stack = self.random_stack();
        let thread = &self.threads[t];
        let (id, proc, goroutine) = (thread.id, thread.proc, thread.goroutine);
        let now = self.now;
        self.trace.current().sample(Sample {
            time: Some(now),
            thread: Some(id),
            proc: proc.map(|p| p as u64),
            goroutine,
            stack: (&stack).into(),
        });
        let stacks = always_stack_text("Stack", &stack);
        let minus = |id: Option<u64>| id.map_or("-1".to_owned(), |id| id.to_string());
        let (proc, goroutine) = (minus(proc.map(|p| p as u64)), minus(goroutine));
        self.facts.push(super::Fact::new(format!(
            "M={id} P={proc} G={goroutine} StackSample{stacks}"
        )));
        self.barrier();
    }

    /// Something that the program's author wrote, or that allocations do.
    pub(super) fn try_user_event(&mut self) {
        let thread = self.thread_where(|world, thread| world.runs(thread));
        let Some(t) = thread else { return };
        match self.rng.below(7) {
            0 => self.region_begin(t),
            1 => self.region_end(t),
            2 => self.task_begin(t),
            3 => self.task_end(t),
            4 => self.log(t),
            5 => self.heap_alloc(t),
            _ => self.experimental(t),
        }
    }

    fn task_of(&mut self, g: G) -> u64 {
        self.goroutine(g).tasks.last().map_or(0, |task| task.0)
    }

    fn name(&mut self, what: &str) -> String {
        format!("{what} {}", self.rng.below(3))
    }

    fn region_begin(&mut self, t: T) {
        let g = self.running_goroutine(t);
        let (task, name, stack) = (self.task_of(g), self.name("region"), self.random_stack());
        self.emit(t, E::UserRegionBegin, (task, name.as_str(), &stack));
        let context = self.context(t);
        let stacks = stack_text("Stack", &stack);
        self.fact(
            context,
            &format!("RegionBegin Task={task} Type={name:?}{stacks}"),
        );
        self.goroutine(g).regions.push((task, name));
    }

    /// Ends the innermost region, or one that began before the trace.
    fn region_end(&mut self, t: T) {
        let g = self.running_goroutine(t);
        let open = self.goroutine(g).regions.pop();
        let older = self
            .goroutine(g)
            .old
            .then(|| (0, "before the trace".to_owned()));
        let Some((task, name)) = open.or(older) else {
            return;
        };
        self.emit(t, E::UserRegionEnd, (task, name.as_str()));
        let context = self.context(t);
        self.fact(context, &format!("RegionEnd Task={task} Type={name:?}"));
    }

    fn task_begin(&mut self, t: T) {
        let g = self.running_goroutine(t);
        let (parent, name, stack) = (self.task_of(g), self.name("task"), self.random_stack());
        let task = self.next_task;
        self.next_task += 1;
        self.emit(t, E::UserTaskBegin, (task, parent, name.as_str(), &stack));
        let shown = if parent == 0 { u64::MAX } else { parent };
        let context = self.context(t);
        let stacks = stack_text("Stack", &stack);
        self.fact(
            context,
            &format!("TaskBegin ID={task} Parent={shown} Type={name:?}{stacks}"),
        );
        self.goroutine(g).tasks.push((task, shown, name));
    }

    /// Ends a task of the goroutine, or one that began before the trace.
    fn task_end(&mut self, t: T) {
        let g = self.running_goroutine(t);
        let open = self.goroutine(g).tasks.pop();
        // Each task ends once; those from before the trace have ids of their own.
        let unknown = (1 << 40) + self.next_task;
        self.next_task += 1;
        let (task, parent, name) = open.unwrap_or((unknown, u64::MAX, String::new()));
        self.emit(t, E::UserTaskEnd, (task,));
        let context = self.context(t);
        self.fact(
            context,
            &format!("TaskEnd ID={task} Parent={parent} Type={name:?}"),
        );
    }

    fn log(&mut self, t: T) {
        let g = self.running_goroutine(t);
        let (task, message) = (self.task_of(g), self.name("message"));
        self.emit(t, E::UserLog, (task, "category", message.as_str()));
        let context = self.context(t);
        self.fact(
            context,
            &format!("Log Task={task} Category=\"category\" Message={message:?}"),
        );
    }

    fn heap_alloc(&mut self, t: T) {
        self.state_before(t, GoStatus::Running, ProcStatus::Running);
        self.heap += self.rng.below(1 << 16);
        let heap = self.heap;
        self.emit(t, E::HeapAlloc, (heap,));
        self.metric_fact(t, "/memory/classes/heap/objects:bytes", heap, "");
    }

    fn experimental(&mut self, t: T) {
        if !self.has(Version::Go123) {
            return;
        }
        self.state_before(t, GoStatus::Running, ProcStatus::Running);
        let (id, kind) = (self.rng.below(1000), self.rng.below(10));
        self.emit(t, E::HeapObjectAlloc, (id, kind));
        let context = self.context(t);
        self.fact(
            context,
            &format!(
                "Experimental Name=HeapObjectAlloc Args=[id=Value{{Uint64({id})}}, \
                 type=Value{{Uint64({kind})}}]"
            ),
        );
        if self.rng.one_in(3) {
            let thread = self.threads[t].id;
            self.trace.current().experimental(1, thread, &[0, 1, 2]);
        }
    }
}
