//! Writing events, the statuses that must precede them, and the facts that a reader finds in them.

use exectrace_wire::{EventType as E, GoStatus, ProcStatus, ThreadId};

use super::{
    Fact,
    world::{G, P, T, World},
};
use crate::{Args, Stack};

/// The name of a goroutine's state in facts.
pub(super) const fn go_state(status: GoStatus) -> &'static str {
    match status {
        GoStatus::Bad => "Undetermined",
        GoStatus::Runnable => "Runnable",
        GoStatus::Running => "Running",
        GoStatus::Syscall => "Syscall",
        GoStatus::Waiting => "Waiting",
    }
}

/// The name of a proc's state in facts.
const fn proc_state(status: ProcStatus) -> &'static str {
    match status {
        ProcStatus::Bad => "Undetermined",
        ProcStatus::Running | ProcStatus::Syscall => "Running",
        ProcStatus::Idle | ProcStatus::SyscallAbandoned => "Idle",
    }
}

fn or_minus_one(id: Option<u64>) -> String {
    id.map_or("-1".to_owned(), |id| id.to_string())
}

/// Where an event happens, as a reader knows it.
#[derive(Clone, Copy)]
pub(super) struct Context {
    thread: Option<u64>,
    proc: Option<P>,
    goroutine: Option<G>,
}

impl Context {
    pub(super) const NOWHERE: Self = Self {
        thread: None,
        proc: None,
        goroutine: None,
    };
}

impl World {
    /// Writes an event on a thread. Its time is that of the step, seen by a clock that may be
    /// late, but later than the thread's last event.
    pub(super) fn emit(&mut self, t: T, event_type: E, args: impl Args) {
        self.now += 1 + self.rng.below(4);
        let late = self.rng.below(self.size.skew + 1);
        let thread = &mut self.threads[t];
        let time = (self.now - late).max(thread.last + 1);
        let id = thread.id;
        let begin = !thread.batch_open || self.rng.one_in(20);
        // A batch begins at or before its first event, but after the thread's last one.
        let begun = time - self.rng.below(2).min(time - thread.last - 1);
        thread.last = time;
        thread.batch_open = true;
        thread.known = true;
        let generation = self.trace.current();
        if begin {
            generation.batch_at(id, begun);
        }
        generation.on(id).event_at(time, event_type, args);
        generation.set_now(self.now);
    }

    /// Makes all that follows later than all that came before, by every clock: what a stopped
    /// world does, and what any two events do that are known to depend on each other outside of
    /// the trace.
    pub(super) const fn barrier(&mut self) {
        self.now += self.size.skew + 1;
    }

    pub(super) fn context(&self, t: T) -> Context {
        let thread = &self.threads[t];
        Context {
            thread: Some(thread.id),
            proc: thread.known_proc,
            goroutine: thread.known_goroutine,
        }
    }

    pub(super) fn fact(&mut self, context: Context, what: &str) {
        let Context {
            thread,
            proc,
            goroutine,
        } = context;
        self.facts.push(Fact::new(format!(
            "M={} P={} G={} {what}",
            or_minus_one(thread),
            or_minus_one(proc.map(|p| p as u64)),
            or_minus_one(goroutine)
        )));
    }

    pub(super) fn go_fact(&mut self, context: Context, g: G, states: &str, reason: &str) {
        self.fact(
            context,
            &format!("StateTransition GoID={g} {states} Reason={reason:?}"),
        );
    }

    pub(super) fn proc_fact(&mut self, context: Context, p: P, states: &str) {
        self.fact(
            context,
            &format!("StateTransition ProcID={p} {states} Reason=\"\""),
        );
    }

    /// States the thread's proc and goroutine if this generation has not heard of them, as they
    /// were before the event that comes.
    pub(super) fn state_before(&mut self, t: T, go: GoStatus, proc: ProcStatus) {
        if let Some(p) = self.threads[t].proc
            && self.procs[p].stated != self.generation
        {
            self.state_proc(t, p, proc);
        }
        if let Some(g) = self.threads[t].goroutine
            && self.goroutine(g).stated != self.generation
        {
            self.state_goroutine(t, g, Some(t), go);
        }
    }

    /// The state that a reader reports before a first status.
    const fn unknown_state(&self) -> &'static str {
        if self.generation == self.first_generation {
            "Undetermined"
        } else {
            "NotExist"
        }
    }

    pub(super) fn state_proc(&mut self, t: T, p: P, status: ProcStatus) {
        self.emit(t, E::ProcStatus, (p as u64, status));
        let proc = &mut self.procs[p];
        proc.stated = self.generation;
        proc.sequence = 0;
        let known = proc.known;
        let mut context = self.context(t);
        let state = proc_state(status);
        let abandoned = status == ProcStatus::SyscallAbandoned;
        match known {
            None => {
                self.procs[p].known = Some(status);
                let from = self.unknown_state();
                self.proc_fact(context, p, &format!("{from}->{state}"));
            }
            Some(ProcStatus::Syscall) if abandoned => {
                // The proc is about to be stolen: reported for the thread that holds it.
                let holder = self
                    .threads
                    .iter()
                    .position(|thread| thread.known_proc == Some(p) && !thread.gone);
                context = self.context(holder.expect("somebody holds the proc"));
                self.proc_fact(context, p, "Running->Running");
            }
            Some(_) => self.proc_fact(context, p, &format!("{state}->{state}")),
        }
        if matches!(status, ProcStatus::Running | ProcStatus::Syscall) {
            self.threads[t].known_proc = Some(p);
        }
        if self.procs[p].sweeping {
            self.emit(t, E::GCSweepActive, (p as u64,));
            let context = self.context(t);
            self.fact(
                context,
                &format!("RangeActive Name=\"GC incremental sweep\" Scope=Proc({p})"),
            );
        }
    }

    /// States a goroutine from a thread that runs it or from another one.
    pub(super) fn state_goroutine(&mut self, t: T, g: G, on: Option<T>, status: GoStatus) {
        let thread = on.map(|on| ThreadId(self.threads[on].id));
        self.emit(t, E::GoStatus, (g, thread, status));
        let context = self.context(t);
        self.goroutine_stated(context, g, status, "");
        if on == Some(t) && matches!(status, GoStatus::Running | GoStatus::Syscall) {
            self.threads[t].known_goroutine = Some(g);
        }
        if self.goroutine(g).assisting {
            self.emit(t, E::GCMarkAssistActive, (g,));
            let context = self.context(t);
            self.assist_active_fact(context, g);
        }
    }

    pub(super) fn goroutine_stated(
        &mut self,
        context: Context,
        g: G,
        status: GoStatus,
        stacks: &str,
    ) {
        let generation = self.generation;
        let goroutine = self.goroutine(g);
        goroutine.stated = generation;
        goroutine.sequence = 0;
        let to = go_state(status);
        let from = if std::mem::replace(&mut goroutine.known, true) {
            to
        } else {
            self.unknown_state()
        };
        self.fact(
            context,
            &format!("StateTransition GoID={g} {from}->{to} Reason=\"\"{stacks}"),
        );
    }

    pub(super) fn assist_active_fact(&mut self, context: Context, g: G) {
        self.fact(
            context,
            &format!("RangeActive Name=\"GC mark assist\" Scope=Goroutine({g})"),
        );
    }

    /// The context of a status that nobody in particular writes about a goroutine in a system
    /// call: the goroutine's thread, and the goroutine if the thread is known.
    pub(super) fn foreign_context(&self, t: T, g: G) -> Context {
        let thread = &self.threads[t];
        Context {
            thread: Some(thread.id),
            proc: None,
            goroutine: thread.known.then_some(g),
        }
    }

    pub(super) const fn without_goroutine(context: Context) -> Context {
        Context {
            goroutine: None,
            ..context
        }
    }

    pub(super) fn next_proc_sequence(&mut self, p: P) -> u64 {
        self.procs[p].sequence += 1;
        self.procs[p].sequence
    }

    pub(super) fn next_go_sequence(&mut self, g: G) -> u64 {
        let goroutine = self.goroutine(g);
        goroutine.sequence += 1;
        goroutine.sequence
    }

    /// A random stack, or none.
    pub(super) fn random_stack(&mut self) -> Stack {
        const FUNCTIONS: [&str; 6] = [
            "main.main",
            "main.serve",
            "main.query",
            "net.read",
            "sync.lock",
            "runtime.x",
        ];
        let depth = self.rng.index(4);
        let functions: Vec<_> = (0..depth)
            .map(|_| FUNCTIONS[self.rng.index(FUNCTIONS.len())])
            .collect();
        Stack::calls(functions)
    }
}

/// A stack as facts show it, after its key; nothing for no stack.
pub(super) fn stack_text(key: &str, stack: &Stack) -> String {
    if stack.0.is_empty() {
        return String::new();
    }
    always_stack_text(key, stack)
}

/// A stack as facts show it where even one without frames is shown.
pub(super) fn always_stack_text(key: &str, stack: &Stack) -> String {
    let functions: Vec<_> = stack.0.iter().map(|frame| frame.func.as_str()).collect();
    format!(" {key}=[{}]", functions.join(" "))
}

/// The stacks of a transition that has its goroutine's stack as its own.
pub(super) fn both_stacks(stack: &Stack) -> String {
    stack_text("TransitionStack", stack) + &stack_text("Stack", stack)
}
