//! Rules on generations: their syncs, clocks and stacks.

use exectrace_reader::{ClockSnapshot, Frame, Generation, Stack, Time, Version, WallTime};

use crate::{
    facts::Sync,
    report::{Findings, violation},
};

/// The syncs so far.
#[derive(Debug, Default)]
pub(crate) struct Generations {
    /// The number of the last sync.
    number: u64,
    generation: Option<Generation>,
    /// The latest snapshot.
    clock: Option<ClockSnapshot>,
    /// The time of the current generation's sync, if it has a snapshot.
    begin: Option<Time>,
}

impl Generations {
    /// A sync at `time`, and so the end of the generation before. `last` is the time of the event
    /// before.
    pub(crate) fn sync(
        &mut self,
        version: Version,
        sync: &Sync,
        time: Time,
        last: Option<Time>,
        findings: &mut Findings,
    ) {
        self.end(last, findings);
        if sync.number != self.number.wrapping_add(1) {
            violation!(
                findings, SyncNumber,
                "sync {}", self.number.wrapping_add(1); "sync {}", sync.number,
            );
        }
        self.number = sync.number;
        self.generation(sync, findings);
        self.clock(version, sync, findings);
        self.begin = sync.clock.map(|_| time);
    }

    /// The end of a generation; `last` is the time of its last event.
    pub(crate) fn end(&mut self, last: Option<Time>, findings: &mut Findings) {
        if let (Some(begin), Some(clock), Some(last)) = (self.begin.take(), self.clock, last)
            && begin < last
            && last < clock.trace
        {
            violation!(
                findings, ClockPlacement,
                "the clocks to be read not after {}, the generation's last event", last;
                "them read at {}", clock.trace,
            );
        }
    }

    fn generation(&mut self, sync: &Sync, findings: &mut Findings) {
        if let (Some(before), Some(generation)) = (self.generation, sync.generation)
            && generation <= before
        {
            violation!(
                findings, GenerationOrder,
                "a generation after {before}"; "generation {generation}",
            );
        }
        self.generation = sync.generation.or(self.generation);
        if sync.frequency == Some(0) {
            violation!(findings, Frequency, "a frequency of the trace clock"; "0");
        }
    }

    fn clock(&mut self, version: Version, sync: &Sync, findings: &mut Findings) {
        let Some(clock) = sync.clock else {
            // Later syncs without a snapshot are those at the end.
            if version.has_clock_snapshot() && sync.number <= 1 {
                violation!(findings, ClockMissing, "a clock snapshot"; "none");
            }
            return;
        };
        // Go's zero time is the first of the year 1, not that of the epoch.
        const ZERO_WALL: WallTime = WallTime::new(-62_135_596_800, 0);
        for (name, is_zero) in [
            ("wall", clock.wall == ZERO_WALL),
            ("monotonic", clock.monotonic_nanos == 0),
            ("trace", clock.trace == Time(0)),
        ] {
            if is_zero {
                violation!(findings, ClockZero, "a {name} time"; "zero");
            }
        }
        if let Some(before) = self.clock {
            self.clock_order(before, clock, findings);
        }
        self.clock = Some(clock);
    }

    fn clock_order(&self, before: ClockSnapshot, clock: ClockSnapshot, findings: &mut Findings) {
        if clock.wall <= before.wall {
            violation!(
                findings, ClockOrder,
                "a wall time after {}", before.wall; "{}", clock.wall,
            );
        }
        if clock.monotonic_nanos <= before.monotonic_nanos {
            violation!(
                findings, ClockOrder,
                "a monotonic time after {}", before.monotonic_nanos; "{}", clock.monotonic_nanos,
            );
        }
        if clock.trace <= before.trace {
            violation!(
                findings, ClockOrder,
                "a trace time after {}", before.trace; "{}", clock.trace,
            );
        }
    }
}

/// Which stacks of the generation have frames with something missing.
#[derive(Debug, Default)]
pub(crate) struct StackFrames {
    generation: Option<Generation>,
    /// Whether a stack was looked at and is sound, by id.
    sound: Vec<bool>,
}

/// Stacks with an id from here on are looked at each time; real ids are dense and far smaller.
const MAX_ID: usize = 1 << 20;

impl StackFrames {
    /// Forgets the generation's stacks. MUST be called at each sync.
    pub(crate) fn forget(&mut self) {
        self.generation = None;
        self.sound.clear();
    }

    pub(crate) fn check(&mut self, stack: Stack<'_>, findings: &mut Findings) {
        if self.generation != Some(stack.generation()) {
            self.forget();
            self.generation = Some(stack.generation());
        }
        let id = usize::try_from(stack.id()).unwrap_or(usize::MAX);
        if self.sound.get(id) == Some(&true) {
            return;
        }
        // The leaf may have nothing at all: Go writes such stacks.
        let mut sound = true;
        for (depth, frame) in stack.frames().enumerate().skip(1) {
            if let Some(missing) = missing(&frame) {
                sound = false;
                violation!(
                    findings, StackFrame,
                    "a {missing}"; "none in frame {depth} of stack {}", stack.id(),
                );
            }
        }
        if sound && id < MAX_ID {
            if self.sound.len() <= id {
                self.sound.resize(id + 1, false);
            }
            self.sound[id] = true;
        }
    }
}

/// What a frame lacks.
fn missing(frame: &Frame<'_>) -> Option<&'static str> {
    if frame.function.is_empty() {
        Some("function")
    } else if frame.file.is_empty() {
        Some("file")
    } else if frame.pc == 0 {
        Some("program counter")
    } else if frame.line == 0 {
        Some("line")
    } else {
        None
    }
}
