//! What `info` reports: one structure, printed as text or as JSON.

use exectrace_reader::{EventType, Experiment, Version, WallTime};
use exectrace_wire::{Family, v1};
use serde::Serialize;

use super::{
    footprint::{Footprint, RawGeneration, Tally},
    ordered::{Ordered, OrderedGeneration},
};
use crate::{input::Compression, units};

/// The report. Its fields are those of the JSON and documented in `docs/cli.md`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) file: String,
    pub(super) version: String,
    #[serde(skip)]
    pub(super) written_by: &'static str,
    pub(super) bytes: u64,
    pub(super) compression: Option<Compression>,
    pub(super) stored_bytes: u64,
    pub(super) findings: Vec<Finding>,
    pub(super) start_ns: Option<i64>,
    pub(super) end_ns: Option<i64>,
    pub(super) duration_ns: Option<i64>,
    pub(super) start_wall: Option<String>,
    pub(super) end_wall: Option<String>,
    pub(super) events: u64,
    pub(super) goroutines: u64,
    pub(super) procs: u64,
    pub(super) threads: u64,
    pub(super) contents: Contents,
    pub(super) experiments: Vec<ExperimentReport>,
    pub(super) generation_count: u64,
    pub(super) generations: Vec<GenerationReport>,
    pub(super) types: Vec<TypeReport>,
    pub(super) uncounted_bytes: u64,
}

/// Something that whoever reads the trace should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    pub(super) message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// The trace is damaged.
    Error,
    /// The trace is odd: what is made of it may be wrong.
    Warning,
    /// Nothing is wrong.
    Note,
}

/// How much there is of what people look for.
#[derive(Debug, Serialize)]
pub(super) struct Contents {
    pub(super) gc_cycles: u64,
    pub(super) stop_the_worlds: u64,
    pub(super) tasks: u64,
    pub(super) regions: u64,
    pub(super) logs: u64,
    pub(super) cpu_samples: u64,
    pub(super) stacks: u64,
    pub(super) strings: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct ExperimentReport {
    pub(super) number: u8,
    pub(super) name: Option<&'static str>,
    pub(super) events: u64,
    pub(super) batches: u64,
    pub(super) batch_bytes: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct GenerationReport {
    pub(super) number: u64,
    /// What the events say; `None` where they could not be read.
    pub(super) start_ns: Option<i64>,
    pub(super) end_ns: Option<i64>,
    pub(super) start_wall: Option<String>,
    pub(super) events: Option<u64>,
    /// What the bytes say.
    pub(super) bytes: Option<u64>,
    pub(super) batches: Option<u64>,
    pub(super) threads: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(super) struct TypeReport {
    #[serde(rename = "type")]
    pub(super) name: &'static str,
    pub(super) count: u64,
    pub(super) bytes: u64,
}

/// Where the trace comes from.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) file: String,
    pub(super) version: Version,
    pub(super) compression: Option<Compression>,
    pub(super) stored_bytes: u64,
}

impl Report {
    /// Joins what is known. `findings` are those of reading; those of the figures are added.
    pub(super) fn new(
        origin: Origin,
        footprint: &Footprint,
        ordered: &Ordered,
        mut findings: Vec<Finding>,
    ) -> Self {
        find_oddities(origin.version, footprint, &mut findings);
        find_unfinished(footprint, ordered, &mut findings);
        find_dropped(ordered, &mut findings);
        findings.sort_by_key(|finding| finding.severity);
        let wall = |wall: &WallTime| wall.to_string();
        let generations = join_generations(&footprint.generations, &ordered.generations);
        Self {
            file: origin.file,
            version: origin.version.to_string(),
            written_by: written_by(origin.version),
            bytes: footprint.bytes,
            compression: origin.compression,
            stored_bytes: origin.stored_bytes,
            findings,
            start_ns: ordered.span.map(|(start, _)| start.nanos()),
            end_ns: ordered.span.map(|(_, end)| end.nanos()),
            duration_ns: ordered.span.map(|(start, end)| end.since(start)),
            start_wall: ordered.wall.as_ref().map(|(start, _)| wall(start)),
            end_wall: ordered.wall.as_ref().map(|(_, end)| wall(end)),
            events: ordered.events,
            goroutines: ordered.goroutines,
            procs: ordered.procs.len() as u64,
            threads: footprint.threads.union(&ordered.named_threads).count() as u64,
            contents: match origin.version.family() {
                Family::V1 => Contents::of_v1(footprint),
                Family::V2 => Contents::of(footprint),
            },
            experiments: experiments(footprint),
            generation_count: generations.len() as u64 + ordered.more_generations,
            generations,
            types: {
                let types = footprint
                    .types()
                    .map(|(event_type, tally)| (event_type.name(), tally));
                let v1_types = footprint
                    .v1_types()
                    .map(|(event_type, tally)| (event_type.name(), tally));
                types
                    .chain(v1_types)
                    .map(|(name, Tally { count, bytes })| TypeReport { name, count, bytes })
                    .collect()
            },
            uncounted_bytes: footprint.uncounted,
        }
    }

    pub(super) fn is_damaged(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.severity == Severity::Error)
    }
}

impl Finding {
    pub(super) fn error(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
        }
    }

    fn warning(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            message: message.into(),
        }
    }

    fn note(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Note,
            message: message.into(),
        }
    }
}

impl Contents {
    fn of(footprint: &Footprint) -> Self {
        let count = |event_type| footprint.tally(event_type).count;
        Self {
            gc_cycles: count(EventType::GCBegin),
            stop_the_worlds: count(EventType::STWBegin),
            tasks: count(EventType::UserTaskBegin),
            regions: count(EventType::UserRegionBegin),
            logs: count(EventType::UserLog),
            cpu_samples: count(EventType::CPUSample),
            stacks: count(EventType::Stack),
            strings: count(EventType::String),
        }
    }
}

impl Contents {
    fn of_v1(footprint: &Footprint) -> Self {
        use v1::EventType as T;
        let count = |event_type| footprint.v1_tally(event_type).count;
        Self {
            gc_cycles: count(T::GCStart),
            stop_the_worlds: count(T::STWStart),
            tasks: count(T::UserTaskCreate),
            regions: footprint.v1_regions,
            logs: count(T::UserLog),
            cpu_samples: count(T::CPUSample),
            stacks: count(T::Stack),
            strings: count(T::String),
        }
    }
}

/// The releases whose runtime writes a version.
fn written_by(version: Version) -> &'static str {
    match version {
        Version::Go122 => "Go 1.22",
        Version::Go123 => "Go 1.23 or 1.24",
        Version::Go125 => "Go 1.25",
        Version::Go126 => "Go 1.26 or later",
        Version::Go121 => "Go 1.21",
        Version::Go119 => "Go 1.19 or 1.20",
        Version::Go111 => "Go 1.11 to 1.18",
        Version::Go110 => "Go 1.10",
        Version::Go109 => "Go 1.9",
        Version::Go108 => "Go 1.8",
        Version::Go107 => "Go 1.7",
        _ => "Go 1.5 or 1.6",
    }
}

fn find_oddities(version: Version, footprint: &Footprint, findings: &mut Vec<Finding>) {
    for (event_type, tally) in footprint.types() {
        if !event_type.available_in(version) {
            findings.push(Finding::warning(format!(
                "{} of type {event_type}, which only exists since Go {}: the header may be wrong",
                units::counted(tally.count, "event", "events"),
                event_type.spec().since,
            )));
        }
    }
    for (&number, tally) in &footprint.experiments {
        if Experiment::from_wire(u64::from(number)).is_none() {
            findings.push(Finding::note(format!(
                "{} of the unknown experiment {number}",
                units::counted(tally.count, "batch", "batches"),
            )));
        }
    }
    if footprint.generations.is_empty() && findings.is_empty() {
        findings.push(Finding::warning(
            "the trace has a header and no data: was the program killed before it wrote any?",
        ));
    }
}

/// What the program's tracer had to drop.
fn find_dropped(ordered: &Ordered, findings: &mut Vec<Finding>) {
    for (time, loss) in &ordered.dropped {
        let since = ordered.span.map_or(0, |(start, _)| time.since(start));
        findings.push(Finding::warning(format!(
            "{} with {} dropped while the trace was recorded, from {} on: {}",
            units::counted(loss.generations, "generation", "generations"),
            units::counted(loss.events, "event was", "events were"),
            units::duration(since),
            loss.cause,
        )));
    }
}

/// A reader passes over a last generation that has tables but no events yet.
fn find_unfinished(footprint: &Footprint, ordered: &Ordered, findings: &mut Vec<Finding>) {
    let Some(last) = footprint.generations.last() else {
        return;
    };
    let read = ordered.generations.last().map(|read| read.number);
    if ordered.error.is_none() && findings.is_empty() && read != Some(last.number) {
        findings.push(Finding::note(format!(
            "generation {} has begun and has no events yet: the program was stopped before it \
             closed the trace, or still writes it",
            last.number
        )));
    }
}

fn experiments(footprint: &Footprint) -> Vec<ExperimentReport> {
    let events_of = |number: u8| {
        footprint
            .types()
            .filter(|(event_type, _)| {
                let experiment = event_type.spec().experiment;
                experiment != Experiment::None && experiment.to_wire() == number
            })
            .map(|(_, tally)| tally.count)
            .sum::<u64>()
    };
    (1..=u8::MAX)
        .map(|number| {
            let batches = footprint
                .experiments
                .get(&number)
                .copied()
                .unwrap_or_default();
            ExperimentReport {
                number,
                name: Experiment::from_wire(u64::from(number)).map(Experiment::name),
                events: events_of(number),
                batches: batches.count,
                batch_bytes: batches.bytes,
            }
        })
        .filter(|experiment| experiment.events > 0 || experiment.batches > 0)
        .collect()
}

/// Joins the two views of the generations: the events of one may be lost, and the bytes of one
/// may not be countable.
fn join_generations(raw: &[RawGeneration], ordered: &[OrderedGeneration]) -> Vec<GenerationReport> {
    /// Bounds the work where numbers make no sense.
    const LOOK_AHEAD: usize = 1000;
    let mut joined = Vec::new();
    let mut raw = raw.iter();
    for generation in ordered {
        // Both are in file order; bytes without events come first.
        let same = raw
            .clone()
            .take(LOOK_AHEAD)
            .position(|raw| raw.number == generation.number);
        for unread in raw.by_ref().take(same.unwrap_or(0)) {
            joined.push(GenerationReport::new(Some(unread), None));
        }
        let raw = same.and_then(|_| raw.next());
        joined.push(GenerationReport::new(raw, Some(generation)));
    }
    joined.extend(raw.map(|unread| GenerationReport::new(Some(unread), None)));
    joined
}

impl GenerationReport {
    fn new(raw: Option<&RawGeneration>, ordered: Option<&OrderedGeneration>) -> Self {
        let number = ordered.map_or_else(
            || raw.map_or(0, |raw| raw.number.0),
            |ordered| ordered.number.0,
        );
        Self {
            number,
            start_ns: ordered.map(|generation| generation.start.nanos()),
            end_ns: ordered.map(|generation| generation.end.nanos()),
            start_wall: ordered
                .and_then(|generation| generation.wall_time_of(generation.start))
                .map(|wall| wall.to_string()),
            events: ordered.map(|generation| generation.events),
            bytes: raw.map(|generation| generation.bytes),
            batches: raw.map(|generation| generation.batches),
            threads: raw.map(|generation| generation.threads),
        }
    }
}
