//! What regions and tasks have in common: groups of instances that take time.

use core::str::FromStr;

use clap::Args;
use exectrace_analysis::{Distribution, Measure, Seen, Spells};
use exectrace_export::filter::{TimeBound, TimeBoundError};

use super::nanos;
use crate::units;

/// Which instances, by how long they took.
#[derive(Debug, Args)]
pub(crate) struct LengthArgs {
    /// Only those that took at least this long (1.5ms)
    #[arg(long, value_name = "DURATION")]
    min: Option<Length>,
    /// Only those that took less than this
    #[arg(long, value_name = "DURATION")]
    max: Option<Length>,
}

impl LengthArgs {
    /// Whether an instance is one of these. Of one that is not seen as a whole, only its least length
    /// is known.
    pub(crate) fn fits(&self, seen: Seen) -> bool {
        let nanos = seen.span.nanos();
        self.min.is_none_or(|min| nanos >= min.0) && self.max.is_none_or(|max| nanos < max.0)
    }
}

/// A duration, as a user writes it.
#[derive(Clone, Copy, Debug)]
struct Length(u64);

impl FromStr for Length {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(TimeBound::Relative(nanos)) => Ok(Self(nanos)),
            Ok(_) | Err(TimeBoundError { .. }) => Err(format!(
                "expected a duration such as 1.5ms or 200us, found {text:?}"
            )),
        }
    }
}

/// The names of the columns that [`cells`] fills.
pub(crate) const COLUMNS: [&str; 8] =
    ["total", "count", "open", "mean", "p50", "p95", "p99", "max"];

pub(crate) fn cells(durations: &Distribution, open: u64) -> [String; 8] {
    [
        nanos(durations.total),
        units::count(durations.count),
        units::count(open),
        nanos(durations.mean()),
        nanos(durations.p50),
        nanos(durations.p95),
        nanos(durations.p99),
        nanos(durations.max),
    ]
}

/// The names of the columns that [`shares`] fills.
pub(crate) const SHARES: [&str; 4] = ["ran", "sched wait", "blocked", "syscall"];

/// What parts of some time were spent on what.
pub(crate) fn shares(times: impl Iterator<Item = (Measure, Spells)>) -> [String; 4] {
    let mut sums = [0u64; 5];
    for (measure, spells) in times {
        let at = match measure {
            Measure::Execution => 0,
            Measure::SchedulerWait => 1,
            Measure::Blocked(_) => 2,
            Measure::Syscall | Measure::SyscallWithoutProc => 3,
            Measure::Unknown => 4,
        };
        sums[at] = sums[at].saturating_add(spells.nanos);
    }
    let all = sums
        .iter()
        .fold(0u64, |sum, part| sum.saturating_add(*part));
    let [ran, wait, blocked, syscall, _] = sums;
    [ran, wait, blocked, syscall].map(|part| units::percent(part, all))
}
