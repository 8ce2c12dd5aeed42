//! A plain model of the time in system calls, by our rules and by those of Go's summaries.

use std::collections::HashMap;

use exectrace_reader::{
    EventKind, GoState, GoroutineId, ProcId, ProcState, Reader, StateTransition, ThreadId, Time,
};

/// Whose rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rules {
    Ours,
    /// Go's differ in three points:
    ///
    /// 1. A call that never had a proc counts as one with a proc, from when it is first reported.
    /// 2. When a call ends that has lost its proc, a call of another goroutine that has the same
    ///    proc by now counts as one that never loses it.
    /// 3. Of a call without a proc that goes on at the end, the part without counts as one with a
    ///    proc, and again as a wait for the scheduler.
    Go,
}

/// What a goroutine's last life spent in system calls, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) with_proc: i64,
    pub(crate) without_proc: i64,
    /// What is counted as a wait for the scheduler.
    pub(crate) wait: i64,
}

#[derive(Debug, Default)]
struct Call {
    since: Option<Time>,
    lost: Option<Time>,
    proc: Option<ProcId>,
}

pub(crate) fn times(bytes: &[u8], rules: Rules) -> HashMap<GoroutineId, Times> {
    let mut times: HashMap<GoroutineId, Times> = HashMap::new();
    let mut calls: HashMap<GoroutineId, Call> = HashMap::new();
    let mut callers: HashMap<Option<ProcId>, GoroutineId> = HashMap::new();
    let mut held: HashMap<ThreadId, ProcId> = HashMap::new();
    let mut sync = None;
    let mut now = Time(0);
    let mut reader = Reader::new(bytes).unwrap();
    while let Ok(Some(event)) = reader.next_event() {
        now = event.time();
        let sync = sync.get_or_insert(now);
        match event.kind() {
            EventKind::Sync(_) => *sync = now,
            EventKind::StateTransition(StateTransition::Proc { id, from, to }) if from != to => {
                held.retain(|_, proc| *proc != id);
                if to == ProcState::Running {
                    held.insert(event.thread().unwrap(), id);
                } else if let Some(caller) = callers.remove(&Some(id)) {
                    calls.entry(caller).or_default().lost = Some(now);
                }
            }
            EventKind::StateTransition(StateTransition::Goroutine { id, from, to, .. })
                if from != to =>
            {
                let spent = times.entry(id).or_default();
                let call = calls.entry(id).or_default();
                if matches!(from, GoState::NotExist | GoState::Undetermined) {
                    *spent = Times::default();
                }
                if from == GoState::Syscall
                    && let Some(since) = call.since.take()
                {
                    let lost = call.lost.take();
                    spent.with_proc += lost.unwrap_or(now).since(since);
                    spent.without_proc += lost.map_or(0, |lost| now.since(lost));
                    if rules == Rules::Go || callers.get(&call.proc) == Some(&id) {
                        callers.remove(&call.proc);
                    }
                }
                if to == GoState::Syscall {
                    let before = from == GoState::Undetermined;
                    let of_thread = event.thread().and_then(|thread| held.get(&thread).copied());
                    call.proc = match rules {
                        Rules::Ours if from != GoState::Running => of_thread,
                        _ => event.proc(),
                    };
                    call.since = Some(now);
                    match (rules, call.proc) {
                        (Rules::Ours, proc) => {
                            let since = if before { *sync } else { now };
                            call.since = Some(since);
                            call.lost = proc.is_none().then_some(since);
                        }
                        (Rules::Go, None) if before => spent.without_proc += now.since(*sync),
                        (Rules::Go, Some(_)) if before => spent.with_proc += now.since(*sync),
                        (Rules::Go, _) => {}
                    }
                    if call.proc.is_some() || rules == Rules::Go {
                        callers.insert(call.proc, id);
                    }
                }
            }
            _ => {}
        }
    }
    for (id, call) in calls {
        let Some(since) = call.since else { continue };
        let spent = times.entry(id).or_default();
        match (rules, call.lost) {
            (_, None) => spent.with_proc += now.since(since),
            (Rules::Ours, Some(lost)) => {
                spent.with_proc += lost.since(since);
                spent.without_proc += now.since(lost);
            }
            (Rules::Go, Some(lost)) => {
                spent.with_proc += now.since(since);
                spent.wait += now.since(lost);
            }
        }
    }
    times
}
