//! Events as `go tool trace -d=parsed` prints them (format specification, section 5.2).

use std::io::Write as _;

use exectrace_reader::{
    Event, EventKind, Experimental, GoState, Label, Log, ProcState, Range, RangeEnd, RangeKind,
    Region, Scope, Stack, StateTransition, Sync, Task, TaskId, Text,
};
use exectrace_wire::quote::quote_into;

use crate::{
    line::{Line, Padded, push_decimal, push_hex},
    stacks::StackCache,
};

/// Writes events as Go 1.27's `go tool trace -d=parsed` prints them, byte for byte.
///
/// The one thing that depends on the machine in Go does not here: the wall time of a Sync is in
/// UTC, as Go prints it with `TZ=UTC`.
///
/// A writer serves one trace, and MUST see every Sync of it, with [`write_event`] or [`skip`]:
/// otherwise events of one generation may get stacks of another. It keeps the text of a
/// generation's stacks, at most 40 MiB.
///
/// [`write_event`]: ParsedWriter::write_event
/// [`skip`]: ParsedWriter::skip
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::io::Write;
/// use exectrace_export::ParsedWriter;
/// use exectrace_reader::Reader;
///
/// let mut reader = Reader::new(std::fs::File::open("app.trace")?)?;
/// let mut writer = ParsedWriter::new();
/// let mut text = Vec::new();
/// while let Some(event) = reader.next_event()? {
///     writer.write_event(&mut text, &event);
///     if text.len() >= 1 << 18 {
///         std::io::stdout().write_all(&text)?;
///         text.clear();
///     }
/// }
/// std::io::stdout().write_all(&text)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ParsedWriter {
    line: Line,
    stacks: StackCache,
}

impl Default for ParsedWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl ParsedWriter {
    /// A writer for one trace.
    #[must_use]
    pub fn new() -> Self {
        Self {
            line: Line::new(),
            stacks: StackCache::default(),
        }
    }

    /// Tells the writer of an event that is not to be written.
    #[inline]
    pub fn skip(&mut self, event: &Event<'_>) {
        self.stacks.observe(event);
    }

    /// Appends the lines of an event, with the last line's newline, to `out`.
    ///
    /// Allocates nothing but room in `out`, except when a stack is seen for the first time in its
    /// generation.
    pub fn write_event(&mut self, out: &mut Vec<u8>, event: &Event<'_>) {
        // 1. Context, kind, time.
        let line = &mut self.line;
        line.text("M=");
        line.signed(event.thread().map_or(-1, |id| id.0 as i64));
        line.text(" P=");
        line.signed(event.proc().map_or(-1, |id| id.0 as i64));
        line.text(" G=");
        line.signed(event.goroutine().map_or(-1, |id| id.0 as i64));
        let kind = event.kind();
        let time = event.time().nanos();

        // 2. What the kind has.
        match &kind {
            EventKind::StateTransition(transition) => {
                line.text(" StateTransition Time=");
                line.signed(time);
                self.transition(out, transition);
            }
            kind => {
                line.padded(&KIND_NAMES[kind_index(kind)]);
                line.signed(time);
                line.flush(out);
                self.details(out, kind, event);
            }
        }

        // 3. The stack. The empty line after it is the newline of the event itself.
        if let Some(stack) = event.stack() {
            out.extend_from_slice(b"\nStack=\n");
            self.stacks.append(out, stack, push_stack);
        }
        out.push(b'\n');
    }

    fn transition(&mut self, out: &mut Vec<u8>, transition: &StateTransition<'_>) {
        let line = &mut self.line;
        match *transition {
            StateTransition::Goroutine {
                id,
                from,
                to,
                reason,
                stack,
            } => {
                line.text(" GoID=");
                line.signed(id.0 as i64);
                line.padded(&GO_FROM[from as usize]);
                line.padded(&GO_TO[to as usize]);
                if reason.is_empty() {
                    line.text("\"\"");
                    line.flush(out);
                } else {
                    line.flush(out);
                    push_quoted(out, reason);
                }
                if let Some(stack) = stack {
                    out.extend_from_slice(b"\nTransitionStack=\n");
                    self.stacks.append(out, stack, push_stack);
                }
            }
            StateTransition::Proc { id, from, to } => {
                line.text(" ProcID=");
                line.signed(id.0 as i64);
                line.padded(&PROC_FROM[from as usize]);
                line.padded(&PROC_TO[to as usize]);
                line.text("\"\"");
                line.flush(out);
            }
        }
    }

    fn details(&mut self, out: &mut Vec<u8>, kind: &EventKind<'_>, event: &Event<'_>) {
        match kind {
            EventKind::Sync(sync) => {
                self.stacks.observe(event);
                push_sync(out, sync);
            }
            EventKind::Metric(metric) => {
                push_field_quoted(out, " Name=", Text::from(metric.kind.name()));
                out.extend_from_slice(b" Value=");
                push_value(out, metric.value);
            }
            EventKind::Label(Label { label, goroutine }) => {
                push_field_quoted(out, " Label=", *label);
                out.extend_from_slice(b" Resource=");
                push_scope(out, Scope::Goroutine(*goroutine));
            }
            EventKind::RangeBegin(range) | EventKind::RangeActive(range) => push_range(out, range),
            EventKind::RangeEnd(end) => push_range_end(out, end),
            EventKind::TaskBegin(task) | EventKind::TaskEnd(task) => push_task(out, task),
            EventKind::RegionBegin(region) | EventKind::RegionEnd(region) => {
                let Region { task, name } = *region;
                push_field(out, " Task=", task.0);
                push_field_quoted(out, " Type=", name);
            }
            EventKind::Log(log) => {
                let Log {
                    task,
                    category,
                    message,
                } = *log;
                push_field(out, " Task=", task.0);
                push_field_quoted(out, " Category=", category);
                push_field_quoted(out, " Message=", message);
            }
            EventKind::Experimental(experimental) => push_experimental(out, experimental),
            // Written by the caller; a sample has a stack only.
            EventKind::StateTransition(_) | EventKind::StackSample => {}
        }
    }
}

/// The names of kinds in the order of `kind_index`, up to the number after them.
const KIND_NAMES: [Padded<24>; 13] = {
    const fn name(name: &str) -> Padded<24> {
        Padded::new(&[name, " Time="])
    }
    [
        name(" Sync"),
        name(" Metric"),
        name(" Label"),
        name(" StackSample"),
        name(" RangeBegin"),
        name(" RangeActive"),
        name(" RangeEnd"),
        name(" TaskBegin"),
        name(" TaskEnd"),
        name(" RegionBegin"),
        name(" RegionEnd"),
        name(" Log"),
        name(" Experimental"),
    ]
};

/// State transitions, which are most events, are not among them: they have a path of their own.
const fn kind_index(kind: &EventKind<'_>) -> usize {
    match kind {
        EventKind::Sync(_) => 0,
        EventKind::Metric(_) => 1,
        EventKind::Label(_) => 2,
        EventKind::StackSample => 3,
        EventKind::RangeBegin(_) => 4,
        EventKind::RangeActive(_) => 5,
        EventKind::RangeEnd(_) => 6,
        EventKind::TaskBegin(_) => 7,
        EventKind::TaskEnd(_) => 8,
        EventKind::RegionBegin(_) => 9,
        EventKind::RegionEnd(_) => 10,
        EventKind::Log(_) => 11,
        EventKind::Experimental(_) | EventKind::StateTransition(_) => 12,
    }
}

/// The state before, with what surrounds it, by `state as usize`.
macro_rules! from_names {
    ($state:ident, $count:literal) => {{
        let mut names = [Padded::new(&[]); $count];
        let mut at = 0;
        while at < $count {
            names[at] = Padded::<16>::new(&[" ", $state::ALL[at].name(), "->"]);
            at += 1;
        }
        names
    }};
}

/// The state after, up to the reason.
macro_rules! to_names {
    ($state:ident, $count:literal) => {{
        let mut names = [Padded::new(&[]); $count];
        let mut at = 0;
        while at < $count {
            names[at] = Padded::<24>::new(&[$state::ALL[at].name(), " Reason="]);
            at += 1;
        }
        names
    }};
}

const GO_FROM: [Padded<16>; 6] = from_names!(GoState, 6);
const GO_TO: [Padded<24>; 6] = to_names!(GoState, 6);
const PROC_FROM: [Padded<16>; 4] = from_names!(ProcState, 4);
const PROC_TO: [Padded<24>; 4] = to_names!(ProcState, 4);

/// Reasons and other names are quoted here without a change nearly always.
fn push_quoted(out: &mut Vec<u8>, text: Text<'_>) {
    quote_into(out, text.as_bytes());
}

fn push_field(out: &mut Vec<u8>, name: &str, value: u64) {
    out.extend_from_slice(name.as_bytes());
    push_decimal(out, value);
}

fn push_field_quoted(out: &mut Vec<u8>, name: &str, value: Text<'_>) {
    out.extend_from_slice(name.as_bytes());
    push_quoted(out, value);
}

fn push_value(out: &mut Vec<u8>, value: u64) {
    push_field(out, "Value{Uint64(", value);
    out.extend_from_slice(b")}");
}

fn push_scope(out: &mut Vec<u8>, scope: Scope) {
    let (name, id) = match scope {
        Scope::Global => {
            out.extend_from_slice(b"None");
            return;
        }
        Scope::Goroutine(id) => ("Goroutine(", id.0),
        Scope::Proc(id) => ("Proc(", id.0),
    };
    let mut line = Line::<64>::new();
    line.text(name);
    line.signed(id as i64);
    line.text(")");
    line.flush(out);
}

fn push_range(out: &mut Vec<u8>, range: &Range<'_>) {
    match range.kind {
        RangeKind::GcConcurrentMark => out.extend_from_slice(b" Name=\"GC concurrent mark phase\""),
        RangeKind::GcIncrementalSweep => out.extend_from_slice(b" Name=\"GC incremental sweep\""),
        RangeKind::GcMarkAssist => out.extend_from_slice(b" Name=\"GC mark assist\""),
        RangeKind::StopTheWorld { reason } => {
            // Go quotes the whole name. Quoted alone, the reason has the same text between its
            // quotes: what surrounds it is ASCII, which joins no invalid sequence.
            out.extend_from_slice(b" Name=\"stop-the-world ");
            let opening_quote = out.len();
            push_quoted(out, reason);
            out[opening_quote] = b'(';
            out.pop();
            out.extend_from_slice(b")\"");
        }
    }
    out.extend_from_slice(b" Scope=");
    push_scope(out, range.scope);
}

fn push_range_end(out: &mut Vec<u8>, end: &RangeEnd<'_>) {
    push_range(out, &end.range);
    out.extend_from_slice(b" Attributes=[");
    if let Some(swept) = end.swept {
        out.extend_from_slice(b"\"bytes swept\"=");
        push_value(out, swept.swept_bytes);
        out.extend_from_slice(b" \"bytes reclaimed\"=");
        push_value(out, swept.reclaimed_bytes);
    }
    out.push(b']');
}

fn push_task(out: &mut Vec<u8>, task: &Task<'_>) {
    push_field(out, " ID=", task.id.0);
    push_field(out, " Parent=", task.parent.unwrap_or(TaskId::NONE).0);
    push_field_quoted(out, " Type=", task.kind);
}

fn push_experimental(out: &mut Vec<u8>, experimental: &Experimental<'_>) {
    out.extend_from_slice(b" Name=");
    out.extend_from_slice(experimental.name().as_bytes());
    out.extend_from_slice(b" Args=[");
    for (at, (name, value)) in experimental.args().enumerate() {
        if at != 0 {
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        push_value(out, value);
    }
    out.push(b']');
}

fn push_sync(out: &mut Vec<u8>, sync: &Sync<'_>) {
    push_field(out, " N=", sync.number());
    if let Some(clock) = sync.clock() {
        let (trace, mono, wall) = (clock.trace, clock.monotonic_nanos, clock.wall);
        // Writing to a vector cannot fail.
        let _ = write!(out, " Trace={trace} Mono={mono} Wall={wall}");
    }
}

fn push_stack(out: &mut Vec<u8>, stack: Stack<'_>) {
    for frame in stack.frames() {
        out.push(b'\t');
        out.extend_from_slice(frame.function.as_bytes());
        out.extend_from_slice(b" @ 0x");
        push_hex(out, frame.pc);
        out.extend_from_slice(b"\n\t\t");
        out.extend_from_slice(frame.file.as_bytes());
        out.push(b':');
        push_decimal(out, frame.line);
        out.push(b'\n');
    }
}
