//! Rules on what users annotate: tasks, regions and messages.

use std::collections::HashMap;

use exectrace_reader::{GoroutineId, Log, Region, Task, TaskId, Text};

use crate::report::{Findings, violation};

/// Active tasks and open regions.
#[derive(Debug, Default)]
pub(crate) struct User {
    /// The types of active tasks.
    tasks: HashMap<TaskId, Box<[u8]>>,
    /// The open regions of goroutines, innermost last. No entry is empty.
    regions: HashMap<GoroutineId, Vec<OpenRegion>>,
}

/// A region's task and type.
type OpenRegion = (TaskId, Box<[u8]>);

impl User {
    /// The number of goroutines with open regions.
    #[cfg(test)]
    pub(crate) fn live(&self) -> usize {
        self.regions.len()
    }

    pub(crate) fn task_begin(&mut self, task: Task<'_>, findings: &mut Findings) {
        let Task { id, parent, kind } = task;
        if id == TaskId::NONE || id == TaskId::BACKGROUND {
            violation!(
                findings, TaskId,
                "the id of a task"; "{}, which is not one", id,
            );
        }
        match parent {
            Some(TaskId::BACKGROUND) => {
                violation!(
                    findings, TaskParent,
                    "task {id} to be a part of no task or another one"; "of the background task",
                );
            }
            Some(parent) if parent == id => {
                violation!(
                    findings, TaskOwnParent,
                    "task {id} to be a part of no task or another one"; "of itself",
                );
            }
            Some(parent) => self.refer(parent, "a part", findings),
            None => {}
        }
        if self.tasks.insert(id, kind.as_bytes().into()).is_some() {
            violation!(findings, TaskActive, "task {id} not to be active"; "it active");
        }
    }

    pub(crate) fn task_end(&mut self, task: Task<'_>, findings: &mut Findings) {
        match self.tasks.remove(&task.id) {
            Some(kind) if *kind != *task.kind.as_bytes() => {
                violation!(
                    findings, TaskType,
                    "task {} to end as {:?}", task.id, Text::new(&kind); "{:?}", task.kind,
                );
            }
            Some(_) => {}
            None => unknown(task.id, "an end", findings),
        }
    }

    pub(crate) fn region_begin(
        &mut self,
        goroutine: Option<GoroutineId>,
        region: Region<'_>,
        findings: &mut Findings,
    ) {
        self.refer(region.task, "a region", findings);
        if let Some(goroutine) = goroutine {
            self.regions
                .entry(goroutine)
                .or_default()
                .push((region.task, region.name.as_bytes().into()));
        }
    }

    /// The end of a region; `created` says whether the goroutine was created in the trace, so that
    /// all its regions are known.
    pub(crate) fn region_end(
        &mut self,
        goroutine: Option<GoroutineId>,
        region: Region<'_>,
        created: bool,
        findings: &mut Findings,
    ) {
        self.refer(region.task, "a region", findings);
        let Some(goroutine) = goroutine else {
            return;
        };
        let Some(open) = self.regions.get_mut(&goroutine) else {
            if created {
                violation!(
                    findings, RegionNotOpen,
                    "goroutine {goroutine} to have an open region"; "none, but the end of {:?}",
                    region.name,
                );
            }
            return;
        };
        if let Some((task, name)) = open.pop()
            && (task != region.task || *name != *region.name.as_bytes())
        {
            violation!(
                findings, RegionNesting,
                "goroutine {goroutine} to end its region {:?} of task {task}", Text::new(&name);
                "{:?} of task {}", region.name, region.task,
            );
        }
        if open.is_empty() {
            self.regions.remove(&goroutine);
        }
    }

    pub(crate) fn log(&self, log: Log<'_>, findings: &mut Findings) {
        self.refer(log.task, "a message", findings);
    }

    pub(crate) fn goroutine_ends(&mut self, id: GoroutineId, findings: &mut Findings) {
        if let Some(open) = self.regions.remove(&id) {
            violation!(
                findings, RegionOpenAtExit,
                "goroutine {id} to end its regions before it ends"; "{} open", open.len(),
            );
        }
    }

    fn refer(&self, task: TaskId, what: &str, findings: &mut Findings) {
        if task != TaskId::BACKGROUND && !self.tasks.contains_key(&task) {
            unknown(task, what, findings);
        }
    }
}

fn unknown(task: TaskId, what: &str, findings: &mut Findings) {
    violation!(
        findings, TaskUnknown,
        "{what} of an active task"; "{what} of task {task}",
    );
}
