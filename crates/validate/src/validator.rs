//! The validator: which rules look at which events.

use exectrace_reader::{Event, EventKind, GoState, MetricKind, StateTransition, Time, Version};
use exectrace_wire::Family;

use crate::{
    alloc_free::AllocFree,
    facts::{Facts, What},
    generation::{Generations, StackFrames},
    ranges::Ranges,
    report::{Findings, Report, violation},
    sched::Sched,
    user::User,
};

/// Violations of one rule that a report keeps unless told otherwise.
const DEFAULT_LIMIT: usize = 20;

/// Checks the events of one trace.
///
/// Memory is bounded by what is live at a time: goroutines that exist, ranges, regions and tasks
/// that are open, objects of the AllocFree experiment; and by the ids of goroutines that ended in
/// the first generation. Each event takes constant time on average.
#[derive(Debug)]
pub struct Validator {
    version: Version,
    findings: Findings,
    last: Option<Time>,
    generations: Generations,
    frames: StackFrames,
    sched: Sched,
    ranges: Ranges,
    user: User,
    alloc_free: AllocFree,
}

impl Validator {
    /// A validator for a trace whose header names `version`.
    #[must_use]
    pub fn new(version: Version) -> Self {
        Self::with_limit(version, DEFAULT_LIMIT)
    }

    /// As [`Validator::new`], with a report that keeps up to `limit` violations of each rule.
    #[must_use]
    pub fn with_limit(version: Version, limit: usize) -> Self {
        Self {
            version,
            findings: Findings::new(limit),
            last: None,
            generations: Generations::default(),
            frames: StackFrames::default(),
            sched: Sched::new(version.family() == Family::V1),
            ranges: Ranges::default(),
            user: User::default(),
            alloc_free: AllocFree::default(),
        }
    }

    /// Checks the trace's next event. Returns how many rules it breaks.
    pub fn check(&mut self, event: &Event<'_>) -> usize {
        let before = self.findings.total();
        self.check_facts(&Facts::of(event));
        self.check_frames(event);
        usize::try_from(self.findings.total() - before).unwrap_or(usize::MAX)
    }

    /// What was found. Call it at the end of the trace, or when reading it has failed.
    #[must_use]
    pub fn finish(mut self) -> Report {
        self.generations.end(self.last, &mut self.findings);
        self.findings.finish()
    }

    /// Every rule but those on the frames of stacks.
    pub(crate) fn check_facts(&mut self, event: &Facts<'_>) {
        let findings = &mut self.findings;
        findings.next_event(event.time);

        // 1. Rules on every event.
        if let Some(last) = self.last
            && event.time <= last
        {
            violation!(findings, TimeOrder, "a time after {}", last; "{}", event.time);
        }
        // Those of the older formats are converted: their types and contexts are not the trace's.
        let is_converted = self.version.family() == Family::V1;
        if let Some(event_type) = event.event_type
            && !is_converted
            && !event_type.available_in(self.version)
        {
            violation!(
                findings, EventTooNew,
                "an event that Go {} has", self.version;
                "{event_type}, which came with Go {}", event_type.spec().since,
            );
        }
        if !is_converted {
            self.sched.check_context(event, findings);
        }

        // 2. Rules on kinds, in the order of their dependence: what ends must find its ranges and
        //    regions still open.
        match event.what {
            What::Sync(sync) => {
                self.generations
                    .sync(self.version, &sync, event.time, self.last, findings);
                self.sched.sync(sync.number);
            }
            What::Metric(metric) => {
                if metric.value == 0 && metric.kind == MetricKind::Procs {
                    violation!(findings, MetricValue, "at least one proc"; "none");
                }
                if i64::try_from(metric.value).is_err() {
                    violation!(
                        findings, MetricValue,
                        "{} below 2^63", metric.kind.name(); "{}", metric.value,
                    );
                }
                if metric.kind == MetricKind::Procs {
                    self.sched.set_limit(metric.value, findings);
                }
            }
            What::Label(label) => {
                if label.label.is_empty() {
                    violation!(findings, LabelEmpty, "a label"; "an empty one");
                }
                if !self.sched.knows_goroutine(label.goroutine) {
                    violation!(
                        findings, LabelUnknown,
                        "a label on a goroutine that exists"; "goroutine {}", label.goroutine,
                    );
                }
            }
            // Before Go 1.22, samples do not tell their thread.
            What::Sample if is_converted => {}
            What::Sample => self.sched.sample(event, findings),
            What::RangeBegin(range) => self.ranges.begin(range, findings),
            What::RangeActive(range) => self.ranges.active(range),
            What::RangeEnd(end) => self.ranges.end(end, findings),
            What::TaskBegin(task) => self.user.task_begin(task, findings),
            What::TaskEnd(task) => self.user.task_end(task, findings),
            What::RegionBegin(region) => {
                self.user.region_begin(event.goroutine, region, findings);
            }
            What::RegionEnd(region) => {
                let created = event
                    .goroutine
                    .is_some_and(|goroutine| self.sched.was_created(goroutine));
                self.user
                    .region_end(event.goroutine, region, created, findings);
            }
            What::Log(log) => self.user.log(log, findings),
            What::Goroutine(transition) => {
                self.sched.goroutine(event, &transition, findings);
                if transition.to == GoState::NotExist {
                    self.ranges.goroutine_ends(transition.id, findings);
                    self.user.goroutine_ends(transition.id, findings);
                }
            }
            What::Proc { id, from, to } => {
                self.sched.proc(event, id, from, to, findings);
                self.ranges.proc(id, to, findings);
            }
            What::Experimental(id, size) => {
                if let Some(event_type) = event.event_type {
                    self.alloc_free.check(event_type, id, size, findings);
                }
            }
        }
        // Go keeps the latest time of all, so that one event out of order is one violation.
        self.last = self.last.max(Some(event.time));
    }

    /// How much is kept: goroutines, threads, scopes with open ranges, goroutines with regions.
    #[cfg(test)]
    pub(crate) fn live(&self) -> (usize, usize, usize, usize) {
        let (goroutines, threads) = self.sched.live();
        let (ranges, regions) = (self.ranges.live(), self.user.live());
        (goroutines, threads, ranges, regions)
    }

    fn check_frames(&mut self, event: &Event<'_>) {
        if matches!(event.kind(), EventKind::Sync(_)) {
            self.frames.forget();
        }
        if let Some(stack) = event.stack() {
            self.frames.check(stack, &mut self.findings);
        }
        if let EventKind::StateTransition(StateTransition::Goroutine {
            stack: Some(stack), ..
        }) = event.kind()
        {
            self.frames.check(stack, &mut self.findings);
        }
    }
}
