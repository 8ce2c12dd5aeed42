//! The report as text for a person.

use exectrace_analysis::{
    Distribution, GoroutineAnalysis, GoroutineStats, Group, GroupTimes, Measure, RangeKind, Spells,
    StackIx,
};

use super::{GoroutinesArgs, report};
use crate::{
    analysis::{DISTRIBUTION, Loaded, distribution_cells, nanos, nanos_or_dash, page::Page},
    terminal::{Paint, Table, harmless},
    units,
};

/// Groups or goroutines that are shown in full; more are listed.
const IN_FULL: usize = 5;

struct Text<'a> {
    loaded: &'a Loaded,
    analysis: &'a GoroutineAnalysis<'a>,
    args: &'a GoroutinesArgs,
    page: Page,
}

pub(super) fn render(
    loaded: &Loaded,
    analysis: &GoroutineAnalysis<'_>,
    args: &GoroutinesArgs,
    paint: Paint,
) -> String {
    let mut text = Text {
        loaded,
        analysis,
        args,
        page: Page::new(&loaded.head, paint),
    };
    let single = !loaded.selection.goroutines.is_empty();
    if args.each || single {
        text.goroutines(single);
    } else {
        text.groups(!loaded.selection.functions.is_empty());
    }
    text.page.finish()
}

impl Text<'_> {
    fn line(&mut self, line: &str) {
        self.page.line(line);
    }

    fn groups(&mut self, in_full: bool) {
        let groups = report::sorted_groups(self.analysis, self.args.sort);
        let goroutines: u64 = groups.iter().map(Group::count).sum();
        if groups.is_empty() {
            self.line("No goroutines.");
            return;
        }
        if in_full && groups.len() <= IN_FULL {
            for (at, group) in groups.iter().enumerate() {
                if at > 0 {
                    self.line("");
                }
                self.group(group);
            }
            self.page.next("--each", "lists the goroutines one by one");
            return;
        }
        self.line(&format!(
            "{} by the function that they began with; times are sums",
            units::counted(goroutines, "goroutine", "goroutines")
        ));
        self.line("");
        let all: u64 = groups
            .iter()
            .map(|group| group.time(Measure::Execution).nanos)
            .sum();
        let mut table = Table::with_text_last(1);
        table.row(
            [
                "goroutines",
                "execution",
                "of all",
                "sched wait",
                "blocked",
                "syscall",
                "total",
                "function",
            ]
            .map(str::to_owned),
        );
        for group in groups.iter().take(self.args.top.shown(groups.len())) {
            let execution = group.time(Measure::Execution).nanos;
            let syscall =
                group.time(Measure::Syscall).nanos + group.time(Measure::SyscallWithoutProc).nanos;
            table.row([
                units::count(group.count()),
                nanos_or_dash(execution),
                units::percent(execution, all),
                nanos_or_dash(group.time(Measure::SchedulerWait).nanos),
                nanos_or_dash(group.blocked().nanos),
                nanos_or_dash(syscall),
                nanos(group.lives.total),
                harmless(&self.loaded.function(group.function)),
            ]);
        }
        self.page.table(&table);
        self.page.more(self.args.top, groups.len(), "groups");
        if let Some(function) = groups.iter().find_map(|group| group.function) {
            let name = harmless(&self.loaded.text(function));
            self.page
                .next(&format!("--function '={name}'"), "shows a group in full");
        }
    }

    fn group(&mut self, group: &Group) {
        let name = harmless(&self.loaded.function(group.function));
        self.line(&format!(
            "{}: {}, {} of life in all",
            self.page.paint.strong(&name),
            units::counted(group.count(), "goroutine", "goroutines"),
            nanos(group.lives.total)
        ));
        self.line("");
        let mut table = Table::default();
        let mut heading: Vec<&str> = vec!["per goroutine", "share"];
        heading.extend(&DISTRIBUTION[1..]);
        heading.extend(["spells", "longest"]);
        let row = |table: &mut Table, cells: Vec<String>| {
            if let Ok(cells) = <[String; 11]>::try_from(cells) {
                table.row(cells);
            }
        };
        row(&mut table, heading.into_iter().map(str::to_owned).collect());
        let of_life = group.lives.total;
        let mut time = |name: String, times: &GroupTimes| {
            let mut cells = vec![harmless(&name), units::percent(times.spells.nanos, of_life)];
            cells.extend_from_slice(&distribution_cells(&times.per_goroutine)[1..]);
            cells.push(units::count(times.spells.count));
            cells.push(nanos(times.spells.longest));
            row(&mut table, cells);
        };
        for (measure, times) in &group.times {
            time(measure.name(&self.loaded.store), times);
        }
        let life = GroupTimes {
            spells: Spells {
                count: group.count(),
                nanos: group.lives.total,
                longest: group.lives.max,
            },
            per_goroutine: group.lives,
        };
        time("life".to_owned(), &life);
        for (kind, times) in &group.ranges {
            time(format!("in {}", self.range_name(*kind)), times);
        }
        self.page.table(&table);
    }

    fn goroutines(&mut self, in_full: bool) {
        let goroutines = report::sorted_goroutines(self.analysis, self.args.sort);
        if goroutines.is_empty() {
            self.line("No such goroutine.");
            return;
        }
        if in_full && goroutines.len() <= IN_FULL {
            for (at, stats) in goroutines.iter().enumerate() {
                if at > 0 {
                    self.line("");
                }
                self.goroutine(stats);
            }
            return;
        }
        self.line(&units::counted(
            goroutines.len() as u64,
            "goroutine",
            "goroutines",
        ));
        self.line("");
        let mut table = Table::with_text_last(1);
        table.row(
            [
                "id",
                "begin",
                "life",
                "execution",
                "sched wait",
                "blocked",
                "syscall",
                "function",
            ]
            .map(str::to_owned),
        );
        for stats in goroutines
            .iter()
            .take(self.args.top.shown(goroutines.len()))
        {
            let goroutine = self.loaded.store.goroutine(stats.goroutine);
            let syscall =
                stats.time(Measure::Syscall).nanos + stats.time(Measure::SyscallWithoutProc).nanos;
            table.row([
                goroutine.id.to_string(),
                match goroutine.seen.start() {
                    Some(start) => units::duration(self.loaded.relative(start)),
                    None => "before".to_owned(),
                },
                nanos(stats.seen.span.nanos()),
                nanos_or_dash(stats.time(Measure::Execution).nanos),
                nanos_or_dash(stats.time(Measure::SchedulerWait).nanos),
                nanos_or_dash(stats.blocked().nanos),
                nanos_or_dash(syscall),
                harmless(&self.loaded.function(goroutine.function)),
            ]);
        }
        self.page.table(&table);
        self.page
            .more(self.args.top, goroutines.len(), "goroutines");
        let id = self.loaded.store.goroutine(goroutines[0].goroutine).id;
        self.page
            .next(&format!("--goroutine {id}"), "shows a goroutine in full");
    }

    fn goroutine(&mut self, stats: &GoroutineStats) {
        let goroutine = self.loaded.store.goroutine(stats.goroutine);
        let name = harmless(&self.loaded.function(goroutine.function));
        let title = format!("goroutine {}: {name}", goroutine.id);
        self.line(&self.page.paint.strong(&title));
        let at = |time| units::duration(self.loaded.relative(time));
        let begin = match goroutine.seen.start() {
            Some(start) => format!("created at {}", at(start)),
            None => "existed before the trace".to_owned(),
        };
        let first_run = match stats.first_run {
            Some(time) => format!("first ran at {}", at(time)),
            None => "never ran".to_owned(),
        };
        let end = match goroutine.seen.end() {
            Some(end) => format!("ended at {}", at(end)),
            None => "had not ended when the trace did".to_owned(),
        };
        self.line(&format!("{begin}, {first_run}, {end}"));
        if let Some(creator) = goroutine.creator {
            let creator = self.loaded.store.goroutine(creator);
            let name = harmless(&self.loaded.function(creator.function));
            self.line(&format!("created by goroutine {} ({name})", creator.id));
        }
        if let Some(stack) = goroutine.creation_stack {
            self.stack(stack);
        }
        self.line("");
        let mut table = Table::default();
        let mut heading = vec!["spells".to_owned(), "share".to_owned()];
        heading.extend(DISTRIBUTION.map(str::to_owned));
        let row = |table: &mut Table, cells: Vec<String>| {
            if let Ok(cells) = <[String; 10]>::try_from(cells) {
                table.row(cells);
            }
        };
        row(&mut table, heading);
        let life = stats.seen.span.nanos();
        let mut time = |name: String, spells: &Distribution| {
            let mut cells = vec![harmless(&name), units::percent(spells.total, life)];
            cells.extend(distribution_cells(spells));
            row(&mut table, cells);
        };
        for (measure, spells) in self.analysis.spells(stats.goroutine) {
            time(measure.name(&self.loaded.store), &spells);
        }
        time("life".to_owned(), &Distribution::of(&mut [life]));
        for (kind, spells) in self.analysis.range_spells(stats.goroutine) {
            time(format!("in {}", self.range_name(kind)), &spells);
        }
        self.page.table(&table);
    }

    fn stack(&mut self, stack: StackIx) {
        for line in self.loaded.stack_lines(stack) {
            self.line(&format!("    {line}"));
        }
    }

    fn range_name(&self, kind: RangeKind) -> String {
        match kind {
            RangeKind::GcConcurrentMark => "GC mark".to_owned(),
            RangeKind::GcIncrementalSweep => "GC sweep".to_owned(),
            RangeKind::GcMarkAssist => "GC assist".to_owned(),
            RangeKind::StopTheWorld(reason) => {
                format!("stop-the-world ({})", self.loaded.text(reason))
            }
        }
    }
}
