//! Whether ordered events make sense together.
//!
//! These are the checks that Go's parser makes before it yields an event (Go:
//! `internal/trace/internal/tracev1`, `postProcessTrace`).

use std::collections::{HashMap, HashSet};

use exectrace_wire::{GoroutineId, Version, v1::EventType};

use super::{
    V1Violation,
    goroutines::{Goroutines, Status},
    lane::Event,
};

/// What is known of a proc.
#[derive(Clone, Debug, Default)]
struct ProcState {
    runs: bool,
    /// The goroutine that it runs; 0 for none. One that is not 0 is running, and on this proc only.
    goroutine: u64,
    sweeps: bool,
    stops_the_world: bool,
}

/// The state of the program, except for that of its goroutines.
#[derive(Debug)]
pub(super) struct Checker {
    version: Version,
    /// By the proc's place in the index.
    procs: Vec<ProcState>,
    collects: bool,
    stops_the_world: bool,
    tasks: HashSet<u64>,
    /// The open regions of each goroutine that has some: task and name.
    regions: HashMap<u64, Vec<(u64, u64)>>,
}

impl Checker {
    pub(super) fn new(version: Version, procs: usize) -> Self {
        Self {
            version,
            procs: vec![ProcState::default(); procs],
            collects: false,
            stops_the_world: false,
            tasks: HashSet::new(),
            regions: HashMap::new(),
        }
    }

    /// Checks the next event. `by_timer`: it is an unblocking by a goroutine that runs timers, which
    /// has no proc.
    ///
    /// # Errors
    ///
    /// What it contradicts. The state is then as before.
    #[inline]
    pub(super) fn check(
        &mut self,
        proc: usize,
        event: &Event,
        by_timer: bool,
        goroutines: &mut Goroutines,
    ) -> Result<(), V1Violation> {
        use EventType as T;
        use V1Violation as V;
        let id = event.goroutine;
        let target = GoroutineId(event.arg::<0>());
        let p = &mut self.procs[proc];
        let begin = |open: &mut bool| match std::mem::replace(open, true) {
            true => Err(V::Begun),
            false => Ok(()),
        };
        let end = |open: &mut bool| match std::mem::replace(open, false) {
            true => Ok(()),
            false => Err(V::NotBegun),
        };
        match event.event_type {
            // 1. The running goroutine stops.
            T::GoEnd
            | T::GoStop
            | T::GoSched
            | T::GoPreempt
            | T::GoSleep
            | T::GoBlock
            | T::GoBlockSend
            | T::GoBlockRecv
            | T::GoBlockSelect
            | T::GoBlockSync
            | T::GoBlockCond
            | T::GoBlockNet
            | T::GoBlockGC
            | T::GoSysBlock => {
                p.check_running(id, goroutines)?;
                let slot = goroutines.slot(id);
                goroutines[slot].state = match event.event_type {
                    T::GoEnd | T::GoStop => Status::Dead,
                    T::GoSched | T::GoPreempt => Status::Runnable,
                    _ => Status::Waiting,
                };
                p.goroutine = 0;
                if event.event_type == T::GoEnd && !self.regions.is_empty() {
                    self.regions.remove(&id);
                }
            }
            T::GoSysCall => p.check_running(id, goroutines)?,

            // 2. A goroutine starts, or can.
            T::GoStart | T::GoStartLocal | T::GoStartLabel => {
                let slot = goroutines.slot(id);
                let g = &mut goroutines[slot];
                if g.state != Status::Runnable {
                    return Err(V::NotRunnable(GoroutineId(id)));
                }
                if p.goroutine != 0 {
                    return Err(V::ProcBusy(GoroutineId(p.goroutine)));
                }
                g.state = Status::Running;
                g.proc = proc as u32;
                p.goroutine = id;
            }
            T::GoUnblock | T::GoUnblockLocal => {
                if !by_timer {
                    p.check_on(id, goroutines)?;
                } else if goroutines.state(id) != Status::Running {
                    return Err(V::NotRunning(GoroutineId(id)));
                }
                let slot = goroutines.slot(target.0);
                if goroutines[slot].state != Status::Waiting {
                    return Err(V::NotWaiting(target));
                }
                goroutines[slot].state = Status::Runnable;
            }
            T::GoSysExit | T::GoSysExitLocal => {
                let slot = goroutines.slot(id);
                if goroutines[slot].state != Status::Waiting {
                    return Err(V::NotWaiting(GoroutineId(id)));
                }
                goroutines[slot].state = Status::Runnable;
            }
            T::GoCreate => {
                p.check_on(id, goroutines)?;
                let slot = goroutines.slot(target.0);
                if goroutines[slot].exists {
                    return Err(V::Exists(target));
                }
                goroutines[slot].exists = true;
                goroutines[slot].state = Status::Runnable;
            }
            T::GoWaiting | T::GoInSyscall => {
                let slot = goroutines.slot(id);
                if goroutines[slot].state != Status::Runnable {
                    return Err(V::NotRunnable(GoroutineId(id)));
                }
                goroutines[slot].state = Status::Waiting;
            }

            // 3. Procs.
            T::ProcStart => begin(&mut p.runs).map_err(|_| V::ProcRuns)?,
            T::ProcStop => {
                if !p.runs {
                    return Err(V::ProcStopped);
                }
                if p.goroutine != 0 {
                    return Err(V::ProcBusy(GoroutineId(p.goroutine)));
                }
                p.runs = false;
            }

            // 4. Ranges.
            T::GCStart => begin(&mut self.collects)?,
            T::GCDone => end(&mut self.collects)?,
            T::STWStart if self.version < Version::Go110 => begin(&mut p.stops_the_world)?,
            T::STWDone if self.version < Version::Go110 => end(&mut p.stops_the_world)?,
            T::STWStart => begin(&mut self.stops_the_world)?,
            T::STWDone => end(&mut self.stops_the_world)?,
            T::GCSweepStart => begin(&mut p.sweeps)?,
            T::GCSweepDone => end(&mut p.sweeps)?,
            T::GCMarkAssistStart | T::GCMarkAssistDone => {
                let slot = goroutines.slot(id);
                let g = &mut goroutines[slot];
                g.exists = true;
                let begins = event.event_type == T::GCMarkAssistStart;
                // An assist may have begun before the trace.
                if std::mem::replace(&mut g.assists, begins) && begins {
                    return Err(V::Begun);
                }
            }

            // 5. What the user marks.
            T::UserTaskCreate => self.begin_task(event.arg::<0>())?,
            T::UserTaskEnd => {
                self.tasks.remove(&event.arg::<0>());
            }
            T::UserRegion => self.region(event)?,
            _ => {}
        }
        Ok(())
    }

    fn begin_task(&mut self, id: u64) -> Result<(), V1Violation> {
        match self.tasks.insert(id) {
            true => Ok(()),
            false => Err(V1Violation::TaskExists(id)),
        }
    }

    /// The goroutine that a proc runs; 0 for none.
    pub(super) fn running_on(&self, proc: usize) -> u64 {
        self.procs[proc].goroutine
    }

    /// Lets a proc run a goroutine.
    pub(super) fn set_running_on(&mut self, proc: usize, goroutine: u64) {
        self.procs[proc].goroutine = goroutine;
    }

    /// Starts or stops a proc.
    pub(super) fn set_runs(&mut self, proc: usize, runs: bool) {
        self.procs[proc].runs = runs;
    }

    /// Takes a goroutine off the proc that it started on last.
    pub(super) fn take_off(&mut self, proc: u32, goroutine: u64) {
        if let Some(proc) = self.procs.get_mut(proc as usize)
            && proc.goroutine == goroutine
        {
            proc.goroutine = 0;
        }
    }

    fn region(&mut self, event: &Event) -> Result<(), V1Violation> {
        let (task, mode, name) = (event.arg::<0>(), event.arg::<1>(), event.arg::<2>());
        match mode {
            0 => self
                .regions
                .entry(event.goroutine)
                .or_default()
                .push((task, name)),
            1 => {
                // A region may have begun before the trace.
                let Some(open) = self.regions.get_mut(&event.goroutine) else {
                    return Ok(());
                };
                if open.last().is_some_and(|inner| *inner != (task, name)) {
                    return Err(V1Violation::NotInnermost);
                }
                open.pop();
                if open.is_empty() {
                    self.regions.remove(&event.goroutine);
                }
            }
            mode => return Err(V1Violation::RegionMode(mode)),
        }
        Ok(())
    }
}

impl ProcState {
    /// Checks that the proc runs the goroutine.
    #[inline]
    fn check_running(&self, id: u64, goroutines: &mut Goroutines) -> Result<(), V1Violation> {
        self.check_on(id, goroutines)?;
        if id == 0 {
            return Err(V1Violation::NoGoroutine);
        }
        Ok(())
    }

    /// Checks that the proc runs the goroutine, or none if it is 0.
    #[inline]
    fn check_on(&self, id: u64, goroutines: &mut Goroutines) -> Result<(), V1Violation> {
        if self.goroutine == id {
            return Ok(());
        }
        let id = GoroutineId(id);
        Err(match goroutines.state(id.0) {
            Status::Running => V1Violation::NotOnProc(id),
            _ => V1Violation::NotRunning(id),
        })
    }
}

impl Goroutines {
    /// What a goroutine does.
    fn state(&mut self, id: u64) -> Status {
        let slot = self.slot(id);
        self[slot].state
    }
}
