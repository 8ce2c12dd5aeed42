//! The table of metrics' values.

use exectrace_reader::MetricKind;

use super::tables::Metric;
use crate::column::{Column, TimeColumn};

/// A row for each new value, in order of time.
#[derive(Clone, Debug, Default)]
pub(crate) struct MetricLog {
    times: TimeColumn,
    kinds: Column,
    values: Vec<u64>,
}

const KINDS: [MetricKind; 3] = [
    MetricKind::Procs,
    MetricKind::HeapObjects,
    MetricKind::HeapGoal,
];

impl MetricLog {
    pub(crate) fn push(&mut self, metric: Metric) {
        self.times.push(metric.time);
        self.kinds.push(match metric.kind {
            MetricKind::Procs => 0,
            MetricKind::HeapObjects => 1,
            MetricKind::HeapGoal => 2,
        });
        self.values.push(metric.value);
    }

    /// As [`TimeColumn::seal`].
    pub(crate) fn seal(&mut self) {
        self.times.seal();
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn get(&self, at: usize) -> Metric {
        Metric {
            time: self.times.get(at),
            kind: KINDS[self.kinds.get(at) as usize],
            value: self.values[at],
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.times.bytes() + self.kinds.bytes() + size_of_val(&self.values[..])
    }
}
