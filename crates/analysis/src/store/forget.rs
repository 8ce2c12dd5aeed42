//! What becomes of what was known when salvage mode has to forget the state of the program.

use std::collections::HashSet;

use super::{
    build::GenerationStart,
    log::{Cause, Code, NewRow},
    tables::{GoroutineRow, ProcState},
};
use crate::{
    ids::{GoroutineIx, PlaceIx, ProcIx},
    state::State,
    symbols::EMPTY,
};

/// Goroutines and procs that were known before the state was forgotten.
///
/// The generation that follows reports the goroutines that are still there. Of the others nothing is
/// known from its beginning on.
#[derive(Debug, Default)]
pub(super) struct Forgotten {
    /// Whether the current generation began with nothing known.
    now: bool,
    /// Goroutines below `seen` that were alive when the state was last forgotten.
    alive: Vec<GoroutineIx>,
    seen: usize,
    unknown: HashSet<GoroutineIx>,
}

impl Forgotten {
    pub(super) fn begin(&mut self) {
        self.now = true;
    }

    /// Whether a status that only confirms what is known may be news.
    #[inline]
    pub(super) fn may_matter(&self) -> bool {
        !self.unknown.is_empty()
    }

    pub(super) fn is_unknown(&self, goroutine: GoroutineIx) -> bool {
        self.unknown.contains(&goroutine)
    }

    #[inline]
    pub(super) fn is_known_again(&mut self, goroutine: GoroutineIx) {
        if !self.unknown.is_empty() {
            self.unknown.remove(&goroutine);
        }
    }

    /// Adds a row to the generation's beginning for each goroutine that it did not report.
    pub(super) fn settle(
        &mut self,
        goroutines: &[GoroutineRow],
        generation: &mut GenerationStart,
        place: PlaceIx,
    ) {
        for row in &generation.rows {
            self.unknown.remove(&row.goroutine);
        }
        if !self.now {
            return;
        }
        let reported: HashSet<GoroutineIx> =
            generation.rows.iter().map(|row| row.goroutine).collect();
        let candidates = self
            .alive
            .drain(..)
            .chain((self.seen..goroutines.len()).map(GoroutineIx::new));
        let mut alive = Vec::new();
        for goroutine in candidates {
            let known = &goroutines[goroutine.index()];
            let is_older = known.start < generation.time.nanos();
            if !known.ended {
                alive.push(goroutine);
            }
            let ended_before = known.ended && known.end < generation.time.nanos();
            if is_older
                && !ended_before
                && !reported.contains(&goroutine)
                && self.unknown.insert(goroutine)
            {
                generation.rows.push(NewRow {
                    goroutine,
                    code: Code {
                        state: Some(State::Unknown),
                        before: None,
                        reason: EMPTY,
                    },
                    stack: None,
                    cause: Cause::Place(place),
                });
            }
        }
        self.alive = alive;
        self.seen = goroutines.len();
    }

    /// As [`Self::settle`], of procs. MUST be called after it.
    pub(super) fn settle_procs(&mut self, generation: &mut GenerationStart) {
        if !std::mem::take(&mut self.now) {
            return;
        }
        let reported: HashSet<ProcIx> = generation
            .proc_changes
            .iter()
            .map(|(proc, _)| *proc)
            .collect();
        for proc in (0..generation.known_procs).map(ProcIx::new) {
            if !reported.contains(&proc) {
                generation.proc_changes.push((proc, ProcState::Unknown));
            }
        }
    }
}
