//! Steps of the scheduler: procs and goroutines start and stop.

use exectrace_wire::{EventType as E, GoStatus, ProcStatus, ThreadId, Version};

use super::{
    emit::{always_stack_text, both_stacks, stack_text},
    world::{G, Goroutine, P, ProcPlace, T, World},
};

impl World {
    /// Does one thing that is possible. Which ones are tried is random, so that each run has its
    /// own mixture.
    pub(super) fn step(&mut self) {
        // A step that is impossible now is not made up for: another one follows.
        let period = self.size.generation_steps.max(2) as u64;
        if self.rng.one_in(period) {
            self.next_generation();
        }
        match self.rng.below(34) {
            0..=3 => self.try_start_proc(),
            4 => self.try_stop_proc(),
            5..=7 => self.try_start_goroutine(),
            8 => self.try_create(),
            9 | 10 => self.try_block(),
            11 => self.try_stop(),
            12 => self.try_destroy(),
            13..=15 => self.try_unblock(),
            16 => self.try_syscall_begin(),
            17 => self.try_syscall_end(),
            18 => self.try_steal(),
            19 | 20 => self.try_syscall_end_blocked(),
            21 => self.try_call_from_c(),
            22 => self.try_return_to_c(),
            23 => self.try_new_thread(),
            24 => self.try_exit_thread(),
            25 => self.try_create_coroutine(),
            26 | 27 => self.try_switch(),
            28 => self.try_stop_the_world(),
            29 => self.try_assist(),
            30 => self.try_sweep(),
            31 => self.try_sample(),
            _ => self.try_user_event(),
        }
    }

    fn try_start_proc(&mut self) {
        let bare =
            self.thread_where(|_, thread| thread.proc.is_none() && thread.goroutine.is_none());
        let idle = self.proc_where(|proc| proc.place == ProcPlace::Idle);
        if let (Some(t), Some(p)) = (bare, idle) {
            self.start_proc(t, p);
        }
    }

    pub(super) fn start_proc(&mut self, t: T, p: P) {
        self.threads[t].proc = Some(p);
        self.procs[p].place = ProcPlace::Running(t);
        self.state_before(t, GoStatus::Syscall, ProcStatus::Idle);
        let sequence = self.next_proc_sequence(p);
        self.emit(t, E::ProcStart, (p as u64, sequence));
        let context = self.context(t);
        self.proc_fact(context, p, "Idle->Running");
        self.procs[p].known = Some(ProcStatus::Running);
        self.threads[t].known_proc = Some(p);
    }

    fn try_stop_proc(&mut self) {
        let thread = self.thread_where(|world, thread| {
            thread.goroutine.is_none() && thread.proc.is_some_and(|p| !world.procs[p].sweeping)
        });
        if let Some(t) = thread {
            self.state_before(t, GoStatus::Syscall, ProcStatus::Running);
            self.stop_proc(t);
        }
    }

    /// The thread's proc, which was stated, becomes idle.
    pub(super) fn stop_proc(&mut self, t: T) {
        let p = self.threads[t]
            .proc
            .take()
            .expect("the thread holds a proc");
        self.emit(t, E::ProcStop, ());
        let context = self.context(t);
        self.proc_fact(context, p, "Running->Idle");
        self.procs[p].place = ProcPlace::Idle;
        self.procs[p].known = Some(ProcStatus::Idle);
        self.threads[t].known_proc = None;
    }

    fn try_start_goroutine(&mut self) {
        let free =
            self.thread_where(|_, thread| thread.proc.is_some() && thread.goroutine.is_none());
        let runnable = self.goroutine_where(|goroutine| goroutine.status == GoStatus::Runnable);
        if let (Some(t), Some(g)) = (free, runnable) {
            self.start_goroutine(t, g);
        }
    }

    pub(super) fn start_goroutine(&mut self, t: T, g: G) {
        self.threads[t].goroutine = Some(g);
        self.state_before(t, GoStatus::Runnable, ProcStatus::Running);
        let sequence = self.next_go_sequence(g);
        self.emit(t, E::GoStart, (g, sequence));
        let context = self.context(t);
        self.go_fact(context, g, "Runnable->Running", "");
        self.set_running(t, g);
        if self.gc_running && self.rng.one_in(3) {
            self.label(t, "GC (fractional)");
        }
    }

    fn set_running(&mut self, t: T, g: G) {
        let goroutine = self.goroutine(g);
        goroutine.status = GoStatus::Running;
        goroutine.thread = Some(t);
        self.threads[t].goroutine = Some(g);
        self.threads[t].known_goroutine = Some(g);
    }

    fn label(&mut self, t: T, label: &str) {
        self.emit(t, E::GoLabel, (label,));
        let context = self.context(t);
        let g = self.threads[t].goroutine.expect("a goroutine runs");
        self.fact(
            context,
            &format!("Label Label={label:?} Resource=Goroutine({g})"),
        );
    }

    /// The goroutine that the thread runs, after stating it and the thread's proc.
    pub(super) fn running_goroutine(&mut self, t: T) -> G {
        self.state_before(t, GoStatus::Running, ProcStatus::Running);
        self.threads[t].goroutine.expect("a goroutine runs")
    }

    fn try_create(&mut self) {
        if self.goroutines.len() > 3 * self.size.goroutines + 10 {
            return;
        }
        let Some(t) = self.running_thread() else {
            return;
        };
        self.running_goroutine(t);
        self.create(t, E::GoCreate, GoStatus::Runnable);
    }

    fn create(&mut self, t: T, event_type: E, status: GoStatus) -> G {
        let new = self.new_goroutine(status);
        let (generation, coroutine) = (self.generation, status == GoStatus::Waiting);
        *self.goroutine(new) = Goroutine {
            stated: generation,
            known: true,
            old: false,
            coroutine,
            ..Goroutine::new(status)
        };
        let (start, stack) = (self.random_stack(), self.random_stack());
        self.emit(t, event_type, (new, &start, &stack));
        let context = self.context(t);
        let stacks = always_stack_text("TransitionStack", &start) + &stack_text("Stack", &stack);
        let state = if coroutine { "Waiting" } else { "Runnable" };
        self.fact(
            context,
            &format!("StateTransition GoID={new} NotExist->{state} Reason=\"\"{stacks}"),
        );
        new
    }

    fn try_block(&mut self) {
        let Some(t) = self.running_thread() else {
            return;
        };
        let g = self.running_goroutine(t);
        let reason = *self
            .rng
            .pick(&["chan receive", "select", "sleep", "sync", ""])
            .expect("some");
        self.cease(t, E::GoBlock, GoStatus::Waiting, reason);
        self.goroutine(g).coroutine = false;
    }

    fn try_stop(&mut self) {
        let Some(t) = self.running_thread() else {
            return;
        };
        self.running_goroutine(t);
        self.cease(t, E::GoStop, GoStatus::Runnable, "preempted");
    }

    /// The running goroutine, which was stated, stops or blocks.
    pub(super) fn cease(&mut self, t: T, event_type: E, status: GoStatus, reason: &str) {
        let stack = self.random_stack();
        self.emit(t, event_type, (reason, &stack));
        let g = self.threads[t].goroutine.take().expect("a goroutine runs");
        let context = self.context(t);
        let (to, stacks) = (super::emit::go_state(status), both_stacks(&stack));
        self.fact(
            context,
            &format!("StateTransition GoID={g} Running->{to} Reason={reason:?}{stacks}"),
        );
        let goroutine = self.goroutine(g);
        goroutine.status = status;
        goroutine.thread = None;
        self.threads[t].known_goroutine = None;
    }

    fn try_destroy(&mut self) {
        let thread = self.thread_where(|world, thread| world.runs(thread) && world.may_end(thread));
        let Some(t) = thread else { return };
        let g = self.running_goroutine(t);
        self.emit(t, E::GoDestroy, ());
        let context = self.context(t);
        self.go_fact(context, g, "Running->NotExist", "");
        self.forget_goroutine(t, g);
    }

    /// A goroutine does not end amid an assist or a sweep, and those from C end there.
    fn may_end(&self, thread: &super::world::Thread) -> bool {
        thread.goroutine.is_some_and(|g| {
            let goroutine = &self.goroutines[&g];
            !goroutine.assisting && !goroutine.from_c
        }) && !thread.proc.is_some_and(|p| self.procs[p].sweeping)
    }

    pub(super) fn forget_goroutine(&mut self, t: T, g: G) {
        self.goroutines.remove(&g);
        self.threads[t].goroutine = None;
        self.threads[t].known_goroutine = None;
    }

    fn try_unblock(&mut self) {
        let waiting = self.goroutine_where(|goroutine| {
            goroutine.status == GoStatus::Waiting && !goroutine.coroutine
        });
        // A running goroutine, or a thread that holds nothing: the network poller, sysmon.
        let thread = self.thread_where(|world, thread| {
            world.runs(thread) || thread.goroutine.is_none() && thread.proc.is_none()
        });
        let (Some(g), Some(t)) = (waiting, thread) else {
            return;
        };
        self.state_before(t, GoStatus::Running, ProcStatus::Running);
        self.state_waiting(t, g);
        let sequence = self.next_go_sequence(g);
        let stack = self.random_stack();
        self.emit(t, E::GoUnblock, (g, sequence, &stack));
        let context = self.context(t);
        let stacks = stack_text("Stack", &stack);
        self.fact(
            context,
            &format!("StateTransition GoID={g} Waiting->Runnable Reason=\"\"{stacks}"),
        );
        self.goroutine(g).status = GoStatus::Runnable;
    }

    /// States a waiting goroutine if this generation has not heard of it.
    fn state_waiting(&mut self, t: T, g: G) {
        if self.goroutine(g).stated != self.generation {
            self.state_goroutine(t, g, None, GoStatus::Waiting);
        }
    }

    fn try_create_coroutine(&mut self) {
        if !self.has(Version::Go123) || self.goroutines.len() > 3 * self.size.goroutines + 10 {
            return;
        }
        let Some(t) = self.running_thread() else {
            return;
        };
        self.running_goroutine(t);
        self.create(t, E::GoCreateBlocked, GoStatus::Waiting);
    }

    fn try_switch(&mut self) {
        let coroutine = self.goroutine_where(|goroutine| {
            goroutine.status == GoStatus::Waiting && goroutine.coroutine
        });
        let (Some(t), Some(next)) = (self.running_thread(), coroutine) else {
            return;
        };
        let ends = self.may_end(&self.threads[t]) && self.rng.one_in(4);
        let g = self.running_goroutine(t);
        self.state_waiting(t, next);
        let sequence = self.next_go_sequence(next);
        let event_type = if ends {
            E::GoSwitchDestroy
        } else {
            E::GoSwitch
        };
        self.emit(t, event_type, (next, sequence));
        let context = self.context(t);
        self.go_fact(context, next, "Waiting->Runnable", "");
        if ends {
            self.go_fact(context, g, "Running->NotExist", "");
            self.forget_goroutine(t, g);
        } else {
            self.go_fact(context, g, "Running->Waiting", "");
            let goroutine = self.goroutine(g);
            goroutine.status = GoStatus::Waiting;
            goroutine.thread = None;
            goroutine.coroutine = true;
        }
        self.go_fact(
            Self::without_goroutine(context),
            next,
            "Runnable->Running",
            "",
        );
        self.goroutine(next).coroutine = false;
        self.set_running(t, next);
    }

    fn try_new_thread(&mut self) {
        let alive = self.threads.iter().filter(|thread| !thread.gone).count();
        if alive < 2 * self.size.threads + 2 {
            self.new_thread();
        }
    }

    fn try_exit_thread(&mut self) {
        let bare =
            self.thread_where(|_, thread| thread.proc.is_none() && thread.goroutine.is_none());
        let Some(t) = bare else { return };
        if t == 0 {
            return;
        }
        let thread = &mut self.threads[t];
        thread.gone = true;
        // Nobody can have the id before its events are in order.
        let (id, last) = (thread.id, thread.last);
        if thread.known {
            self.free_ids.push((id, last));
        }
    }

    /// The id of the thread on which a goroutine is.
    pub(super) fn thread_id_of(&self, g: G) -> Option<ThreadId> {
        self.goroutines[&g]
            .thread
            .map(|t| ThreadId(self.threads[t].id))
    }
}
