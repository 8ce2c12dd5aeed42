//! What programs say themselves: tasks, regions and logs of the goroutine that runs on the thread.

use std::sync::atomic::{AtomicU64, Ordering};

use exectrace_wire::{EventType, GoroutineId, TaskId};

use crate::{is_enabled, stack::Here, stats::COUNTERS, thread_state, writer::Writer};

/// The goroutine that runs on the thread, or is in a system call on it.
#[must_use]
pub fn current_goroutine() -> Option<GoroutineId> {
    let mut section = thread_state::enter()?;
    let (own, _) = section.parts();
    own.goroutine.map(super::id_of)
}

/// Begins a task, a part of `parent` unless that is [`TaskId::BACKGROUND`]. The name is the task's type:
/// a text that repeats.
///
/// A task has an id whether tracing is on or not.
#[inline(always)]
pub fn task_begin(parent: TaskId, name: &'static str) -> TaskId {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let id = TaskId(LAST.fetch_add(1, Ordering::Relaxed) + 1);
    if is_enabled() {
        task_begin_at(Here::now(), id, parent, name);
    }
    id
}

fn task_begin_at(here: Here, id: TaskId, parent: TaskId, name: &'static str) {
    user(|writer| {
        let (name, stack) = (writer.name(name), writer.stack(here));
        writer.event(EventType::UserTaskBegin, [id.0, parent.0, name, stack]);
    });
}

/// Ends a task, on any goroutine.
#[inline(always)]
pub fn task_end(task: TaskId) {
    if is_enabled() {
        task_end_at(Here::now(), task);
    }
}

fn task_end_at(here: Here, task: TaskId) {
    user(|writer| {
        let stack = writer.stack(here);
        writer.event(EventType::UserTaskEnd, [task.0, stack]);
    });
}

/// Begins a region, for a task or [`TaskId::BACKGROUND`]; whether the trace has it. If not, it MUST NOT
/// be ended, otherwise another one may end in its place.
#[inline(always)]
#[must_use]
pub fn region_begin(task: TaskId, name: &'static str) -> bool {
    is_enabled() && region(Here::now(), EventType::UserRegionBegin, task, name)
}

/// Ends the goroutine's innermost region, with the task and name with which it began.
#[inline(always)]
pub fn region_end(task: TaskId, name: &'static str) {
    if is_enabled() {
        region(Here::now(), EventType::UserRegionEnd, task, name);
    }
}

pub(crate) fn region(here: Here, event: EventType, task: TaskId, name: &'static str) -> bool {
    user(|writer| {
        let (name, stack) = (writer.name(name), writer.stack(here));
        writer.event(event, [task.0, name, stack]);
    })
}

/// As [`region_begin`]; the goroutine that has the region now, if one has.
pub(crate) fn region_begun(here: Here, task: TaskId, name: &'static str) -> Option<GoroutineId> {
    let mut goroutine = None;
    user(|writer| {
        let (text, stack) = (writer.name(name), writer.stack(here));
        writer.event(EventType::UserRegionBegin, [task.0, text, stack]);
        if writer.is_on() {
            goroutine = writer.own().goroutine.map(super::id_of);
        }
    });
    goroutine
}

/// Logs a message, for a task or [`TaskId::BACKGROUND`]. The category is a text that repeats. Of the
/// message the first 1024 bytes are kept.
#[inline(always)]
pub fn log(task: TaskId, category: &'static str, message: &str) {
    if is_enabled() {
        log_at(Here::now(), task, category, message);
    }
}

pub(crate) fn log_at(here: Here, task: TaskId, category: &'static str, message: &str) {
    user(|writer| {
        let (category, message) = (writer.name(category), writer.message(message));
        let stack = writer.stack(here);
        writer.event(EventType::UserLog, [task.0, category, message, stack]);
    });
}

/// Writes what a running goroutine says; whether it could be written.
#[inline(always)]
fn user(write: impl FnOnce(&mut Writer)) -> bool {
    let Some(mut writer) = Writer::new() else {
        return false;
    };
    if !writer.own().running {
        COUNTERS.homeless_events.add(1);
        return false;
    }
    writer.claim_context();
    write(&mut writer);
    writer.is_on()
}
