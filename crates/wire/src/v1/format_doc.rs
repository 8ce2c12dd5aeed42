//! The part of `FORMAT.md` on the v1 formats, generated from their table.

use core::fmt::{self, Write};

use super::{
    ArgSpec, Class, EventSpec, EventType, PayloadKind, SPECS,
    limits::{MAX_NUMBERS_BYTES, MAX_PROC, MAX_STACK_FRAMES, MAX_STRING_BYTES},
    record::LENGTH_GIVEN,
    table::{SEQ_DELTA, TIME_DELTA},
};
use crate::{ArgKind, Version, format_doc::prose};

/// Appends the section.
pub(crate) fn write_format(out: &mut String) -> fmt::Result {
    out.write_str(
        "\n## The v1 formats\n\n\
         What Go 1.5 to 1.21 wrote: the same header, the same numbers, and nothing else in common \
         with the formats above. A trace has no generations. Batches belong to procs, and what a \
         batch holds ends where the next one begins. Strings and stacks stand anywhere in the file \
         and hold for all of it; how long a clock unit is stands behind the last event.\n\n\
         | N | written by | new in this version |\n|---|---|---|\n",
    )?;
    for version in Version::V1 {
        let news = news(version);
        writeln!(
            out,
            "| {} | {} | {news} |",
            version.minor(),
            releases(version)
        )?;
    }
    write!(
        out,
        "\nThe first byte of a record has its type in the low six bits. The upper two say how many \
         numbers follow the first one (in Go 1.5, the first two); {LENGTH_GIVEN} means that the \
         length of the numbers in bytes follows instead, then the numbers. A timed event's first \
         number is `{TIME_DELTA}`, the clock units since the event before in the batch; in Go 1.5 \
         `{SEQ_DELTA}`, the difference of its sequence number, comes before that. `{string}` has a \
         form of its own: id, length and bytes, whatever its upper bits. The message of `{log}` \
         follows its numbers: length and bytes.\n\n\
         | type | record | arguments | since | meaning |\n|---|---|---|---|---|\n",
        string = EventType::String,
        log = EventType::UserLog,
    )?;
    for spec in SPECS {
        writeln!(
            out,
            "| {} | `{}`{} | {} | 1.{} | {} |",
            spec.event_type.to_wire(),
            spec.name,
            match spec.class {
                Class::Timed => "",
                Class::Untimed => " (untimed)",
            },
            arguments(spec),
            spec.since.minor(),
            prose(spec.doc)
        )?;
    }
    write!(
        out,
        "\nA stack in bold is the one at which the event happened. Readers refuse more than \
         {MAX_NUMBERS_BYTES} bytes of numbers whose length is given, strings and messages of more \
         than {MAX_STRING_BYTES} bytes, strings of none, stacks of more than {MAX_STACK_FRAMES} \
         frames, and procs above {MAX_PROC} other than 2^64-1.\n"
    )
}

/// What a version added, events and arguments.
fn news(version: Version) -> String {
    if version == Version::V1[0] {
        return "all others below".to_string();
    }
    let events = SPECS
        .iter()
        .filter(|spec| spec.since == version)
        .map(|spec| format!("`{}`", spec.name));
    let args = SPECS.iter().flat_map(|spec| {
        let new = spec.args.iter().filter(move |arg| arg.since == version);
        new.map(|arg| format!("`{}` of `{}`", arg.name, spec.name))
    });
    let news: Vec<String> = events.chain(args).collect();
    match news.is_empty() {
        true => "other numbers for the reasons to stop the world".to_string(),
        false => news.join(", "),
    }
}

/// The Go releases that write a version.
const fn releases(version: Version) -> &'static str {
    match version {
        Version::Go105 => "Go 1.5, 1.6",
        Version::Go107 => "Go 1.7",
        Version::Go108 => "Go 1.8",
        Version::Go109 => "Go 1.9",
        Version::Go110 => "Go 1.10",
        Version::Go111 => "Go 1.11 to 1.18",
        Version::Go119 => "Go 1.19, 1.20",
        Version::Go121 => "Go 1.21",
        _ => "",
    }
}

fn arguments(spec: &EventSpec) -> String {
    let mut parts: Vec<String> = spec.args.iter().map(|arg| argument(spec, arg)).collect();
    match spec.payload {
        PayloadKind::None => {}
        PayloadKind::Data => parts.push("length of the data, data".to_string()),
        PayloadKind::Frames => parts.push("frames".to_string()),
    }
    if parts.is_empty() {
        return "–".to_string();
    }
    parts.join(", ")
}

fn argument(spec: &EventSpec, arg: &ArgSpec) -> String {
    let is_own_stack = spec.class == Class::Timed
        && matches!(arg.kind, ArgKind::Stack)
        && spec.args.last() == Some(arg);
    let name = match is_own_stack {
        true => format!("**`{}`**", arg.name),
        false => format!("`{}`", arg.name),
    };
    match (arg.since, arg.until) {
        (Version::Go105, Version::Go105) => format!("{name} (1.5 only)"),
        (Version::Go105, _) => name,
        (since, _) => format!("{name} (since {since})"),
    }
}
