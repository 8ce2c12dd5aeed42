//! Events as JSON, one object a line; `docs/json.md` is the schema.

use std::io::Write as _;

use exectrace_reader::{
    Event, EventKind, Experimental, Frame, Range, RangeEnd, RangeKind, Scope, Stack,
    StateTransition, Sync, Task, TaskId, Text, WallTime,
};

use crate::{
    line::{push_decimal, push_hex_bytes},
    stacks::StackCache,
};

/// Writes events as JSON, one object a line, in the schema of `docs/json.md`.
///
/// The output is valid JSON and valid UTF-8 for every event, its fields always come in the same
/// order, and nothing is lost: a string that is not UTF-8 is written twice, with replacement
/// characters and in hexadecimal.
///
/// A writer serves one trace, and MUST see every Sync of it, with [`write_event`] or [`skip`]:
/// otherwise events of one generation may get stacks of another. It keeps the text of a
/// generation's stacks, at most 40 MiB.
///
/// [`write_event`]: JsonWriter::write_event
/// [`skip`]: JsonWriter::skip
#[derive(Debug, Default)]
pub struct JsonWriter {
    stacks: StackCache,
    wall_time: bool,
}

impl JsonWriter {
    /// A writer for one trace.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether events get a field `wall` (by default not).
    #[must_use]
    pub fn wall_time(mut self, on: bool) -> Self {
        self.wall_time = on;
        self
    }

    /// Tells the writer of an event that is not to be written.
    #[inline]
    pub fn skip(&mut self, event: &Event<'_>) {
        self.stacks.observe(event);
    }

    /// Appends an event and a newline to `out`.
    pub fn write_event(&mut self, out: &mut Vec<u8>, event: &Event<'_>) {
        // 1. When and where.
        self.stacks.observe(event);
        out.extend_from_slice(b"{\"time\":");
        push_signed(out, event.time().nanos());
        if self.wall_time
            && let Some(wall) = event.wall_time()
        {
            push_wall(out, ",\"wall\":", wall);
        }
        push_optional(out, ",\"thread\":", event.thread().map(|id| id.0));
        push_optional(out, ",\"proc\":", event.proc().map(|id| id.0));
        push_optional(out, ",\"goroutine\":", event.goroutine().map(|id| id.0));

        // 2. What.
        let kind = event.kind();
        out.extend_from_slice(b",\"kind\":\"");
        out.extend_from_slice(kind.name().as_bytes());
        out.push(b'"');
        if let Some(event_type) = event.event_type() {
            out.extend_from_slice(b",\"event\":\"");
            out.extend_from_slice(event_type.name().as_bytes());
            out.push(b'"');
        }
        self.details(out, &kind);

        // 3. The stack.
        if let Some(stack) = event.stack() {
            self.stack(out, ",\"stack\":", stack);
        }
        out.extend_from_slice(b"}\n");
    }

    fn details(&mut self, out: &mut Vec<u8>, kind: &EventKind<'_>) {
        match kind {
            EventKind::Sync(sync) => push_sync(out, sync),
            EventKind::Metric(metric) => {
                push_text(out, "name", Text::from(metric.kind.name()));
                push_number(out, ",\"value\":", metric.value);
            }
            EventKind::Label(label) => {
                push_text(out, "label", label.label);
                push_resource(out, ",\"resource\":", Scope::Goroutine(label.goroutine));
            }
            EventKind::StackSample => {}
            EventKind::RangeBegin(range) | EventKind::RangeActive(range) => push_range(out, range),
            EventKind::RangeEnd(RangeEnd { range, swept }) => {
                push_range(out, range);
                if let Some(swept) = swept {
                    push_number(out, ",\"swept_bytes\":", swept.swept_bytes);
                    push_number(out, ",\"reclaimed_bytes\":", swept.reclaimed_bytes);
                }
            }
            EventKind::TaskBegin(task) | EventKind::TaskEnd(task) => {
                let Task { id, parent, kind } = *task;
                push_task(out, id);
                push_optional(out, ",\"parent\":", parent.map(|id| id.0));
                push_text(out, "type", kind);
            }
            EventKind::RegionBegin(region) | EventKind::RegionEnd(region) => {
                push_task(out, region.task);
                push_text(out, "type", region.name);
            }
            EventKind::Log(log) => {
                push_task(out, log.task);
                push_text(out, "category", log.category);
                push_text(out, "message", log.message);
            }
            EventKind::StateTransition(transition) => self.transition(out, transition),
            EventKind::Experimental(experimental) => push_experimental(out, experimental),
        }
    }

    fn transition(&mut self, out: &mut Vec<u8>, transition: &StateTransition<'_>) {
        match *transition {
            StateTransition::Goroutine {
                id,
                from,
                to,
                reason,
                stack,
            } => {
                push_resource(out, ",\"resource\":", Scope::Goroutine(id));
                push_states(out, from.name(), to.name());
                if !reason.is_empty() {
                    push_text(out, "reason", reason);
                }
                if let Some(stack) = stack {
                    self.stack(out, ",\"transition_stack\":", stack);
                }
            }
            StateTransition::Proc { id, from, to } => {
                push_resource(out, ",\"resource\":", Scope::Proc(id));
                push_states(out, from.name(), to.name());
            }
        }
    }

    fn stack(&mut self, out: &mut Vec<u8>, name: &str, stack: Stack<'_>) {
        out.extend_from_slice(name.as_bytes());
        self.stacks.append(out, stack, push_stack);
    }
}

fn push_sync(out: &mut Vec<u8>, sync: &Sync<'_>) {
    push_number(out, ",\"number\":", sync.number());
    push_optional(out, ",\"generation\":", sync.generation().map(|id| id.0));
    push_optional(out, ",\"frequency\":", sync.frequency());
    if let Some(clock) = sync.clock() {
        out.extend_from_slice(b",\"clock\":{\"trace\":");
        push_signed(out, clock.trace.nanos());
        push_number(out, ",\"monotonic\":", clock.monotonic_nanos);
        push_wall(out, ",\"wall\":", clock.wall);
        out.push(b'}');
    }
    let mut batches = sync.experimental_batches().peekable();
    if batches.peek().is_none() {
        return;
    }
    out.extend_from_slice(b",\"experimental_batches\":");
    let mut separator = b'[';
    for batch in batches {
        out.push(separator);
        separator = b',';
        push_number(out, "{\"experiment\":", u64::from(batch.experiment));
        push_optional(out, ",\"thread\":", batch.thread.map(|id| id.0));
        out.extend_from_slice(b",\"data_bytes\":\"");
        push_hex_bytes(out, batch.data);
        out.extend_from_slice(b"\"}");
    }
    out.push(b']');
}

fn push_range(out: &mut Vec<u8>, range: &Range<'_>) {
    let name = match range.kind {
        RangeKind::GcConcurrentMark => "GC concurrent mark phase",
        RangeKind::GcIncrementalSweep => "GC incremental sweep",
        RangeKind::GcMarkAssist => "GC mark assist",
        RangeKind::StopTheWorld { .. } => "stop-the-world",
    };
    push_text(out, "name", Text::from(name));
    if let RangeKind::StopTheWorld { reason } = range.kind {
        push_text(out, "reason", reason);
    }
    push_resource(out, ",\"scope\":", range.scope);
}

fn push_experimental(out: &mut Vec<u8>, experimental: &Experimental<'_>) {
    push_text(out, "name", Text::from(experimental.name()));
    push_text(
        out,
        "experiment",
        Text::from(experimental.experiment().name()),
    );
    out.extend_from_slice(b",\"args\":");
    let mut separator = b'{';
    for (name, value) in experimental.args() {
        out.push(separator);
        separator = b',';
        out.push(b'"');
        out.extend_from_slice(name.as_bytes());
        push_number(out, "\":", value);
    }
    if separator == b'{' {
        out.push(separator);
    }
    out.push(b'}');
}

fn push_stack(out: &mut Vec<u8>, stack: Stack<'_>) {
    out.push(b'[');
    for (at, frame) in stack.frames().enumerate() {
        if at != 0 {
            out.push(b',');
        }
        push_frame(out, &frame);
    }
    out.push(b']');
}

fn push_frame(out: &mut Vec<u8>, frame: &Frame<'_>) {
    out.push(b'{');
    push_first_text(out, "function", frame.function);
    push_text(out, "file", frame.file);
    push_number(out, ",\"line\":", frame.line);
    push_number(out, ",\"pc\":", frame.pc);
    out.push(b'}');
}

fn push_states(out: &mut Vec<u8>, from: &str, to: &str) {
    push_text(out, "from", Text::from(from));
    push_text(out, "to", Text::from(to));
}

fn push_task(out: &mut Vec<u8>, id: TaskId) {
    push_number(out, ",\"task\":", id.0);
}

fn push_resource(out: &mut Vec<u8>, name: &str, resource: Scope) {
    out.extend_from_slice(name.as_bytes());
    match resource {
        Scope::Global => out.extend_from_slice(b"{\"kind\":\"global\"}"),
        Scope::Goroutine(id) => {
            push_number(out, "{\"kind\":\"goroutine\",\"id\":", id.0);
            out.push(b'}');
        }
        Scope::Proc(id) => {
            push_number(out, "{\"kind\":\"proc\",\"id\":", id.0);
            out.push(b'}');
        }
    }
}

fn push_number(out: &mut Vec<u8>, name: &str, value: u64) {
    out.extend_from_slice(name.as_bytes());
    push_decimal(out, value);
}

fn push_optional(out: &mut Vec<u8>, name: &str, value: Option<u64>) {
    if let Some(value) = value {
        push_number(out, name, value);
    }
}

fn push_signed(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    push_decimal(out, value.unsigned_abs());
}

fn push_wall(out: &mut Vec<u8>, name: &str, wall: WallTime) {
    // Writing to a vector cannot fail.
    let _ = write!(out, "{name}\"{wall}\"");
}

/// A field after another one, and `NAME_bytes` if the text is not UTF-8.
fn push_text(out: &mut Vec<u8>, name: &str, text: Text<'_>) {
    out.push(b',');
    push_first_text(out, name, text);
}

fn push_first_text(out: &mut Vec<u8>, name: &str, text: Text<'_>) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    if push_string(out, text.as_bytes()) {
        return;
    }
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"_bytes\":\"");
    push_hex_bytes(out, text.as_bytes());
    out.push(b'"');
}

/// Appends a JSON string, with U+FFFD for what is not UTF-8; returns whether all was.
fn push_string(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    out.push(b'"');
    let mut valid = true;
    for chunk in bytes.utf8_chunks() {
        push_escaped(out, chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            valid = false;
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    out.push(b'"');
    valid
}

/// Escapes what RFC 8259 says MUST be escaped, and no more.
fn push_escaped(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while let Some(plain) = rest
        .iter()
        .position(|byte| *byte < b' ' || *byte == b'"' || *byte == b'\\')
    {
        let (run, tail) = rest.split_at(plain);
        out.extend_from_slice(run);
        let Some((byte, tail)) = tail.split_first() else {
            return;
        };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte => {
                out.extend_from_slice(b"\\u00");
                push_hex_bytes(out, &[*byte]);
            }
        }
        rest = tail;
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn text(bytes: &[u8], expected: &str) {
        let mut out = Vec::new();
        push_first_text(&mut out, "s", Text::new(bytes));
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn strings_are_escaped_and_lossless() {
        text(b"", r#""s":"""#);
        text(b"sync.(*Cond).Wait", r#""s":"sync.(*Cond).Wait""#);
        text(
            b"a\"b\\c\nd\re\tf\x00g\x1fh\x7f",
            "\"s\":\"a\\\"b\\\\c\\nd\\re\\tf\\u0000g\\u001fh\x7f\"",
        );
        text("é\u{2028}".as_bytes(), "\"s\":\"é\u{2028}\"");
        text(b"caf\xc3", "\"s\":\"caf\u{fffd}\",\"s_bytes\":\"636166c3\"");
        text(
            b"\xff\"\xfe",
            "\"s\":\"\u{fffd}\\\"\u{fffd}\",\"s_bytes\":\"ff22fe\"",
        );
    }

    #[test]
    fn numbers_are_whole() {
        let mut out = Vec::new();
        push_signed(&mut out, i64::MIN);
        push_number(&mut out, ",", u64::MAX);
        assert_eq!(out, b"-9223372036854775808,18446744073709551615");
    }
}
