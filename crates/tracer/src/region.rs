//! Regions: what a goroutine is doing.
//!
//! Readers demand of a goroutine's regions that the innermost ends first, and refuse the whole trace
//! otherwise. Guards can be dropped in any order, leaked, and taken to where another goroutine runs. So
//! each thread knows which regions of its goroutines the trace has open, and ends what has to end.

use std::{cell::RefCell, marker::PhantomData, mem};

use exectrace_wire::{EventType, GoroutineId, TaskId};

use crate::{raw, stack::Here};

/// Open regions that a thread remembers. Past that, the oldest are never ended: they were leaked.
const REMEMBERED: usize = 1024;

/// A region of the goroutine that runs on the thread. It ends when it is dropped.
///
/// It cannot be sent to another thread. If another goroutine runs on the thread when it is dropped, or
/// the program switched tracing on after it began, the trace does not have its end. If regions that
/// began inside it have not ended, they end with it.
///
/// ```
/// use exectrace::Region;
///
/// let total: u64 = {
///     let _region = Region::new("sum");
///     (0..100).sum()
/// };
/// assert_eq!(total, Region::run("sum", || (0..100).sum()));
/// ```
///
/// ```compile_fail
/// let region = exectrace::Region::new("stays here");
/// std::thread::spawn(move || drop(region));
/// ```
#[derive(Debug)]
#[must_use = "when it is dropped, it ends"]
pub struct Region {
    /// Who it is; `None` if the trace does not have its beginning.
    key: Option<Key>,
    here: PhantomData<*const ()>,
}

/// A goroutine and the number of one of its regions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    goroutine: GoroutineId,
    number: u64,
}

/// A region that the trace has open.
#[derive(Debug)]
struct Open {
    key: Key,
    task: TaskId,
    name: &'static str,
}

/// The open regions of a flow of control, the innermost last. A coroutine takes its own along.
#[derive(Debug, Default)]
pub(crate) struct Regions {
    last: u64,
    open: Vec<Open>,
}

thread_local! {
    static REGIONS: RefCell<Regions> = const { RefCell::new(Regions { last: 0, open: Vec::new() }) };
}

impl Region {
    /// Begins a region for no task. The name is a text that repeats.
    #[inline(always)]
    pub fn new(name: &'static str) -> Self {
        Self::of_task(TaskId::BACKGROUND, name)
    }

    /// Begins a region for a task of which only the id is at hand.
    #[inline(always)]
    pub fn of_task(task: TaskId, name: &'static str) -> Self {
        let key = if crate::is_enabled() {
            begin(Here::now(), task, name)
        } else {
            None
        };
        Self {
            key,
            here: PhantomData,
        }
    }

    /// Runs `work` in a region for no task.
    #[inline(always)]
    pub fn run<R>(name: &'static str, work: impl FnOnce() -> R) -> R {
        let _region = Self::new(name);
        work()
    }

    /// Ends it.
    #[inline(always)]
    pub fn end(self) {}
}

impl Drop for Region {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(key) = self.key {
            end(Here::now(), key);
        }
    }
}

fn begin(here: Here, task: TaskId, name: &'static str) -> Option<Key> {
    with(|regions| {
        let goroutine = raw::user::region_begun(here, task, name)?;
        if regions.open.len() == REMEMBERED {
            regions.open.remove(0);
        }
        regions.last += 1;
        let number = regions.last;
        let key = Key { goroutine, number };
        regions.open.push(Open { key, task, name });
        Some(key)
    })
}

fn end(here: Here, key: Key) -> Option<()> {
    with(|regions| {
        let at = regions.open.iter().rposition(|open| open.key == key)?;
        if raw::current_goroutine() != Some(key.goroutine) {
            return None;
        }
        // Those of other goroutines may have begun in between.
        let inside = regions.open.split_off(at);
        let (mut ended, others): (Vec<_>, Vec<_>) = inside
            .into_iter()
            .partition(|open| open.key.goroutine == key.goroutine);
        regions.open.extend(others);
        while let Some(open) = ended.pop() {
            if crate::is_enabled() {
                raw::user::region(here, EventType::UserRegionEnd, open.task, open.name);
            }
        }
        Some(())
    })
}

/// `None` in a thread-local destructor that runs late, and where the tracer traces itself.
fn with<R>(f: impl FnOnce(&mut Regions) -> Option<R>) -> Option<R> {
    REGIONS
        .try_with(|regions| f(&mut *regions.try_borrow_mut().ok()?))
        .ok()?
}

/// Puts a coroutine's regions in the place of its caller's, or the other way round.
pub(crate) fn exchange(regions: &mut Regions) {
    with(|current| {
        mem::swap(current, regions);
        Some(())
    });
}

/// Begins a region that lasts to the end of the block: `region!("parse")`, or for a task:
/// `region!(&task, "parse")`.
///
/// ```
/// let task = exectrace::Task::new("request");
/// {
///     exectrace::region!("outer");
///     exectrace::region!(task, "inner");
/// }
/// ```
#[macro_export]
macro_rules! region {
    ($name:literal $(,)?) => {
        let _region = $crate::Region::new($name);
    };
    ($task:expr, $name:expr $(,)?) => {
        let _region = $crate::Region::of_task($crate::AsTask::as_task(&$task), $name);
    };
}
