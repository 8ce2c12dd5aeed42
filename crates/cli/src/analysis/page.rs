//! Texts of analyses: a head, lines, tables, histograms, and what to try next.

use core::{num::ParseIntError, str::FromStr};

use exectrace_analysis::Histogram;

use super::{Head, nanos};
use crate::{
    terminal::{Paint, Table},
    units,
};

/// A text while it is written.
#[derive(Debug)]
pub(crate) struct Page {
    out: String,
    pub(crate) paint: Paint,
}

/// How many lines a list has at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Top(Option<usize>);

impl FromStr for Top {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let top = text.parse()?;
        Ok(Self((top > 0).then_some(top)))
    }
}

impl Top {
    /// How many of so many lines are shown.
    pub(crate) fn shown(self, all: usize) -> usize {
        self.0.map_or(all, |top| top.min(all))
    }
}

impl Page {
    /// Begins with the head and an empty line.
    pub(crate) fn new(head: &Head, paint: Paint) -> Self {
        let mut page = Self {
            out: String::new(),
            paint,
        };
        for line in head.lines(paint) {
            page.line(&line);
        }
        page.line("");
        page
    }

    pub(crate) fn line(&mut self, line: &str) {
        self.out += line.trim_end();
        self.out.push('\n');
    }

    /// An empty line and a heading.
    pub(crate) fn heading(&mut self, text: &str) {
        self.line("");
        let text = self.paint.strong(text);
        self.line(&text);
    }

    pub(crate) fn table(&mut self, table: &Table) {
        for line in table.lines(self.paint) {
            self.line(&line);
        }
    }

    /// Says that a list is not whole.
    pub(crate) fn more(&mut self, top: Top, all: usize, what: &str) {
        if let Some(more @ 1..) = all.checked_sub(top.shown(all)) {
            let more = units::count(more as u64);
            self.line(&format!("{more} more {what}; --top 0 shows all"));
        }
    }

    /// What to try next.
    pub(crate) fn next(&mut self, option: &str, what: &str) {
        self.line("");
        let line = self.paint.faint(&format!("{option} {what}"));
        self.line(&line);
    }

    /// Durations by class, with bars.
    pub(crate) fn histogram(&mut self, histogram: &Histogram, heading: &str) {
        const WIDTH: u64 = 40;
        let largest = histogram.classes().map(|class| class.count).max();
        let all: u64 = histogram.classes().map(|class| class.count).sum();
        let mut table = Table::with_text_last(1);
        table.row([heading, "count", "of all", ""].map(str::to_owned));
        for class in histogram.classes() {
            // What is there at all shows.
            let bar = (class.count * WIDTH).div_ceil(largest.unwrap_or(1).max(1));
            table.row([
                format!("{} to {}", nanos(class.from), nanos(class.to)),
                units::count(class.count),
                units::percent(class.count, all),
                "#".repeat(bar as usize),
            ]);
        }
        self.table(&table);
    }

    pub(crate) fn finish(self) -> String {
        self.out
    }
}
