//! Tasks and regions while a trace is read.

use exectrace_reader::{TaskId, Time};

use super::{
    places::slot,
    tables::{Region, Task},
};
use crate::{
    ids::{GoroutineIx, RegionIx, StackIx, StringIx, TaskIx},
    index::IdIndex,
    symbols::EMPTY,
};

/// Where a task or region begins or ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) time: Time,
    pub(super) stack: Option<StackIx>,
}

#[derive(Debug, Default)]
pub(super) struct UserTables {
    pub(super) tasks: Vec<Task>,
    pub(super) regions: Vec<Region>,
    task_ids: IdIndex,
    /// By goroutine: its innermost open region.
    innermost: Vec<Option<RegionIx>>,
}

impl UserTables {
    /// A task that something mentions; `None` for the background task.
    pub(super) fn task(&mut self, id: TaskId) -> Option<TaskIx> {
        if id == TaskId::BACKGROUND || id == TaskId::NONE {
            return None;
        }
        if let Some(task) = self.task_ids.get(id.0) {
            return Some(TaskIx(task));
        }
        Some(self.add_task(id))
    }

    fn add_task(&mut self, id: TaskId) -> TaskIx {
        let task = TaskIx::new(self.tasks.len());
        self.tasks.push(Task {
            id,
            parent: None,
            kind: EMPTY,
            start: None,
            end: None,
            begun_by: None,
            ended_by: None,
            begin_stack: None,
        });
        self.task_ids.set(id.0, task.0);
        task
    }

    pub(super) fn begin_task(
        &mut self,
        id: TaskId,
        parent: Option<TaskId>,
        kind: StringIx,
        goroutine: Option<GoroutineIx>,
        edge: Edge,
    ) {
        let parent = parent.and_then(|parent| self.task(parent));
        let Some(mut at) = self.task(id) else {
            return;
        };
        let known = &self.tasks[at.index()];
        if known.start.is_some() || known.end.is_some() {
            // An id that is used again.
            at = self.add_task(id);
        }
        let task = &mut self.tasks[at.index()];
        task.parent = parent;
        task.kind = kind;
        task.start = Some(edge.time);
        task.begun_by = goroutine;
        task.begin_stack = edge.stack;
    }

    pub(super) fn end_task(
        &mut self,
        id: TaskId,
        parent: Option<TaskId>,
        kind: StringIx,
        goroutine: Option<GoroutineIx>,
        time: Time,
    ) {
        let parent = parent.and_then(|parent| self.task(parent));
        let Some(at) = self.task(id) else {
            return;
        };
        let task = &mut self.tasks[at.index()];
        task.parent = task.parent.or(parent);
        if task.kind == EMPTY {
            task.kind = kind;
        }
        task.end = Some(time);
        task.ended_by = goroutine;
    }

    pub(super) fn begin_region(
        &mut self,
        goroutine: GoroutineIx,
        task: TaskId,
        name: StringIx,
        edge: Edge,
    ) {
        let task = self.task(task);
        let innermost = slot(&mut self.innermost, goroutine.index());
        let parent = innermost.replace(RegionIx::new(self.regions.len()));
        self.regions.push(Region {
            name,
            goroutine,
            task,
            parent,
            start: Some(edge.time),
            end: None,
            begin_stack: edge.stack,
            end_stack: None,
        });
    }

    pub(super) fn end_region(
        &mut self,
        goroutine: GoroutineIx,
        task: TaskId,
        name: StringIx,
        edge: Edge,
    ) {
        let task = self.task(task);
        let innermost = slot(&mut self.innermost, goroutine.index());
        // The reader sees to it that regions nest; after damage, what ends may be another region.
        let region = innermost.and_then(|at| self.regions.get_mut(at.index()));
        match region.filter(|region| region.name == name && region.task == task) {
            Some(region) => {
                region.end = Some(edge.time);
                region.end_stack = edge.stack;
                *innermost = region.parent;
            }
            None => self.regions.push(Region {
                name,
                goroutine,
                task,
                parent: None,
                start: None,
                end: Some(edge.time),
                begin_stack: None,
                end_stack: edge.stack,
            }),
        }
    }

    /// The task of a goroutine's innermost open region; `None` if it has no open region.
    #[inline]
    pub(super) fn innermost(&self, goroutine: GoroutineIx) -> Option<&Region> {
        let region = self.innermost.get(goroutine.index()).copied().flatten()?;
        self.regions.get(region.index())
    }
}
