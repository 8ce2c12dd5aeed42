//! What lost generations changed that the statuses of the next one do not say: open regions, tasks,
//! and how far the garbage collections have been counted.
//!
//! Memory is bounded by what is open: what begins and ends within the gap leaves nothing behind,
//! and what belongs to goroutines that are gone is forgotten.

use std::collections::BTreeMap;

use exectrace_wire::{
    BatchKind, EventType as E, GoStatus, GoroutineId, RawEvent, Strings, TaskId, ThreadId,
};

use crate::{
    error::{MendError, MendErrorKind},
    standing::Standing,
    walk::{Batch, events},
};

/// A region's task and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) task: TaskId,
    pub(crate) name: Vec<u8>,
}

/// What happened to a goroutine's open regions, in short: so many of them ended, then others began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Regions {
    pub(crate) ended: Vec<Region>,
    pub(crate) begun: Vec<Region>,
}

/// A task that began and has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) parent: TaskId,
    pub(crate) name: Vec<u8>,
}

/// The sum of what lost generations changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    pub(crate) regions: BTreeMap<GoroutineId, Regions>,
    pub(crate) tasks_begun: BTreeMap<TaskId, Task>,
    pub(crate) tasks_ended: Vec<TaskId>,
    /// GCActive, GCBegin and GCEnd by their sequence.
    pub(crate) collections: BTreeMap<u64, E>,
    pub(crate) events: u64,
    pub(crate) bytes: u64,
}

/// An event of a goroutine, before the order is known. Strings are ids of the generation.
#[derive(Clone, Copy, Debug)]
enum Step {
    RegionBegin(TaskId, u64),
    RegionEnd(TaskId, u64),
}

/// The events of one generation.
#[derive(Clone, Debug, Default)]
struct Steps {
    /// By goroutine and step of its sequence: what one thread saw of it between two hand-overs.
    regions: BTreeMap<(GoroutineId, u64), Vec<Step>>,
    tasks_begun: Vec<(TaskId, TaskId, u64)>,
    tasks_ended: Vec<TaskId>,
    /// What each thread runs, and at which step.
    running: BTreeMap<Option<ThreadId>, (GoroutineId, u64)>,
}

impl Changes {
    /// Adds a lost generation and returns how the program stood when it began.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> Result<Standing, MendError> {
        // 1. Collect events and strings; which comes first in the bytes is open.
        let mut steps = Steps::default();
        let mut strings = BTreeMap::new();
        let mut collections = BTreeMap::new();
        let mut count = 0;
        let standing = Standing::read(bytes, |batch| match batch.kind {
            BatchKind::Events => {
                let thread = batch.header.thread;
                events(batch, |event| {
                    count += 1;
                    if let E::GCActive | E::GCBegin | E::GCEnd = event.event_type {
                        collections.insert(event.padded_args()[1], event.event_type);
                    }
                    steps.event(thread, event);
                })
            }
            BatchKind::Strings => collect(batch, &mut strings),
            _ => Ok(()),
        })?;
        // 2. Forget those who did not live to see this generation.
        self.prune(&standing);
        // 3. Apply, goroutine by goroutine in the order of their sequences.
        let mut changes = Self {
            events: count,
            bytes: bytes.len() as u64,
            collections,
            ..Self::default()
        };
        let name = |id: u64| strings.get(&id).map_or(Vec::new(), |text| text.to_vec());
        for ((goroutine, _), steps) in steps.regions {
            let regions = changes.regions.entry(goroutine).or_default();
            for step in steps {
                regions.apply(step, name);
            }
        }
        for (id, parent, text) in steps.tasks_begun {
            let name = name(text);
            changes.tasks_begun.insert(id, Task { parent, name });
        }
        for id in steps.tasks_ended {
            changes.end_task(id);
        }
        self.join(changes);
        Ok(standing)
    }

    /// Adds what changed after this.
    pub(crate) fn join(&mut self, later: Self) {
        self.events += later.events;
        self.bytes += later.bytes;
        self.collections.extend(later.collections);
        for (goroutine, regions) in later.regions {
            self.regions.entry(goroutine).or_default().join(regions);
        }
        for id in later.tasks_ended {
            self.end_task(id);
        }
        self.tasks_begun.extend(later.tasks_begun);
    }

    fn end_task(&mut self, id: TaskId) {
        if self.tasks_begun.remove(&id).is_none() {
            self.tasks_ended.push(id);
        }
    }

    /// Forgets what belongs to goroutines that are not there when a generation begins, but for the
    /// ends of regions that were open before the gap.
    pub(crate) fn prune(&mut self, standing: &Standing) {
        self.regions.retain(|goroutine, regions| {
            standing.goroutines.contains_key(goroutine) || {
                regions.begun.clear();
                !regions.ended.is_empty()
            }
        });
    }
}

fn collect<'a>(batch: &Batch<'a>, strings: &mut BTreeMap<u64, &'a [u8]>) -> Result<(), MendError> {
    let wrong = |error| MendErrorKind::Record(error).at(batch.offset);
    for record in Strings::new(batch.data).map_err(wrong)? {
        let record = record.map_err(wrong)?;
        strings.insert(record.id, record.data);
    }
    Ok(())
}

impl Regions {
    fn apply(&mut self, step: Step, name: impl Fn(u64) -> Vec<u8>) {
        match step {
            Step::RegionBegin(task, text) => {
                let name = name(text);
                self.begun.push(Region { task, name });
            }
            Step::RegionEnd(task, text) => {
                let name = name(text);
                self.end(Region { task, name });
            }
        }
    }

    fn end(&mut self, region: Region) {
        if self.begun.pop().is_none() {
            self.ended.push(region);
        }
    }

    fn join(&mut self, later: Self) {
        for region in later.ended {
            self.end(region);
        }
        self.begun.extend(later.begun);
    }
}

impl Steps {
    fn event(&mut self, thread: Option<ThreadId>, event: &RawEvent) {
        let [_, a, b, c, _] = *event.padded_args();
        match event.event_type {
            // 1. Who runs on the thread from here on.
            E::GoStatus | E::GoStatusStack => {
                let on = ThreadId::from_wire(b);
                let runs = match GoStatus::from_wire(c) {
                    Some(GoStatus::Running) => on.is_none() || on == thread,
                    Some(GoStatus::Syscall) => on == thread,
                    _ => false,
                };
                if runs && thread.is_some() {
                    self.running.insert(thread, (a.into(), 0));
                }
            }
            E::GoStart | E::GoSwitch | E::GoSwitchDestroy => {
                self.running.insert(thread, (a.into(), b));
            }
            E::GoCreateSyscall => {
                self.running.insert(thread, (a.into(), 0));
            }
            E::GoStop
            | E::GoBlock
            | E::GoDestroy
            | E::GoDestroySyscall
            | E::GoSyscallEndBlocked => {
                self.running.remove(&thread);
            }
            // 2. What it does.
            E::UserRegionBegin => self.region(thread, Step::RegionBegin(a.into(), b)),
            E::UserRegionEnd => self.region(thread, Step::RegionEnd(a.into(), b)),
            E::UserTaskBegin => self.tasks_begun.push((a.into(), b.into(), c)),
            E::UserTaskEnd => self.tasks_ended.push(a.into()),
            _ => {}
        }
    }

    fn region(&mut self, thread: Option<ThreadId>, step: Step) {
        if let Some(key) = self.running.get(&thread) {
            self.regions.entry(*key).or_default().push(step);
        }
    }
}
