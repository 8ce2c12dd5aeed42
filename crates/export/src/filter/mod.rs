//! Which events to show: by time, place, kind and text.
//!
//! Everything that a user can write is parsed here with [`FromStr`](core::str::FromStr), into types
//! whose errors say what is accepted: [`TimeBound`], [`KindFilter`], [`Grep`].

mod grep;
mod kind;
#[cfg(test)]
mod tests;
mod time;

use core::fmt;

use exectrace_reader::{
    ClockSnapshot, Event, EventKind, GoroutineId, ProcId, Range, RangeEnd, Scope, StateTransition,
    ThreadId, Time,
};

pub use grep::{Grep, GrepError};
pub use kind::{KindFilter, KindFilterError};
pub use time::{TimeBound, TimeBoundError, TimeBoundErrorKind};

/// What an event must have to be shown. A criterion that is empty lets everything pass; of several
/// values of one criterion, any will do; all criteria must hold.
#[derive(Clone, Debug, Default)]
pub struct Criteria {
    /// The earliest time, included.
    pub from: Option<TimeBound>,
    /// The latest time, excluded: so that windows which touch have no event in common.
    pub to: Option<TimeBound>,
    /// Events on these goroutines or about them.
    pub goroutines: Vec<GoroutineId>,
    /// Events on these procs or about them.
    pub procs: Vec<ProcId>,
    /// Events on these threads.
    pub threads: Vec<ThreadId>,
    /// Events of these kinds.
    pub kinds: Vec<KindFilter>,
    /// Events with a text that matches: a function or file of a stack, a reason, name, type,
    /// label, category or message.
    pub grep: Option<Grep>,
}

/// Decides which events of a trace are shown.
///
/// A filter serves one trace, and MUST be asked about each event of it in order: relative times
/// count from the first event that it sees, and verdicts on stacks are kept for a generation.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use exectrace_export::filter::{Criteria, Filter};
///
/// let mut criteria = Criteria::default();
/// criteria.from = Some("1.5s".parse()?);
/// criteria.kinds.push("Goroutine:Running->Waiting".parse()?);
/// criteria.grep = Some(r"net/http\.".parse()?);
/// let filter = Filter::new(criteria);
/// # let _ = filter;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Filter {
    criteria: Criteria,
    first: Option<Time>,
    /// The latest clock snapshot, for events after the last generation.
    clock: Option<ClockSnapshot>,
    past_end: bool,
}

impl Filter {
    /// A filter for one trace.
    #[must_use]
    pub fn new(criteria: Criteria) -> Self {
        Self {
            criteria,
            first: None,
            clock: None,
            past_end: false,
        }
    }

    /// Whether the event is to be shown.
    ///
    /// # Errors
    ///
    /// [`FilterError`] if the criteria make no sense for this trace.
    pub fn matches(&mut self, event: &Event<'_>) -> Result<bool, FilterError> {
        // 1. Keep what later decisions need.
        let first = *self.first.get_or_insert(event.time());
        let kind = event.kind();
        if let EventKind::Sync(sync) = &kind {
            self.clock = sync.clock().or(self.clock);
            if let Some(grep) = &mut self.criteria.grep {
                grep.forget_stacks();
            }
        }

        // 2. Decide, cheapest criterion first.
        Ok(self.matches_time(event, &kind, first)?
            && any(&self.criteria.threads, |id| event.thread() == Some(*id))
            && any(&self.criteria.goroutines, |id| {
                event.goroutine() == Some(*id) || subject(&kind) == Some(Scope::Goroutine(*id))
            })
            && any(&self.criteria.procs, |id| {
                event.proc() == Some(*id) || subject(&kind) == Some(Scope::Proc(*id))
            })
            && any(&self.criteria.kinds, |filter| filter.matches(event, &kind))
            && match &mut self.criteria.grep {
                Some(grep) => grep.matches(event, &kind),
                None => true,
            })
    }

    /// Whether no later event can be shown, so that reading on is in vain. Only times on the trace
    /// clock are sure of that: the wall clock may be set back between generations.
    #[must_use]
    pub fn is_past_end(&self) -> bool {
        self.past_end
    }

    fn matches_time(
        &mut self,
        event: &Event<'_>,
        kind: &EventKind<'_>,
        first: Time,
    ) -> Result<bool, FilterError> {
        let time = event.time();
        if let Some(from) = &self.criteria.from
            && !reached(from, event, kind, first, self.clock)?
        {
            return Ok(false);
        }
        if let Some(to) = &self.criteria.to
            && reached(to, event, kind, first, self.clock)?
        {
            self.past_end |= match to {
                TimeBound::Relative(nanos) => time >= after(first, *nanos),
                TimeBound::Absolute(to) => time >= *to,
                TimeBound::Wall(_) => false,
            };
            return Ok(false);
        }
        Ok(true)
    }
}

/// Whether the event is at or after the bound.
fn reached(
    bound: &TimeBound,
    event: &Event<'_>,
    kind: &EventKind<'_>,
    first: Time,
    clock: Option<ClockSnapshot>,
) -> Result<bool, FilterError> {
    let time = event.time();
    match bound {
        TimeBound::Relative(nanos) => Ok(time >= after(first, *nanos)),
        TimeBound::Absolute(bound) => Ok(time >= *bound),
        TimeBound::Wall(bound) => {
            let wall = event
                .wall_time()
                .or_else(|| clock.map(|clock| clock.wall_time_of(time)));
            match wall {
                Some(wall) => Ok(wall >= *bound),
                // The first Sync of a trace that has nothing else: there is nothing to show.
                None if matches!(kind, EventKind::Sync(_)) => Ok(false),
                None => Err(FilterError::NoWallClock),
            }
        }
    }
}

fn after(first: Time, nanos: u64) -> Time {
    Time(first.nanos().saturating_add_unsigned(nanos))
}

/// Whether any of the wanted values fits, or none is wanted.
fn any<T>(wanted: &[T], fits: impl FnMut(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(fits)
}

/// The resource that an event is about, which need not be the one that it happened on.
fn subject(kind: &EventKind<'_>) -> Option<Scope> {
    match kind {
        EventKind::StateTransition(StateTransition::Goroutine { id, .. }) => {
            Some(Scope::Goroutine(*id))
        }
        EventKind::StateTransition(StateTransition::Proc { id, .. }) => Some(Scope::Proc(*id)),
        EventKind::Label(label) => Some(Scope::Goroutine(label.goroutine)),
        EventKind::RangeBegin(Range { scope, .. })
        | EventKind::RangeActive(Range { scope, .. })
        | EventKind::RangeEnd(RangeEnd {
            range: Range { scope, .. },
            ..
        }) => Some(*scope),
        _ => None,
    }
}

/// Why criteria make no sense for a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilterError {
    /// A bound is a wall time, but the trace does not relate its clock to the wall clock.
    NoWallClock,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWallClock => f.write_str(
                "the trace has no wall clock times (Go writes them since 1.25): use a time \
                 relative to its start, such as 1.5s, or nanoseconds on its own clock",
            ),
        }
    }
}

impl std::error::Error for FilterError {}
