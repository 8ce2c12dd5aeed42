//! Rules on goroutines, procs and threads: who is in which state, and where.

use std::collections::{HashMap, HashSet};

use exectrace_reader::{EventType, GoState, GoroutineId, ProcId, ProcState, ThreadId};

use crate::{
    facts::{Facts, GoTransition, What},
    report::{Findings, violation},
};

/// A goroutine that exists.
#[derive(Debug)]
struct Goroutine {
    state: GoState,
    /// Where it executes.
    thread: Option<ThreadId>,
    /// Whether the trace has its creation.
    created: bool,
}

/// A proc. Procs are never gone, but there are few.
#[derive(Debug)]
struct Proc {
    state: ProcState,
    /// Who holds it.
    thread: Option<ThreadId>,
}

/// What a thread holds. Threads that hold nothing are not kept, since threads come and go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Thread {
    goroutine: Option<GoroutineId>,
    proc: Option<ProcId>,
}

/// The states of all resources, as transitions leave them.
#[derive(Debug, Default)]
pub(crate) struct Sched {
    goroutines: HashMap<GoroutineId, Goroutine>,
    procs: HashMap<ProcId, Proc>,
    threads: HashMap<ThreadId, Thread>,
    /// Goroutines that ended in the first generation: only there may one that is not known have
    /// any state, so one that has ended must be told apart.
    ended: HashSet<GoroutineId>,
    /// The number of the last sync.
    sync: u64,
    /// The number of procs that threads hold, and may hold at most.
    held: u64,
    limit: Option<u64>,
    /// Before Go 1.22, the thread of a goroutine that is in a system call when tracing starts is not
    /// known.
    is_converted: bool,
}

impl Sched {
    /// The states before the first event. `is_converted`: of a trace of the v1 formats.
    pub(crate) fn new(is_converted: bool) -> Self {
        Self {
            is_converted,
            ..Self::default()
        }
    }

    /// The numbers of goroutines, those ended that are kept included, and threads.
    #[cfg(test)]
    pub(crate) fn live(&self) -> (usize, usize) {
        (self.goroutines.len() + self.ended.len(), self.threads.len())
    }

    pub(crate) fn sync(&mut self, number: u64) {
        self.sync = number;
        if self.is_late() {
            self.ended = HashSet::new();
        }
    }

    /// Whether the first generation is over: Go's measure is the sync's number.
    fn is_late(&self) -> bool {
        self.sync > 1
    }

    pub(crate) fn knows_goroutine(&self, id: GoroutineId) -> bool {
        self.goroutines.contains_key(&id) || self.ended.contains(&id)
    }

    pub(crate) fn was_created(&self, id: GoroutineId) -> bool {
        self.goroutines.get(&id).is_some_and(|g| g.created)
    }

    /// The number of procs changed.
    pub(crate) fn set_limit(&mut self, limit: u64, findings: &mut Findings) {
        self.limit = Some(limit);
        self.check_limit(findings);
    }

    fn check_limit(&self, findings: &mut Findings) {
        if let Some(limit) = self.limit
            && self.held > limit
        {
            violation!(
                findings, ProcLimit,
                "at most {limit} procs held by threads"; "{}", self.held,
            );
        }
    }

    /// An event's context against what its thread holds.
    pub(crate) fn check_context(&self, event: &Facts<'_>, findings: &mut Findings) {
        let Some(thread) = event.thread else {
            return;
        };
        let exempt = match event.what {
            // Samples are taken at any time and put in where their time belongs.
            What::Sample => true,
            // A status may be of a resource of another thread: then its context is made up of
            // both threads'.
            _ => matches!(
                event.event_type,
                Some(EventType::GoStatus | EventType::GoStatusStack | EventType::ProcStatus)
            ),
        };
        if exempt {
            return;
        }
        let held = self.threads.get(&thread).copied().unwrap_or_default();
        // The proc that it leaves to be stolen, which the event before has shown as stolen.
        let leaves_proc =
            event.event_type == Some(EventType::GoDestroySyscall) && held.proc.is_none();
        if event.proc != held.proc && !leaves_proc {
            violation!(
                findings, ThreadContext,
                "thread {thread} to hold {}", Optional("proc", held.proc);
                "{}", Optional("proc", event.proc),
            );
        }
        if event.goroutine != held.goroutine {
            violation!(
                findings, ThreadContext,
                "thread {thread} to execute {}", Optional("goroutine", held.goroutine);
                "{}", Optional("goroutine", event.goroutine),
            );
        }
    }

    /// A CPU sample.
    pub(crate) fn sample(&self, event: &Facts<'_>, findings: &mut Findings) {
        let executing_on = event
            .goroutine
            .and_then(|id| self.goroutines.get(&id))
            .and_then(|goroutine| goroutine.thread);
        if let (Some(on), Some(goroutine)) = (executing_on, event.goroutine)
            && event.thread != Some(on)
        {
            violation!(
                findings, SampleThread,
                "a sample of goroutine {goroutine} from thread {on}";
                "it from {}", Optional("thread", event.thread),
            );
        }
    }

    /// A goroutine's transition.
    pub(crate) fn goroutine(
        &mut self,
        event: &Facts<'_>,
        transition: &GoTransition,
        findings: &mut Findings,
    ) {
        let GoTransition { id, from, to, .. } = *transition;
        // 1. The states for themselves.
        if id == GoroutineId(0) || id == GoroutineId(u64::MAX) {
            violation!(
                findings, GoroutineId,
                "the id of a goroutine"; "{id}, which stands for none",
            );
        }
        if to == GoState::Undetermined {
            violation!(findings, ToUndetermined, "a state of goroutine {id}"; "{to}");
        }
        if self.is_late() && from == GoState::Undetermined {
            violation!(
                findings, LateUndetermined,
                "goroutine {id} to be known after the first generation"; "it {from} before",
            );
        }
        // 2. The state before against the tracked one.
        self.chain_goroutine(id, from, to, findings);
        // 3. The thread.
        if to.is_executing() {
            self.start_goroutine(event, id, to, findings);
        } else if from.is_executing() {
            if transition.stack != event.stack {
                violation!(
                    findings, TransitionStack,
                    "goroutine {id} to stop at {}", Optional("stack", event.stack);
                    "{}", Optional("stack", transition.stack),
                );
            }
            self.stop_goroutine(id, findings);
        }
        // 4. What ends is forgotten.
        if to == GoState::NotExist {
            self.goroutines.remove(&id);
            if !self.is_late() {
                self.ended.insert(id);
            }
        }
    }

    fn chain_goroutine(
        &mut self,
        id: GoroutineId,
        from: GoState,
        to: GoState,
        findings: &mut Findings,
    ) {
        let tracked = match self.goroutines.get_mut(&id) {
            Some(goroutine) => Some(std::mem::replace(&mut goroutine.state, to)),
            None => self.ended.contains(&id).then_some(GoState::NotExist),
        };
        match tracked {
            Some(tracked) if tracked != from => {
                violation!(
                    findings, StateChain,
                    "goroutine {id} to be {tracked} before"; "it {from}",
                );
            }
            None if !matches!(from, GoState::Undetermined | GoState::NotExist) => {
                violation!(
                    findings, StateUnknown,
                    "goroutine {id}, not known yet, to be Undetermined or NotExist before";
                    "it {from}",
                );
            }
            _ => {}
        }
        self.goroutines.entry(id).or_insert(Goroutine {
            state: to,
            thread: None,
            created: from == GoState::NotExist,
        });
    }

    fn start_goroutine(
        &mut self,
        event: &Facts<'_>,
        id: GoroutineId,
        to: GoState,
        findings: &mut Findings,
    ) {
        let Some(on) = event.thread else {
            if self.is_converted && to == GoState::Syscall {
                return;
            }
            violation!(
                findings, NoThread,
                "goroutine {id} to execute on a thread"; "none",
            );
            return;
        };
        let thread = self.threads.entry(on).or_default();
        if let Some(other) = thread.goroutine
            && other != id
        {
            violation!(
                findings, ThreadBusy,
                "thread {on} to execute no other goroutine than {id}"; "goroutine {other}",
            );
        }
        thread.goroutine = Some(id);
        if to == GoState::Running && thread.proc.is_none() {
            violation!(
                findings, RunningWithoutProc,
                "thread {on}, on which goroutine {id} is running, to hold a proc"; "none",
            );
        }
        if let Some(goroutine) = self.goroutines.get_mut(&id) {
            goroutine.thread = Some(on);
        }
    }

    fn stop_goroutine(&mut self, id: GoroutineId, findings: &mut Findings) {
        let on = self
            .goroutines
            .get_mut(&id)
            .and_then(|goroutine| goroutine.thread.take());
        let Some(on) = on else {
            if self.is_converted {
                return;
            }
            violation!(
                findings, NotOnThread,
                "goroutine {id} to have been executing on a thread"; "none",
            );
            return;
        };
        let thread = self.threads.entry(on).or_default();
        if thread.goroutine != Some(id) {
            violation!(
                findings, Displaced,
                "thread {on} to execute goroutine {id} until it stops";
                "{}", Optional("goroutine", thread.goroutine),
            );
        }
        thread.goroutine = None;
        if *thread == Thread::default() {
            self.threads.remove(&on);
        }
    }

    /// A proc's transition.
    pub(crate) fn proc(
        &mut self,
        event: &Facts<'_>,
        id: ProcId,
        from: ProcState,
        to: ProcState,
        findings: &mut Findings,
    ) {
        // 1. The states for themselves.
        if to == ProcState::Undetermined {
            violation!(findings, ToUndetermined, "a state of proc {id}"; "{to}");
        }
        if self.is_late() && from == ProcState::Undetermined {
            violation!(
                findings, LateUndetermined,
                "proc {id} to be known after the first generation"; "it {from} before",
            );
        }
        // 2. The state before against the tracked one.
        match self.procs.get(&id).map(|proc| proc.state) {
            Some(tracked) if tracked != from => {
                violation!(
                    findings, StateChain,
                    "proc {id} to be {tracked} before"; "it {from}",
                );
            }
            None if !matches!(from, ProcState::Undetermined | ProcState::NotExist) => {
                violation!(
                    findings, StateUnknown,
                    "proc {id}, not known yet, to be Undetermined or NotExist before"; "it {from}",
                );
            }
            _ => {}
        }
        let proc = self.procs.entry(id).or_insert(Proc {
            state: to,
            thread: None,
        });
        proc.state = to;
        // 3. The thread.
        if to.is_executing() {
            self.take_proc(event, id, findings);
        } else if from.is_executing() {
            self.leave_proc(id, findings);
        }
    }

    fn take_proc(&mut self, event: &Facts<'_>, id: ProcId, findings: &mut Findings) {
        let Some(on) = event.thread else {
            violation!(findings, NoThread, "proc {id} to be held by a thread"; "none");
            return;
        };
        let thread = self.threads.entry(on).or_default();
        if let Some(other) = thread.proc
            && other != id
        {
            violation!(
                findings, ThreadBusy,
                "thread {on} to hold no other proc than {id}"; "proc {other}",
            );
        }
        thread.proc = Some(id);
        if let Some(proc) = self.procs.get_mut(&id)
            && proc.thread.replace(on).is_none()
        {
            self.held += 1;
            self.check_limit(findings);
        }
    }

    fn leave_proc(&mut self, id: ProcId, findings: &mut Findings) {
        let on = self.procs.get_mut(&id).and_then(|proc| proc.thread.take());
        let Some(on) = on else {
            violation!(
                findings, NotOnThread,
                "proc {id} to have been held by a thread"; "none",
            );
            return;
        };
        self.held -= 1;
        let thread = self.threads.entry(on).or_default();
        if thread.proc != Some(id) {
            violation!(
                findings, Displaced,
                "thread {on} to hold proc {id} until it is given up";
                "{}", Optional("proc", thread.proc),
            );
        }
        thread.proc = None;
        let left = *thread;
        if left == Thread::default() {
            self.threads.remove(&on);
        }
        if let Some(goroutine) = left.goroutine
            && self
                .goroutines
                .get(&goroutine)
                .is_some_and(|g| g.state == GoState::Running)
        {
            violation!(
                findings, ProcLost,
                "thread {on}, on which goroutine {goroutine} is running, to keep proc {id}";
                "it given up",
            );
        }
    }
}

/// A resource, or none.
struct Optional<T>(&'static str, Option<T>);

impl<T: std::fmt::Display> std::fmt::Display for Optional<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.1 {
            Some(id) => write!(f, "{} {id}", self.0),
            None => write!(f, "no {}", self.0),
        }
    }
}
