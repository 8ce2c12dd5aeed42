//! What time was spent on, as JSON and comma-separated values have it.

use exectrace_analysis::{Measure, RangeKind, Spells, State};
use serde::Serialize;

use super::Loaded;

/// What time was spent on, and how much.
#[derive(Debug, Serialize)]
pub(crate) struct Time {
    #[serde(flatten)]
    what: What,
    spells: u64,
    total_ns: u64,
    longest_ns: u64,
}

/// What time was spent on.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct What {
    pub(crate) what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

impl Time {
    pub(crate) fn new(what: What, spells: Spells) -> Self {
        Self {
            what,
            spells: spells.count,
            total_ns: spells.nanos,
            longest_ns: spells.longest,
        }
    }

    /// The fields `what`, `reason`, `spells`, `total_ns` and `longest_ns`.
    pub(crate) fn fields(&self) -> [String; 5] {
        [
            self.what.what.to_owned(),
            self.what.reason.clone().unwrap_or_default(),
            self.spells.to_string(),
            self.total_ns.to_string(),
            self.longest_ns.to_string(),
        ]
    }
}

pub(crate) fn times(loaded: &Loaded, times: impl Iterator<Item = (Measure, Spells)>) -> Vec<Time> {
    times
        .map(|(measure, spells)| Time::new(measured(loaded, measure), spells))
        .collect()
}

pub(crate) fn measured(loaded: &Loaded, measure: Measure) -> What {
    let (what, reason) = match measure {
        Measure::Execution => ("execution", None),
        Measure::SchedulerWait => ("scheduler_wait", None),
        Measure::Blocked(reason) => ("blocked", Some(loaded.text(reason))),
        Measure::Syscall => ("syscall", None),
        Measure::SyscallWithoutProc => ("syscall_without_proc", None),
        Measure::Unknown => (State::Unknown.name(), None),
    };
    What { what, reason }
}

pub(crate) fn ranged(loaded: &Loaded, kind: RangeKind) -> What {
    let (what, reason) = match kind {
        RangeKind::GcConcurrentMark => ("gc_mark", None),
        RangeKind::GcIncrementalSweep => ("gc_sweep", None),
        RangeKind::GcMarkAssist => ("gc_assist", None),
        RangeKind::StopTheWorld(reason) => ("stop_the_world", Some(loaded.text(reason))),
    };
    What { what, reason }
}
