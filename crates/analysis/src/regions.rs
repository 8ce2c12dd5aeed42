//! User regions: how long they take, and what their goroutines do meanwhile.

use std::collections::BTreeMap;

use crate::{
    distribution::Distribution,
    goroutines::{GroupTimes, Measure, Spells, spells_of},
    histogram::Histogram,
    ids::{FrameIx, GoroutineIx, RegionIx, StackIx, StringIx},
    selection::Selection,
    span::{Seen, Span},
    store::{Phase, Region, Store},
};

/// A region and what its goroutine did in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionStats {
    /// The region.
    pub region: RegionIx,
    /// When, as far as it is selected. A region that began before the trace is seen from where its
    /// goroutine is; one that does not end lasts as long as its goroutine.
    pub seen: Seen,
    /// What its goroutine did meanwhile; this sums to its length.
    pub times: Vec<(Measure, Spells)>,
}

/// Regions of one type that begin at one place in the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionGroup {
    /// The type, as given by the user.
    pub name: StringIx,
    /// Where in the code they begin; `None` if that is not known.
    pub site: Option<FrameIx>,
    /// How long those took whose beginning and end are known.
    pub durations: Distribution,
    /// How many of these took how long.
    pub histogram: Histogram,
    /// How many had begun before the trace, or had not ended when it did.
    pub open: u64,
    /// What goroutines did in all of them, open ones included; per region.
    pub times: BTreeMap<Measure, GroupTimes>,
}

/// The place in the code at which a stack left the packages of the tracer: that of the call which began
/// a region or task.
#[must_use]
pub fn call_site(store: &Store, stack: Option<StackIx>) -> Option<FrameIx> {
    let symbols = store.symbols();
    let frames = symbols.stack(stack?);
    let is_own = |frame: &FrameIx| {
        let function = symbols.string(symbols.frame(*frame).function);
        function.as_bytes().starts_with(b"runtime/trace.")
    };
    let outside = frames.iter().find(|frame| !is_own(frame));
    outside.or(frames.first()).copied()
}

/// What a trace saw of a region.
#[must_use]
pub fn seen_of(store: &Store, region: &Region) -> Seen {
    let life = store.goroutine(region.goroutine).seen.span;
    let start = region.start.unwrap_or(life.start);
    let end = region.end.unwrap_or(life.end).max(start);
    Seen {
        span: Span { start, end },
        open_start: region.start.is_none(),
        open_end: region.end.is_none(),
    }
}

/// What the selected goroutines did in their regions: by goroutine, and in the order in which the
/// regions began.
///
/// Time is linear in the changes of state within regions, each as often as regions are nested.
pub fn regions(store: &Store, selection: &Selection) -> impl Iterator<Item = RegionStats> {
    let mut by_goroutine: Vec<(GoroutineIx, RegionIx)> = store
        .regions()
        .iter()
        .zip(0..)
        .map(|(region, at)| (region.goroutine, RegionIx(at)))
        .collect();
    by_goroutine.sort_unstable();
    let mut selected = vec![false; store.goroutine_indices().len()];
    for goroutine in selection.goroutines(store) {
        selected[goroutine.index()] = true;
    }
    let mut phases: Vec<Phase> = Vec::new();
    let mut of = None;
    let wanted = by_goroutine
        .into_iter()
        .filter(move |(goroutine, _)| selected[goroutine.index()]);
    wanted.filter_map(move |(goroutine, region)| {
        if of.replace(goroutine) != Some(goroutine) {
            phases.clear();
            phases.extend(store.phases(goroutine));
        }
        let seen = seen_of(store, store.region(region));
        selection.touches(seen.span).then(|| {
            let seen = selection.clip(seen);
            RegionStats {
                region,
                seen,
                times: times_in(&phases, seen.span),
            }
        })
    })
}

/// What a goroutine with these phases did in a span.
pub(crate) fn times_in(phases: &[Phase], span: Span) -> Vec<(Measure, Spells)> {
    let mut times = Vec::new();
    let first = phases.partition_point(|phase| phase.seen.span.end <= span.start);
    for phase in &phases[first..] {
        if phase.seen.span.start >= span.end {
            break;
        }
        let nanos = phase.seen.span.clip(span).nanos();
        spells_of(&mut times, Measure::of_state(phase.state, phase.reason)).add(nanos);
    }
    times.sort_unstable_by_key(|(measure, _)| *measure);
    times
}

#[derive(Debug, Default)]
struct Collected {
    durations: Vec<u64>,
    histogram: Histogram,
    open: u64,
    times: BTreeMap<Measure, (Spells, Vec<u64>)>,
}

/// Regions by type and place in the code; first those that took longest in all.
#[must_use]
pub fn region_groups<'a>(
    store: &Store,
    regions: impl IntoIterator<Item = &'a RegionStats>,
) -> Vec<RegionGroup> {
    let mut groups: BTreeMap<(StringIx, Option<FrameIx>), Collected> = BTreeMap::new();
    for stats in regions {
        let region = store.region(stats.region);
        // Regions that began before the trace end where nobody knows.
        let site = call_site(store, region.begin_stack);
        let group = groups.entry((region.name, site)).or_default();
        if stats.seen.is_complete() {
            group.durations.push(stats.seen.span.nanos());
            group.histogram.add(stats.seen.span.nanos());
        } else {
            group.open += 1;
        }
        for (measure, spells) in &stats.times {
            let (sum, each) = group.times.entry(*measure).or_default();
            sum.add_all(*spells);
            each.push(spells.nanos);
        }
    }
    let mut groups: Vec<RegionGroup> = groups
        .into_iter()
        .map(|((name, site), mut collected)| {
            let count = collected.durations.len() as u64 + collected.open;
            let times = collected.times.into_iter();
            RegionGroup {
                name,
                site,
                durations: Distribution::of(&mut collected.durations),
                histogram: collected.histogram,
                open: collected.open,
                times: times
                    .map(|(measure, (spells, mut each))| {
                        let zeros = count - each.len() as u64;
                        let per_goroutine = Distribution::with_zeros(&mut each, zeros);
                        let times = GroupTimes {
                            spells,
                            per_goroutine,
                        };
                        (measure, times)
                    })
                    .collect(),
            }
        })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.durations.total));
    groups
}
