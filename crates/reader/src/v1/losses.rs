//! What salvage mode does to a trace, while it does it.

use crate::{
    error::{Error, ErrorKind},
    salvage::{Loss, LossKind, SalvageReport},
};

/// What salvage mode has lost, assumed and repaired so far.
#[derive(Debug, Default)]
pub(super) struct Losses {
    report: SalvageReport,
    dropped: Tally,
    assumed: Tally,
    bent: Tally,
    nameless: u64,
}

/// How often something happened, and why for the first time.
#[derive(Debug, Default)]
struct Tally {
    count: u64,
    first: Option<Error>,
}

impl Tally {
    fn add(&mut self, cause: impl FnOnce() -> Error) {
        self.count += 1;
        self.first.get_or_insert_with(cause);
    }

    fn take(&mut self, kind: impl FnOnce(u64, ErrorKind) -> LossKind) -> Option<Loss> {
        let first = self.first.take()?;
        Some(Loss {
            offset: first.place().offset,
            generation: None,
            kind: kind(self.count, first.kind().clone()),
        })
    }
}

impl Losses {
    pub(super) fn report(&self) -> &SalvageReport {
        &self.report
    }

    /// Whether nothing had to be done so far.
    pub(super) fn is_clean(&self) -> bool {
        let counts = self.dropped.count + self.assumed.count + self.bent.count + self.nameless;
        counts == 0 && self.report.is_clean()
    }

    pub(super) fn note(&mut self, offset: usize, kind: LossKind) {
        self.report.add(Loss {
            offset: Some(offset as u64),
            generation: None,
            kind,
        });
    }

    /// Notes an event that is not delivered.
    pub(super) fn drop_event(&mut self, cause: impl FnOnce() -> Error) {
        self.dropped.add(cause);
    }

    /// Notes a state that was assumed.
    pub(super) fn assume(&mut self, cause: impl FnOnce() -> Error) {
        self.assumed.add(cause);
    }

    /// Notes a time that was raised.
    pub(super) fn bend(&mut self, cause: impl FnOnce() -> Error) {
        self.bent.add(cause);
    }

    /// Notes an event that names what is not there.
    pub(super) fn miss(&mut self) {
        self.nameless += 1;
    }

    /// Puts what was only counted into the report, at the end of the trace.
    pub(super) fn finish(&mut self) {
        let losses = [
            self.bent
                .take(|events, cause| LossKind::BentTimes { events, cause }),
            self.assumed
                .take(|states, cause| LossKind::AssumedStates { states, cause }),
            self.dropped
                .take(|events, cause| LossKind::DroppedProcEvents { events, cause }),
        ];
        for loss in losses.into_iter().flatten() {
            self.report.add(loss);
        }
        let events = std::mem::take(&mut self.nameless);
        if events > 0 {
            self.report.add(Loss {
                offset: None,
                generation: None,
                kind: LossKind::NamelessEvents { events },
            });
        }
        if !self.report.is_clean() {
            self.report.damaged_generations = 1;
        }
    }
}
