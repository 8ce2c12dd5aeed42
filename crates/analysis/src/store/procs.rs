//! The table of procs' states.

use exectrace_reader::Time;

use super::tables::{ProcChange, ProcState};
use crate::{
    column::{Column, TimeColumn},
    ids::{ProcIx, ThreadIx},
};

/// A row for each change, in order of time.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProcLog {
    times: TimeColumn,
    procs: Column,
    states: Column,
}

const IDLE: u32 = 0;
const UNKNOWN: u32 = 1;
const RUNNING: u32 = 2;

fn pack(state: ProcState) -> u32 {
    match state {
        ProcState::Idle => IDLE,
        ProcState::Unknown => UNKNOWN,
        ProcState::Running(thread) => RUNNING + ThreadIx::pack(thread),
    }
}

fn unpack(packed: u32) -> ProcState {
    match packed {
        IDLE => ProcState::Idle,
        UNKNOWN => ProcState::Unknown,
        packed => ProcState::Running(ThreadIx::unpack(packed - RUNNING)),
    }
}

impl ProcLog {
    pub(crate) fn push(&mut self, change: ProcChange) {
        self.times.push(change.time);
        self.procs.push(change.proc.0);
        self.states.push(pack(change.state));
    }

    /// As [`super::log::GoroutineLog::begin_epoch`].
    pub(crate) fn begin_epoch(&mut self, time: Time) {
        self.times.begin_epoch(time);
    }

    /// As [`super::log::GoroutineLog::insert`].
    pub(crate) fn insert(&mut self, at: usize, changes: &[(ProcIx, ProcState)]) {
        self.times.insert_at_epoch(at, changes.len());
        self.procs
            .insert(at, changes.iter().map(|(proc, _)| proc.0));
        self.states
            .insert(at, changes.iter().map(|(_, state)| pack(*state)));
    }

    /// As [`TimeColumn::seal`].
    pub(crate) fn seal(&mut self) {
        self.times.seal();
    }

    pub(crate) fn len(&self) -> usize {
        self.procs.len()
    }

    pub(crate) fn get(&self, at: usize) -> ProcChange {
        ProcChange {
            time: self.times.get(at),
            proc: ProcIx(self.procs.get(at)),
            state: unpack(self.states.get(at)),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.times.bytes() + self.procs.bytes() + self.states.bytes()
    }
}
