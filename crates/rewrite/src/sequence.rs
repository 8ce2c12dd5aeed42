//! Sequence numbers, and what threads hold: what the format has beside the events.

use std::collections::HashMap;

use exectrace_reader::Event;
use exectrace_wire::{EventType as E, GoStatus, ProcStatus, ThreadId};

/// What a thread holds, ids as on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Context {
    proc: Option<u64>,
    goroutine: Option<u64>,
}

/// Numbers the transitions of goroutines and procs, which begin anew in each generation, and those of
/// the collector, which do not; knows what threads hold.
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    generations: u64,
    goroutines: HashMap<u64, u64>,
    procs: HashMap<u64, u64>,
    gc: u64,
    threads: HashMap<u64, Context>,
    /// The thread that holds a proc.
    holders: HashMap<u64, u64>,
}

impl Sequences {
    pub(crate) fn begin_generation(&mut self) {
        self.generations += 1;
        self.goroutines.clear();
        self.procs.clear();
    }

    pub(crate) fn next_of_goroutine(&mut self, id: u64) -> u64 {
        next(self.goroutines.entry(id).or_default())
    }

    pub(crate) fn next_of_proc(&mut self, id: u64) -> u64 {
        next(self.procs.entry(id).or_default())
    }

    pub(crate) fn next_of_gc(&mut self) -> u64 {
        next(&mut self.gc)
    }

    /// The thread on which the event is to be written, so that a reader gives it the context that it
    /// has.
    ///
    /// That is the event's thread, with one exception. The status of a goroutine in a system call is
    /// presented on the goroutine's thread with the proc of the thread that reported it (Go:
    /// `internal/trace/order.go`, `advanceGoStatus`).
    pub(crate) fn reporter(&self, event: &Event<'_>, event_type: E) -> Option<ThreadId> {
        let own = event.thread();
        let is_status = matches!(event_type, E::GoStatus | E::GoStatusStack);
        if !is_status || event.args()[2] != GoStatus::Syscall.to_wire() {
            return own;
        }
        let thread = event.args()[1];
        let known = self.threads.get(&thread);
        // Written elsewhere, it would contradict what is known of the thread.
        if known.is_some_and(|known| known.goroutine != Some(event.args()[0])) {
            return own;
        }
        match (event.proc(), known) {
            (Some(proc), _) => self.holders.get(&proc.0).copied().map(ThreadId).or(own),
            (None, Some(known)) if known.proc.is_some() => None,
            (None, Some(_)) => own,
            // After the first generation, a thread that is new cannot say itself what it runs.
            (None, None) => match event.goroutine() {
                Some(goroutine) => self.runner(goroutine.0),
                None if self.generations > 1 => None,
                None => own,
            },
        }
    }

    /// The thread that runs a goroutine, if one does.
    fn runner(&self, goroutine: u64) -> Option<ThreadId> {
        let runners = self.threads.iter();
        runners
            .filter(|(_, context)| context.goroutine == Some(goroutine))
            .map(|(thread, _)| ThreadId(*thread))
            .min_by_key(|thread| thread.0)
    }

    /// Follows an event that `thread` reports.
    pub(crate) fn follow(&mut self, thread: Option<ThreadId>, event_type: E, args: &[u64; 4]) {
        let id = args[0];
        match event_type {
            E::GoCreate | E::GoCreateBlocked => {
                self.goroutines.remove(&id);
            }
            E::GoCreateSyscall => {
                self.goroutines.remove(&id);
                self.bind(thread, Some(id));
            }
            E::GoStart | E::GoSwitch | E::GoSwitchDestroy => self.bind(thread, Some(id)),
            E::GoStop | E::GoBlock | E::GoDestroy | E::GoSyscallEndBlocked => {
                self.bind(thread, None);
            }
            E::GoDestroySyscall => {
                self.bind(thread, None);
                self.release(thread);
            }
            E::GoStatus | E::GoStatusStack => {
                self.goroutines.remove(&id);
                match GoStatus::from_wire(args[2]) {
                    Some(GoStatus::Running) => self.bind(thread, Some(id)),
                    Some(GoStatus::Syscall) => self.bind(Some(ThreadId(args[1])), Some(id)),
                    _ => {}
                }
            }
            E::ProcStatus => {
                self.procs.remove(&id);
                let held = [ProcStatus::Running.to_wire(), ProcStatus::Syscall.to_wire()];
                if held.contains(&args[1]) {
                    self.take(thread, id);
                }
            }
            E::ProcStart => self.take(thread, id),
            E::ProcStop => self.release(thread),
            E::ProcSteal => {
                if let Some(holder) = self.holders.get(&id).copied() {
                    self.release(Some(ThreadId(holder)));
                }
            }
            _ => {
                if let Some(thread) = thread {
                    self.threads.entry(thread.0).or_default();
                }
            }
        }
    }

    fn bind(&mut self, thread: Option<ThreadId>, goroutine: Option<u64>) {
        if let Some(thread) = thread {
            self.threads.entry(thread.0).or_default().goroutine = goroutine;
        }
    }

    fn take(&mut self, thread: Option<ThreadId>, proc: u64) {
        if let Some(thread) = thread {
            self.threads.entry(thread.0).or_default().proc = Some(proc);
            self.holders.insert(proc, thread.0);
        }
    }

    fn release(&mut self, thread: Option<ThreadId>) {
        if let Some(thread) = thread
            && let Some(context) = self.threads.get_mut(&thread.0)
            && let Some(proc) = context.proc.take()
        {
            self.holders.remove(&proc);
        }
    }
}

fn next(number: &mut u64) -> u64 {
    *number += 1;
    *number
}
