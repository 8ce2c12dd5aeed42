//! The rules of user tasks and regions.

use exectrace_wire::{GoroutineId, TaskId};

use super::{NameId, Ordering, Refusal, ThreadSlot, refuse};
use crate::{error::OrderError, record::What, stream::Decoded, tables::Tables};

/// A task that has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct ActiveTask {
    parent: u64,
    name: NameId,
}

/// A region that has begun on a goroutine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OpenRegion {
    task: u64,
    name: NameId,
}

impl Ordering {
    pub(super) fn task_begin(
        &mut self,
        slot: ThreadSlot,
        event: &Decoded,
        tables: &Tables,
    ) -> Result<(), Refusal> {
        let at = self.context(slot);
        let [id, parent, name, _] = event.args();
        if self.task_slots.get(id).is_some() {
            return refuse(OrderError::TaskActive(TaskId(id)));
        }
        at.require_user()?;
        // A missing name is reported with the delivered event; until then it is empty.
        let name = self.names.of_string_or_empty(name, &tables.strings);
        // 0 means "no parent" here. Regions and logs mean the background task by it.
        let parent = if parent == TaskId::BACKGROUND.0 {
            TaskId::NONE.0
        } else {
            parent
        };
        let slot = self.tasks.insert(ActiveTask { parent, name });
        self.task_slots.insert(id, slot);
        let [_, _, name, stack] = event.args();
        let event = event.derive(event.event_type, [id, parent, name, stack]);
        self.emit(at, &event, What::Plain(event.event_type));
        Ok(())
    }

    /// The end of a task gets the type and the parent of its beginning. A task that began before
    /// the trace is fine, and so is one that ends twice.
    pub(super) fn task_end(&mut self, slot: ThreadSlot, event: &Decoded) -> Result<(), Refusal> {
        let at = self.context(slot);
        at.require_user()?;
        let (id, stack) = (event.arg::<0>(), event.arg::<1>());
        self.kept.0.clear();
        let mut parent = TaskId::NONE.0;
        if let Some(slot) = self.task_slots.remove(id) {
            let task = self.tasks[slot];
            self.kept.0.extend_from_slice(self.names.text(task.name));
            self.tasks[slot].name = NameId::EMPTY;
            self.tasks.free(slot);
            parent = task.parent;
        }
        let event = event.derive(event.event_type, [id, stack, parent, 0]);
        self.emit(at, &event, What::Kept(event.event_type));
        Ok(())
    }

    pub(super) fn region_begin(
        &mut self,
        slot: ThreadSlot,
        event: &Decoded,
        tables: &Tables,
    ) -> Result<(), Refusal> {
        let at = self.context(slot);
        at.require_user()?;
        let region = self.region(event, tables);
        self.open(at.goroutine)?.regions.push(region);
        self.emit(at, event, What::Plain(event.event_type));
        Ok(())
    }

    pub(super) fn region_end(
        &mut self,
        slot: ThreadSlot,
        event: &Decoded,
        tables: &Tables,
    ) -> Result<(), Refusal> {
        let at = self.context(slot);
        at.require_user()?;
        let region = self.region(event, tables);
        let regions = &mut self.open(at.goroutine)?.regions;
        match regions.last() {
            Some(innermost) if *innermost != region => {
                return refuse(OrderError::RegionMismatch(GoroutineId(at.goroutine)));
            }
            // Nothing is known of regions that began before the trace.
            _ => regions.pop(),
        };
        self.emit(at, event, What::Plain(event.event_type));
        Ok(())
    }

    fn region(&mut self, event: &Decoded, tables: &Tables) -> OpenRegion {
        let (task, name) = (event.arg::<0>(), event.arg::<1>());
        OpenRegion {
            task,
            name: self.names.of_string_or_empty(name, &tables.strings),
        }
    }

    /// Starts the names of a generation, keeping those of open tasks, regions and ranges.
    pub(super) fn forget_dead_names(&mut self) {
        let (tasks, open) = (&mut self.tasks, &mut self.open);
        self.names.begin_generation(|visit| {
            tasks.iter_mut().for_each(|task| visit(&mut task.name));
            for open in open.iter_mut() {
                open.regions
                    .iter_mut()
                    .for_each(|region| visit(&mut region.name));
                open.ranges
                    .iter_mut()
                    .filter_map(|range| range.name.as_mut())
                    .for_each(&mut *visit);
            }
        });
    }
}
