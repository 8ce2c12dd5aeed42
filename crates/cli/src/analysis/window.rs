//! From the times that a user writes to times of the trace.

use exectrace_analysis::{Span, Store};
use exectrace_export::filter::{FilterError, TimeBound};
use exectrace_reader::{ClockSnapshot, Time, WallTime};

use crate::error::Failure;

/// The part of the trace between two bounds; `None` if there is no bound.
pub(super) fn resolve(
    store: &Store,
    from: Option<TimeBound>,
    to: Option<TimeBound>,
) -> Result<Option<Span>, Failure> {
    if from.is_none() && to.is_none() {
        return Ok(None);
    }
    let Some(whole) = store.span() else {
        return Ok(None);
    };
    let time = |bound: Option<TimeBound>, default: Time| match bound {
        None => Ok(default),
        Some(bound) => time_of(store, bound, whole.start),
    };
    let start = time(from, whole.start)?;
    let end = time(to, whole.end)?;
    if from.is_some() && to.is_some() && end <= start {
        return Err(Failure::Usage(
            "nothing is between --from and --to: the end must be after the start".to_owned(),
        ));
    }
    let inside = start < whole.end && whole.start < end;
    if !inside && !whole.is_empty() {
        return Err(Failure::Usage(format!(
            "nothing of the trace is between --from and --to: it lasts {}",
            super::nanos(whole.nanos())
        )));
    }
    Ok(Some(Span { start, end }.clip(whole)))
}

fn time_of(store: &Store, bound: TimeBound, first: Time) -> Result<Time, Failure> {
    match bound {
        TimeBound::Relative(nanos) => Ok(Time(first.nanos().saturating_add_unsigned(nanos))),
        TimeBound::Absolute(time) => Ok(time),
        TimeBound::Wall(wall) => {
            let clocks = || store.syncs().iter().filter_map(|sync| sync.clock);
            let before = clocks().rfind(|clock| clock.wall <= wall);
            match before.or_else(|| clocks().next()) {
                Some(clock) => Ok(on_trace_clock(clock, wall)),
                None => Err(Failure::Usage(FilterError::NoWallClock.to_string())),
            }
        }
        _ => Err(Failure::Usage("a time of an unknown form".to_owned())),
    }
}

/// The inverse of [`ClockSnapshot::wall_time_of`].
fn on_trace_clock(clock: ClockSnapshot, wall: WallTime) -> Time {
    let seconds = wall.seconds().saturating_sub(clock.wall.seconds());
    let nanos = i64::from(wall.nanos()) - i64::from(clock.wall.nanos());
    let distance = seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
    Time(clock.trace.nanos().saturating_add(distance))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_times_come_back() {
        let clock = ClockSnapshot {
            trace: Time(5_000_000_000),
            monotonic_nanos: 0,
            wall: WallTime::new(100, 999_999_999),
        };
        for time in [
            0,
            4_999_999_999,
            5_000_000_000,
            5_000_000_001,
            9_123_456_789,
        ] {
            let wall = clock.wall_time_of(Time(time));
            assert_eq!(on_trace_clock(clock, wall), Time(time));
        }
    }
}
