//! Tasks: what the program works on, across threads, from the first to the last step.

use std::sync::Arc;

use exectrace_wire::TaskId;

use crate::{Region, log, raw};

/// A request, a job, a transaction: something that the program works on, on any number of threads, and
/// that Go's tools show as one.
///
/// It ends when it is dropped, on whatever thread that happens. It can be shared: regions and logs may
/// be made for it by reference anywhere.
///
/// While tracing is off a task costs a number. One that began then has no beginning in the trace, but
/// what is made for it bears its number.
///
/// ```
/// use exectrace::Task;
///
/// let request = Task::new("request");
/// let query = request.child("query");
/// std::thread::scope(|scope| {
///     scope.spawn(|| {
///         let _region = query.region("parse");
///         query.log("statement", "select 1");
///     });
/// });
/// query.end();
/// ```
#[derive(Debug)]
#[must_use = "when it is dropped, it ends"]
pub struct Task {
    id: TaskId,
}

impl Task {
    /// Begins a task. The name is its type: a text that repeats.
    #[inline(always)]
    pub fn new(name: &'static str) -> Self {
        Self::part_of(TaskId::BACKGROUND, name)
    }

    /// Begins a task that is a part of another, of which only the id is at hand.
    #[inline(always)]
    pub fn part_of(parent: TaskId, name: &'static str) -> Self {
        Self {
            id: raw::task_begin(parent, name),
        }
    }

    /// Begins a task that is a part of this one. It may last longer.
    #[inline(always)]
    pub fn child(&self, name: &'static str) -> Self {
        Self::part_of(self.id, name)
    }

    /// Its id in traces: what may be sent along with a message where the task cannot.
    #[must_use]
    pub const fn id(&self) -> TaskId {
        self.id
    }

    /// Begins a region of the calling goroutine that belongs to the task.
    #[inline(always)]
    pub fn region(&self, name: &'static str) -> Region {
        Region::of_task(self.id, name)
    }

    /// Runs `work` in a region that belongs to the task.
    #[inline(always)]
    pub fn in_region<R>(&self, name: &'static str, work: impl FnOnce() -> R) -> R {
        let _region = self.region(name);
        work()
    }

    /// Logs a message for the task; [`log!`](crate::log!) formats one.
    #[inline(always)]
    pub fn log(&self, category: &'static str, message: &str) {
        log::write_text(self.id, category, message);
    }

    /// Ends it.
    #[inline(always)]
    pub fn end(self) {}
}

impl Drop for Task {
    #[inline(always)]
    fn drop(&mut self) {
        raw::task_end(self.id);
    }
}

/// What a log or region may be made for: a [`Task`], its id, or nothing in particular, `()`.
pub trait AsTask {
    /// The task's id.
    fn as_task(&self) -> TaskId;
}

impl AsTask for Task {
    fn as_task(&self) -> TaskId {
        self.id
    }
}

impl AsTask for TaskId {
    fn as_task(&self) -> TaskId {
        *self
    }
}

impl AsTask for () {
    fn as_task(&self) -> TaskId {
        TaskId::BACKGROUND
    }
}

impl<T: AsTask + ?Sized> AsTask for &T {
    fn as_task(&self) -> TaskId {
        (**self).as_task()
    }
}

impl<T: AsTask + ?Sized> AsTask for Arc<T> {
    fn as_task(&self) -> TaskId {
        (**self).as_task()
    }
}
