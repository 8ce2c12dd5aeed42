//! The writer: ordered events in, a trace out.

use std::{collections::HashSet, io::Write};

use exectrace_reader::{Event, EventKind, Stack, Sync, Time};
use exectrace_wire::{
    ArgKind, EventType as E, Experiment, Family, Generation, GoStatus, GoroutineId, ProcId, TaskId,
    ThreadId, Version, limits::MAX_ARGS,
};

use crate::{error::RewriteError, generation::OpenGeneration, losses::Losses, sequence::Sequences};

/// What is to be changed on the way. By default nothing is.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Changes {
    /// Leave out all stacks; CPU samples stay, without theirs.
    pub drop_stacks: bool,
    /// Leave out CPU samples.
    pub drop_samples: bool,
}

impl Changes {
    /// Sets [`Changes::drop_stacks`].
    #[must_use]
    pub fn drop_stacks(mut self, drop: bool) -> Self {
        self.drop_stacks = drop;
        self
    }

    /// Sets [`Changes::drop_samples`].
    #[must_use]
    pub fn drop_samples(mut self, drop: bool) -> Self {
        self.drop_samples = drop;
        self
    }
}

/// Writes the events of a [`Reader`](exectrace_reader::Reader) of a v2 trace as a trace.
///
/// All events of the trace MUST be written in order, syncs included: these begin generations, and
/// what is missing from between makes a trace that no reader accepts. [`TraceWriter::finish`] MUST be
/// called, otherwise the last generation is missing.
///
/// The clock of what is written counts nanoseconds, so that all times stay as they are. Two things
/// are beyond it: the times of syncs and CPU samples are rounded by up to a microsecond if the trace
/// clock is beyond 104 days.
#[derive(Debug)]
pub struct TraceWriter<W> {
    out: W,
    version: Version,
    changes: Changes,
    open: Option<OpenGeneration>,
    last_number: Option<Generation>,
    last_time: Option<Time>,
    sequences: Sequences,
    /// Events to come that belong to one that is written already: a coroutine switch is three.
    implied: u8,
    /// The time of a goroutine's end in a system call, told by the event before.
    end_time: Option<Time>,
    /// Coroutines that the version has made runnable before they are.
    runnable: HashSet<u64>,
    losses: Losses,
}

impl<W: Write> TraceWriter<W> {
    /// Begins a trace of a version of the v2 family.
    ///
    /// # Errors
    ///
    /// If the version is of the v1 family or the header cannot be written.
    pub fn new(mut out: W, version: Version, changes: Changes) -> Result<Self, RewriteError> {
        if version.family() != Family::V2 {
            return Err(RewriteError::Target(version));
        }
        out.write_all(&version.header())?;
        Ok(Self {
            out,
            version,
            changes,
            open: None,
            last_number: None,
            last_time: None,
            sequences: Sequences::default(),
            implied: 0,
            end_time: None,
            runnable: HashSet::new(),
            losses: Losses::default(),
        })
    }

    /// Writes the next event.
    ///
    /// # Errors
    ///
    /// If it cannot be written; then the trace is no whole one and never will be.
    pub fn write(&mut self, event: &Event<'_>) -> Result<(), RewriteError> {
        match event.event_type() {
            Some(event_type) => self.event(event, event_type)?,
            None => match event.kind() {
                EventKind::Sync(sync) => self.sync(event.time(), &sync)?,
                _ => self.sample(event)?,
            },
        }
        self.last_time = Some(event.time());
        Ok(())
    }

    /// Writes what is left of the last generation; returns what received the trace, and what is lost.
    ///
    /// # Errors
    ///
    /// If it cannot be written, or if there is no generation and the version demands one.
    pub fn finish(mut self) -> Result<(W, Losses), RewriteError> {
        self.finish_generation()?;
        if self.last_number.is_none() && !self.version.has_end_of_generation() {
            return Err(RewriteError::Empty(self.version));
        }
        self.out.flush()?;
        Ok((self.out, self.losses))
    }

    fn finish_generation(&mut self) -> Result<(), RewriteError> {
        if let Some(open) = self.open.take() {
            open.finish(&mut self.out, self.version)?;
        }
        Ok(())
    }

    fn sync(&mut self, time: Time, sync: &Sync<'_>) -> Result<(), RewriteError> {
        self.finish_generation()?;
        let Some(number) = sync.generation() else {
            return Ok(());
        };
        // Before 1.26, only the next number begins a generation: gaps are closed.
        let number = match self.last_number {
            Some(last) if !self.version.has_end_of_generation() => {
                Generation(last.0.wrapping_add(1))
            }
            _ => number,
        };
        self.last_number = Some(number);
        self.count_losses(sync);
        self.begin_generation(number, time, sync)
    }

    fn begin_generation(
        &mut self,
        number: Generation,
        time: Time,
        sync: &Sync<'_>,
    ) -> Result<(), RewriteError> {
        let start = wire_time(time)?;
        let is_raised = self.last_time.is_some_and(|last| time.since(last) == 1);
        let (out, version) = (&mut self.out, self.version);
        let open = OpenGeneration::begin(out, version, number, start, is_raised, sync)?;
        self.open = Some(open);
        self.sequences.begin_generation();
        Ok(())
    }

    fn count_losses(&mut self, sync: &Sync<'_>) {
        match (sync.clock(), self.version.has_clock_snapshot()) {
            (Some(_), false) => self.losses.clocks += 1,
            (None, true) => self.losses.made_up_clocks += 1,
            _ => {}
        }
        if !E::ExperimentalBatch.available_in(self.version) {
            self.losses.experimental_batches += sync.experimental_batches().count() as u64;
        }
    }

    fn sample(&mut self, event: &Event<'_>) -> Result<(), RewriteError> {
        if self.changes.drop_samples {
            return Ok(());
        }
        let time = wire_time(event.time())?;
        let stack = event.stack().filter(|_| !self.changes.drop_stacks);
        let open = open(&mut self.open, event.time())?;
        let stack = open.stack(stack);
        open.sample(&[
            time,
            ThreadId::to_wire(event.thread()),
            ProcId::to_wire(event.proc()),
            GoroutineId::to_wire(event.goroutine()),
            stack,
        ]);
        Ok(())
    }

    fn event(&mut self, event: &Event<'_>, event_type: E) -> Result<(), RewriteError> {
        // 1. What is implied by another event is not written.
        if self.implied > 0 {
            self.implied -= 1;
            return Ok(());
        }
        if event_type == E::ProcSteal && event.args()[1] == 0 {
            self.end_time = Some(event.time());
            return Ok(());
        }
        let time = match event_type {
            E::GoDestroySyscall => self.end_time.take().unwrap_or(event.time()),
            _ => event.time(),
        };

        // 2. What the version can say.
        let mut args = *event.args();
        let Some(event_type) = self.in_version(event, event_type, &mut args) else {
            return Ok(());
        };
        if event_type == E::UserTaskBegin && args[1] == TaskId::NONE.0 {
            // The wire says by 0 that a task has no parent.
            args[1] = TaskId::BACKGROUND.0;
        }
        if matches!(event_type, E::GoSwitch | E::GoSwitchDestroy) {
            self.implied = 2;
        }

        // 3. Its numbers; the first is its time, which the generation fills in.
        let thread = self.sequences.reporter(event, event_type);
        let mut numbers = [0; MAX_ARGS];
        let specs = event_type.spec().args;
        for ((number, spec), &arg) in numbers.iter_mut().zip(specs).skip(1).zip(&args) {
            *number = match spec.kind {
                ArgKind::GoroutineSeq => self.sequences.next_of_goroutine(args[0]),
                ArgKind::ProcSeq if event_type == E::GoSyscallBegin => {
                    let proc = ProcId::to_wire(event.proc());
                    self.sequences.next_of_proc(proc)
                }
                ArgKind::ProcSeq => self.sequences.next_of_proc(args[0]),
                ArgKind::GcSeq => self.sequences.next_of_gc(),
                ArgKind::String => open(&mut self.open, time)?
                    .string_of(arg, || event.string(arg).unwrap_or_default()),
                ArgKind::Stack => {
                    let stack = self.stack(event, arg);
                    open(&mut self.open, time)?.stack(stack)
                }
                _ => arg,
            };
        }

        // 4. Written, and followed.
        let numbers = &mut numbers[..specs.len()];
        open(&mut self.open, time)?.event(
            &mut self.out,
            thread,
            wire_time(time)?,
            event_type,
            numbers,
        )?;
        self.sequences.follow(thread, event_type, &args);
        Ok(())
    }

    fn stack<'a>(&self, event: &Event<'a>, id: u64) -> Option<Stack<'a>> {
        if self.changes.drop_stacks {
            return None;
        }
        event.stack_with_id(id)
    }

    /// The event as the version can express it: itself, another one, or none.
    fn in_version(&mut self, event: &Event<'_>, event_type: E, args: &mut [u64; 4]) -> Option<E> {
        if self.version >= Version::Go123 {
            return Some(event_type);
        }
        let id = args[0];
        match event_type {
            _ if event_type.spec().experiment != Experiment::None => {
                self.losses.experimental_events += 1;
                None
            }
            E::GoCreateBlocked => {
                self.losses.blocked_creations += 1;
                self.runnable.insert(id);
                Some(E::GoCreate)
            }
            // The two events after it say the rest, in these versions as themselves.
            E::GoUnblock | E::GoSwitch | E::GoSwitchDestroy => {
                if self.runnable.remove(&id) {
                    self.losses.early_runnable += 1;
                    return None;
                }
                if event_type != E::GoUnblock {
                    // A switch tells no stack.
                    args[2] = 0;
                }
                Some(E::GoUnblock)
            }
            E::GoStatus | E::GoStatusStack => {
                if event_type == E::GoStatusStack && event.stack().is_some() {
                    self.losses.status_stacks += 1;
                }
                if self.runnable.contains(&id) && args[2] == GoStatus::Waiting.to_wire() {
                    self.losses.early_runnable += 1;
                    args[2] = GoStatus::Runnable.to_wire();
                }
                Some(E::GoStatus)
            }
            _ => Some(event_type),
        }
    }
}

fn open(
    open: &mut Option<OpenGeneration>,
    time: Time,
) -> Result<&mut OpenGeneration, RewriteError> {
    open.as_mut().ok_or(RewriteError::NoGeneration(time))
}

fn wire_time(time: Time) -> Result<u64, RewriteError> {
    u64::try_from(time.nanos()).map_err(|_| RewriteError::Time(time))
}
