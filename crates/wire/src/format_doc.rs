//! The documentation of the format, generated from the table: `FORMAT.md` at the root of the
//! repository.
//!
//! Every name, number and rule that code depends on comes from the code; the prose between them
//! only says how they fit together.

use core::fmt::{self, Write};

use crate::{
    ArgKind, ArgSpec, Class, EventSpec, EventType, Experiment, GoStatus, HEADER_LEN, Payload,
    ProcStatus, SPECS, Version,
    alloc_free::{KIND_INFO, KIND_TYPES},
    limits::{LIMITS, MAX_BATCH_BYTES, MAX_VARINT_BYTES},
    record::FRAME_FIELDS,
};

/// The documentation of the v2 formats, in Markdown: header, framing, every event with its
/// arguments, status values and limits.
#[must_use]
pub fn format_markdown() -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_document(&mut out);
    out
}

fn write_document(out: &mut String) -> fmt::Result {
    out.write_str(INTRODUCTION)?;
    header(out)?;
    numbers(out)?;
    framing(out)?;
    sections(out)?;
    events(out)?;
    experiments(out)?;
    arguments(out)?;
    statuses(out)?;
    limits(out)?;
    crate::v1::write_format(out)
}

const INTRODUCTION: &str = "\
# The Go execution trace format

<!-- Generated from the event table of crates/wire. Do not edit; run
     UPDATE_GOLDEN=1 cargo test -p exectrace-wire --test format_doc -->

What a file holds and what its numbers mean, for the formats of Go 1.22 and later (v2). In which
order the events of different threads happened, and which sequences of events are valid, is not a
matter of the format and not described here. Go 1.5 to 1.21 wrote another format (v1) behind the same
kind of header; the last section has it.

A file is a header and then batches. A batch holds what one thread wrote into one buffer, or a part of
a table. Batches belong to generations: stretches of a second or so that are complete in themselves,
with their own tables of strings and stacks, so that a trace can be read, and cut, piece by piece.
";

fn header(out: &mut String) -> fmt::Result {
    let example = Version::Go126.header();
    write!(
        out,
        "\n## Header\n\n\
         {HEADER_LEN} bytes: ASCII `go 1.N trace`, padded with NUL. For example:\n\n    {}\n\n\
         | N | written by | new in this version |\n|---|---|---|\n",
        example.escape_ascii()
    )?;
    for version in Version::V2 {
        let mut news = SPECS
            .iter()
            .filter(|spec| spec.since == version && version != Version::V2[0])
            .map(|spec| format!("`{}`", spec.name))
            .collect::<Vec<_>>();
        if version == Version::V2[0] {
            news.push("all others below".to_string());
        }
        writeln!(
            out,
            "| {} | {} | {} |",
            version.minor(),
            releases(version),
            news.join(", ")
        )?;
    }
    out.write_str(
        "\nReaders take every event in a file of any version; only Go's `raw` tools restrict events \
         by version.\n",
    )
}

/// The Go releases that write a version.
const fn releases(version: Version) -> &'static str {
    match version {
        Version::Go122 => "Go 1.22",
        Version::Go123 => "Go 1.23, 1.24",
        Version::Go125 => "Go 1.25",
        Version::Go126 => "Go 1.26, 1.27",
        _ => "",
    }
}

fn numbers(out: &mut String) -> fmt::Result {
    write!(
        out,
        "\n## Numbers\n\n\
         All numbers are unsigned LEB128: seven bits a byte, least significant first, the high bit \
         set on all bytes but the last. A number has at most {MAX_VARINT_BYTES} bytes and 64 bits. \
         Padding with zero bits is legal and used: the runtime writes the size of a batch in \
         {MAX_VARINT_BYTES} bytes, so that the field can be reserved before the size is known.\n\n\
         Every record is one byte, its type, and then its arguments in the order given below.\n"
    )
}

fn framing(out: &mut String) -> fmt::Result {
    write!(
        out,
        "\n## Framing\n\n\
         After the header, these records follow each other:\n\n\
         | type | record | arguments | since | meaning |\n|---|---|---|---|---|\n"
    )?;
    for spec in rows(Class::Framing) {
        writeln!(
            out,
            "| {} | `{}` | {} | 1.{} | {} |",
            spec.event_type.to_wire(),
            spec.name,
            argument_list(spec),
            spec.since.minor(),
            meaning(spec)
        )?;
    }
    write!(
        out,
        "\n`size`, or the length of the data, is at most {MAX_BATCH_BYTES}. `m` is the operating \
         system's id of the thread, or 2^64-1 if the batch belongs to no thread. `time` is the time \
         from which the batch's time deltas count, in clock units; the `{}` record of the \
         generation says how many there are in a second. `exp` is a single byte below 128.\n\n\
         A batch without experiment is what its first byte says:\n\n\
         | first byte | data | since |\n|---|---|---|\n",
        EventType::Frequency
    )?;
    for spec in rows(Class::Section) {
        writeln!(
            out,
            "| {} (`{}`) | {} | 1.{} |",
            spec.event_type.to_wire(),
            spec.name,
            meaning(spec),
            spec.since.minor()
        )?;
    }
    write!(
        out,
        "| {} (`{frequency}`) | A lone `{frequency}` record, instead of a `{sync}` section. | \
         1.{} to 1.{} |\n\
         | other | Events of one thread, each with a time delta. | 1.{} |\n\n\
         From 1.{} on, a generation ends with an `{end}` byte. Before, it ends where the first \
         batch of another generation begins, or with the file.\n",
        EventType::Frequency.to_wire(),
        Version::V2[0].minor(),
        before(EventType::Sync.spec().since).minor(),
        Version::V2[0].minor(),
        EventType::EndOfGeneration.spec().since.minor(),
        frequency = EventType::Frequency,
        sync = EventType::Sync,
        end = EventType::EndOfGeneration,
    )
}

/// The v2 version before `version`, or itself if there is none.
fn before(version: Version) -> Version {
    Version::V2
        .into_iter()
        .rev()
        .find(|older| *older < version)
        .unwrap_or(version)
}

fn sections(out: &mut String) -> fmt::Result {
    write!(
        out,
        "\n## Records of sections\n\n\
         After the section's byte, these records follow each other to the end of the batch. A \
         table may be spread over several batches of its generation, and may come after the \
         events that refer to it.\n\n\
         | type | record | arguments | since | meaning |\n|---|---|---|---|---|\n"
    )?;
    for spec in rows(Class::Record) {
        writeln!(
            out,
            "| {} | `{}` | {} | 1.{} | {} |",
            spec.event_type.to_wire(),
            spec.name,
            argument_list(spec),
            spec.since.minor(),
            meaning(spec)
        )?;
    }
    out.write_str(
        "\nString id 0 is the empty string and stack id 0 is no stack; neither is ever defined. A \
         string id is defined once in a generation.\n",
    )
}

fn events(out: &mut String) -> fmt::Result {
    write!(
        out,
        "\n## Events\n\n\
         Every event begins with its time delta `dt`: clock units since the event before it in the \
         batch, or since the batch's `time`. The other arguments are listed with their types, \
         which are described below; the stack at which the event happened is in bold. An event \
         happens to the goroutine, proc and thread that the order of events implies, unless an \
         argument names another.\n\n\
         | type | event | arguments after `dt` | since | meaning |\n|---|---|---|---|---|\n"
    )?;
    for spec in rows(Class::Timed).filter(|spec| spec.experiment == Experiment::None) {
        event_row(out, spec)?;
    }
    Ok(())
}

fn event_row(out: &mut String, spec: &EventSpec) -> fmt::Result {
    write!(
        out,
        "| {} | `{}` | {} | 1.{} | {}",
        spec.event_type.to_wire(),
        spec.name,
        argument_list(spec),
        spec.since.minor(),
        meaning(spec)
    )?;
    if let Some(start) = spec.range_start {
        write!(out, " Belongs to the range that `{start}` begins.")?;
    }
    out.write_str(" |\n")
}

fn experiments(out: &mut String) -> fmt::Result {
    write!(
        out,
        "\n## Experiments\n\n\
         An experiment adds events with types from 128 on, and batches of type {} with data of its \
         own. Consumers ignore experiments that they do not know.\n",
        EventType::ExperimentalBatch.to_wire()
    )?;
    let mut experiment = 1;
    while let Some(known) = Experiment::from_wire(experiment) {
        write!(
            out,
            "\n### {experiment}: {}\n\n{}\n\
             | type | event | arguments after `dt` | since | meaning |\n|---|---|---|---|---|\n",
            known.name(),
            experiment_data(known)
        )?;
        for spec in SPECS.iter().filter(|spec| spec.experiment == known) {
            event_row(out, spec)?;
        }
        experiment += 1;
    }
    Ok(())
}

fn experiment_data(experiment: Experiment) -> String {
    match experiment {
        Experiment::None => String::new(),
        Experiment::AllocFree => format!(
            "Allocations and frees of spans, objects and goroutine stacks; \
             `GODEBUG=traceallocfree=1` turns it on before tracing starts. The first byte of a \
             batch's data is its kind:\n\n\
             | kind | data | when |\n|---|---|---|\n\
             | {KIND_TYPES} | types, each: id, address, size, bytes with pointers, length of the \
             name, name | at the end of each generation |\n\
             | {KIND_INFO} | lowest heap address, page size, least alignment, least stack size | \
             once, when tracing starts |\n\n\
             The id of a span, object or stack is its distance from the lowest heap address in \
             pages, least alignments or least stack sizes. `type` is an id of the table of types \
             or 0. `order` is the bit length of a stack's size: 13 for 4096. `kindclass` is 1, or \
             for spans of the heap twice Go's span class.\n"
        ),
    }
}

fn arguments(out: &mut String) -> fmt::Result {
    out.write_str("\n## Types of arguments\n\n| type | number |\n|---|---|\n")?;
    // In order of first appearance, so that nothing is listed that does not occur.
    let mut seen: Vec<ArgKind> = Vec::new();
    for arg in SPECS.iter().flat_map(|spec| spec.args) {
        if !seen.contains(&arg.kind) {
            seen.push(arg.kind);
            let (name, description) = describe(arg.kind);
            writeln!(out, "| {name} | {description} |")?;
        }
    }
    Ok(())
}

/// The name of an argument's type, and what the number means.
const fn describe(kind: ArgKind) -> (&'static str, &'static str) {
    match kind {
        ArgKind::Delta => (
            "delta",
            "Clock units since the event before it in the batch, or since the batch's time.",
        ),
        ArgKind::Time => ("time", "Absolute time in clock units."),
        ArgKind::Generation => ("generation", "Number of a generation, never 0."),
        ArgKind::Goroutine => ("goroutine", "Id of a goroutine; 0 for none."),
        ArgKind::Proc => (
            "proc",
            "Id of a proc, the right to run goroutines; 2^64-1 for none.",
        ),
        ArgKind::Thread => (
            "thread",
            "The operating system's id of a thread; 2^64-1 for none.",
        ),
        ArgKind::GoroutineSeq => (
            "goroutine sequence",
            "Orders the events of one goroutine within the generation: each is one more than the \
             last.",
        ),
        ArgKind::ProcSeq => (
            "proc sequence",
            "Orders the events of one proc within the generation: each is one more than the last.",
        ),
        ArgKind::GcSeq => (
            "GC sequence",
            "Orders the begins and ends of the mark phase of the whole trace.",
        ),
        ArgKind::GoStatus => ("goroutine status", "See below."),
        ArgKind::ProcStatus => ("proc status", "See below."),
        ArgKind::String => (
            "string",
            "Id in the generation's table of strings; 0 is the empty string.",
        ),
        ArgKind::Stack => (
            "stack",
            "Id in the generation's table of stacks; 0 is no stack.",
        ),
        ArgKind::Task => (
            "task",
            "Id of a user task; 0 is the background task, 2^64-1 as a parent is none.",
        ),
        ArgKind::Value => ("value", "A plain number, as its name and event say."),
    }
}

fn statuses(out: &mut String) -> fmt::Result {
    out.write_str("\n## Statuses\n\n| | goroutine | meaning |\n|---|---|---|\n")?;
    for status in GoStatus::ALL {
        let (value, doc) = (status.to_wire(), prose(status.doc()));
        writeln!(out, "| {value} | {status:?} | {doc} |")?;
    }
    out.write_str("\n| | proc | meaning |\n|---|---|---|\n")?;
    for status in ProcStatus::ALL {
        let (value, doc) = (status.to_wire(), prose(status.doc()));
        writeln!(out, "| {value} | {status:?} | {doc} |")?;
    }
    Ok(())
}

fn limits(out: &mut String) -> fmt::Result {
    out.write_str(
        "\n## Limits\n\n\
         Readers refuse what exceeds a limit, so a producer keeps them. The constants are those of \
         `exectrace_wire::limits`.\n\n\
         | limit | value | reason |\n|---|---|---|\n",
    )?;
    for limit in LIMITS {
        writeln!(
            out,
            "| `{}` | {} | {} |",
            limit.name,
            limit.value,
            prose(limit.doc)
        )?;
    }
    Ok(())
}

fn rows(class: Class) -> impl Iterator<Item = &'static EventSpec> {
    SPECS.iter().filter(move |spec| spec.class == class)
}

/// The arguments with their types, and the payload; a time delta goes without saying.
fn argument_list(spec: &EventSpec) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (i, arg) in spec.args.iter().enumerate() {
        if !(spec.is_timed() && i == 0) {
            let own_stack = spec.is_timed() && spec.stack_arg() == Some(i);
            parts.push(argument(arg, own_stack));
        }
    }
    match spec.payload {
        Payload::None => {}
        Payload::Data => parts.push("length of the data, data".to_string()),
        Payload::Frames => parts.push(format!(
            "for each frame {}",
            FRAME_FIELDS.map(|field| format!("`{field}`")).join(", ")
        )),
    }
    if parts.is_empty() {
        return "–".to_string();
    }
    parts.join(", ")
}

fn argument(arg: &ArgSpec, own_stack: bool) -> String {
    let (kind, _) = describe(arg.kind);
    match arg.kind {
        _ if own_stack => format!("**`{}`**", arg.name),
        // Their names say it all.
        ArgKind::Value | ArgKind::Time => format!("`{}`", arg.name),
        _ => format!("`{}` ({kind})", arg.name),
    }
}

/// The documentation of an event as a cell of a table.
fn meaning(spec: &EventSpec) -> String {
    prose(spec.doc)
}

/// A documentation comment as a cell of a table: one line, without links into the code.
pub(crate) fn prose(doc: &str) -> String {
    doc.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace("[`", "`")
        .replace("`]", "`")
        .replace("`u64::MAX`", "2^64-1")
        .replace('|', "\\|")
}
