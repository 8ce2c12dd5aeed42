//! Ranges while a trace is read.

use std::collections::HashMap;

use exectrace_reader::{Swept, Time};

use super::tables::{Range, RangeKind, Scope};
use crate::{
    ids::{GoroutineIx, RangeIx, StackIx},
    span::{Seen, Span},
};

/// The ranges so far; those that have not ended count as going on.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    pub(super) all: Vec<Range>,
    open: HashMap<(Scope, RangeKind), RangeIx>,
    /// Ranges that were open when the state of the program was forgotten: they go on if the
    /// generation reports them.
    forgotten: HashMap<(Scope, RangeKind), RangeIx>,
}

/// Where a range begins or ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) time: Time,
    pub(super) goroutine: Option<GoroutineIx>,
    pub(super) stack: Option<StackIx>,
}

impl Ranges {
    pub(super) fn begin(&mut self, scope: Scope, kind: RangeKind, edge: Edge) {
        self.add(scope, kind, edge, false);
    }

    /// A range that was open when the generation began, at this time.
    pub(super) fn active(&mut self, scope: Scope, kind: RangeKind, edge: Edge, generation: Time) {
        if self.open.contains_key(&(scope, kind)) {
            return;
        }
        if let Some(range) = self.forgotten.remove(&(scope, kind)) {
            self.open.insert((scope, kind), range);
            return;
        }
        let edge = Edge {
            time: generation,
            ..edge
        };
        self.add(scope, kind, edge, true);
    }

    pub(super) fn end(
        &mut self,
        scope: Scope,
        kind: RangeKind,
        edge: Edge,
        swept: Option<Swept>,
        generation: Time,
    ) {
        let at = match self.open.remove(&(scope, kind)) {
            Some(range) => range,
            // Only after damage: it began before the generation did, or its beginning was lost.
            None => {
                let begin = Edge {
                    time: generation,
                    ..edge
                };
                self.add(scope, kind, begin, true);
                match self.open.remove(&(scope, kind)) {
                    Some(range) => range,
                    None => return,
                }
            }
        };
        let range = &mut self.all[at.index()];
        range.seen.span.end = edge.time.max(range.seen.span.start);
        range.seen.open_end = false;
        range.ended_on = edge.goroutine;
        range.swept = swept;
    }

    fn add(&mut self, scope: Scope, kind: RangeKind, edge: Edge, open_start: bool) {
        self.open
            .insert((scope, kind), RangeIx::new(self.all.len()));
        self.all.push(Range {
            kind,
            scope,
            seen: Seen {
                span: Span {
                    start: edge.time,
                    end: edge.time,
                },
                open_start,
                open_end: true,
            },
            begun_on: edge.goroutine,
            ended_on: None,
            stack: edge.stack,
            swept: None,
        });
    }

    /// What is open may be over.
    pub(super) fn forget(&mut self) {
        self.forgotten.extend(self.open.drain());
    }

    /// What was forgotten and did not come up again is not seen after this time.
    pub(super) fn settle(&mut self, generation: Time) {
        for (_, range) in self.forgotten.drain() {
            let span = &mut self.all[range.index()].seen.span;
            span.end = generation.max(span.start);
        }
    }

    /// The ranges, of which those that go on are seen up to this time. They are in the order in which
    /// they began or were first reported.
    pub(super) fn finish(mut self, end: Time) -> Vec<Range> {
        for range in self.open.into_values() {
            let span = &mut self.all[range.index()].seen.span;
            span.end = end.max(span.start);
        }
        self.all
    }
}
