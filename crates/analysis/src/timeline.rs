//! What happens to goroutines, one thing after the other.

use exectrace_reader::Time;

use crate::{
    Interval,
    ids::{GoroutineIx, RangeIx, RegionIx, StackIx, StringIx},
    selection::Selection,
    store::{Log, Scope, Store},
};

/// Something that happens to a goroutine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A state begins; or goes on, where the selection begins.
    State(Interval),
    /// The goroutine ends.
    End,
    /// It begins a region.
    RegionBegin(RegionIx),
    /// It ends a region.
    RegionEnd(RegionIx),
    /// A range of its own begins.
    RangeBegin(RangeIx),
    /// A range of its own ends.
    RangeEnd(RangeIx),
    /// It logs something.
    Log(Log),
    /// It gets a label.
    Label(StringIx),
    /// The CPU profiler sees it here.
    Sample(Option<StackIx>),
}

/// What happens to the selected goroutines in the window, in order of time.
///
/// Time is linear in the regions, ranges, logs, labels and samples of the trace and in the goroutines'
/// changes of state, but for sorting.
#[must_use]
pub fn timeline(store: &Store, selection: &Selection) -> Vec<(Time, GoroutineIx, Moment)> {
    let mut moments = Vec::new();
    let mut selected = vec![false; store.goroutine_indices().len()];
    // 1. States.
    for goroutine in selection.goroutines(store) {
        selected[goroutine.index()] = true;
        for mut interval in store.intervals(goroutine) {
            if selection.touches(interval.seen.span) {
                interval.seen = selection.clip(interval.seen);
                let start = interval.seen.span.start;
                moments.push((start, goroutine, Moment::State(interval)));
            }
        }
        if let Some(end) = store.goroutine(goroutine).seen.end() {
            moments.push((end, goroutine, Moment::End));
        }
    }
    // 2. All else.
    for (region, at) in store.regions().iter().zip(0..) {
        let (goroutine, at) = (region.goroutine, RegionIx(at));
        moments.extend(
            region
                .start
                .map(|time| (time, goroutine, Moment::RegionBegin(at))),
        );
        moments.extend(
            region
                .end
                .map(|time| (time, goroutine, Moment::RegionEnd(at))),
        );
    }
    for (range, at) in store.ranges().iter().zip(0..) {
        let Scope::Goroutine(goroutine) = range.scope else {
            continue;
        };
        let at = RangeIx(at);
        let (start, end) = (range.seen.start(), range.seen.end());
        moments.extend(start.map(|time| (time, goroutine, Moment::RangeBegin(at))));
        moments.extend(end.map(|time| (time, goroutine, Moment::RangeEnd(at))));
    }
    let logs = store.logs().iter();
    moments.extend(logs.filter_map(|log| Some((log.time, log.goroutine?, Moment::Log(*log)))));
    let labels = store.labels().iter();
    moments.extend(
        labels.filter_map(|label| Some((label.time, label.goroutine?, Moment::Label(label.label)))),
    );
    let samples = store.samples().iter();
    moments.extend(
        samples.filter_map(|sample| {
            Some((sample.time, sample.goroutine?, Moment::Sample(sample.stack)))
        }),
    );
    // 3. What is selected of it.
    moments.retain(|(time, goroutine, _)| {
        let inside = selection.window.is_none_or(|window| {
            // The trace's last moment lies in a window that ends with it.
            window.contains(*time) || (*time == window.end && store.span() == Some(window))
        });
        inside && selected[goroutine.index()]
    });
    moments.sort_by_key(|(time, ..)| *time);
    moments
}
