//! From records to lines.

use super::{Style, WIDTHS};
use crate::{
    RawRecord, RecordPayload, SPECS, Version, limits::MAX_ARGS, quote::quote_into,
    record::FRAME_FIELDS, varint,
};

/// Writes records as lines of text.
///
/// A dump of a large file is gigabytes, so a line is put together from fragments of fixed size in
/// a buffer of the writer's own, which is then appended to the output as a whole. Writing costs no
/// allocation but the output's growth.
#[derive(Clone)]
pub struct Writer {
    style: Style,
    line: [u8; LINE],
}

impl core::fmt::Debug for Writer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Writer")
            .field("style", &self.style)
            .finish_non_exhaustive()
    }
}

impl Default for Writer {
    fn default() -> Self {
        Self::new(Style::default())
    }
}

impl Writer {
    /// A writer of the given style.
    #[must_use]
    pub const fn new(style: Style) -> Self {
        Self {
            style,
            line: [0; LINE],
        }
    }

    /// Appends the header line, which Go's text reader needs and `go tool trace -d=wire` omits.
    pub fn header(&self, version: Version, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("Trace Go1.{}\n", version.minor()).as_bytes());
    }

    /// Appends the line of a record, or its lines if it has frames or data.
    #[inline]
    pub fn record(&mut self, record: &RawRecord<'_>, out: &mut Vec<u8>) {
        if self.style == Style::Lossless {
            write_widths(record, out);
        }
        let template = &TEMPLATES[usize::from(record.event_type().to_wire())];
        let mut at = put(&mut self.line, 0, &template.name);
        for (fragment, &arg) in template.args.iter().zip(record.args()) {
            at = put(&mut self.line, at, fragment);
            at = put_number(&mut self.line, at, arg);
        }
        self.line[at % LINE] = b'\n';
        out.extend_from_slice(&self.line[..(at + 1) % LINE]);
        if template.has_payload {
            self.payload(record, out);
        }
    }

    fn payload(&mut self, record: &RawRecord<'_>, out: &mut Vec<u8>) {
        match record.payload() {
            RecordPayload::None => {}
            RecordPayload::Data([]) if self.style == Style::Go => {}
            RecordPayload::Data(data) => {
                out.extend_from_slice(b"\tdata=");
                quote_into(out, data);
                out.push(b'\n');
            }
            RecordPayload::Frames(frames) => {
                for frame in frames {
                    let numbers = [frame.pc, frame.func, frame.file, frame.line];
                    let mut at = 0;
                    for (fragment, number) in FRAME_FRAGMENTS.iter().zip(numbers) {
                        at = put(&mut self.line, at, fragment);
                        at = put_number(&mut self.line, at, number);
                    }
                    self.line[0] = b'\t';
                    self.line[at % LINE] = b'\n';
                    out.extend_from_slice(&self.line[..(at + 1) % LINE]);
                }
            }
        }
    }
}

/// Appends comments on the numbers of the record that are longer than they need be, if any.
fn write_widths(record: &RawRecord<'_>, out: &mut Vec<u8>) {
    /// Keeps the lines short enough for Go's reader, whose limit is 64 KiB.
    const PER_LINE: usize = 1000;
    let spec = record.event_type().spec();
    let numbers = spec.args.len()
        + match record.payload() {
            RecordPayload::None => 0,
            RecordPayload::Data(_) => 1,
            RecordPayload::Frames(frames) => FRAME_FIELDS.len() * frames.len(),
        };
    let mut rest = record.bytes().get(1..).unwrap_or_default();
    let mut written = 0;
    for slot in 1..=numbers {
        let Ok((value, width)) = varint::read(rest) else {
            break;
        };
        rest = &rest[width..];
        if width > varint::len(value) {
            if written % PER_LINE == 0 {
                if written > 0 {
                    out.push(b'\n');
                }
                out.extend_from_slice(WIDTHS.as_bytes());
            }
            out.extend_from_slice(format!(" {slot}:{width}").as_bytes());
            written += 1;
        }
    }
    if written > 0 {
        out.push(b'\n');
    }
}

/// Bytes of the buffer for a line without its data. A power of two, so that the compiler can see
/// that masked indexes are in range.
const LINE: usize = 512;

/// A short text in a buffer of fixed size: copying all of that is faster than copying as much as
/// needed.
#[derive(Clone, Copy)]
struct Fragment {
    bytes: [u8; FRAGMENT],
    length: usize,
}

const FRAGMENT: usize = 24;

const MAX_DIGITS: usize = 20;

// A line MUST fit with room for a whole fragment after its end, otherwise masked indexes wrap.
const _: () = assert!(LINE.is_power_of_two());
const _: () = assert!(FRAGMENT + MAX_ARGS * (FRAGMENT + MAX_DIGITS) + FRAGMENT < LINE);

/// The text around the numbers of an event.
#[derive(Clone, Copy)]
struct Template {
    name: Fragment,
    args: [Fragment; MAX_ARGS],
    has_payload: bool,
}

const EMPTY: Template = Template {
    name: fragment(&[]),
    args: [fragment(&[]); MAX_ARGS],
    has_payload: false,
};

/// The templates of all events, by id.
static TEMPLATES: [Template; 256] = {
    let mut templates = [EMPTY; 256];
    let mut i = 0;
    while i < SPECS.len() {
        let spec = &SPECS[i];
        let template = &mut templates[spec.event_type as usize];
        template.name = fragment(&[spec.name]);
        template.has_payload = !matches!(spec.payload, crate::Payload::None);
        let mut arg = 0;
        while arg < spec.args.len() {
            template.args[arg] = fragment(&[" ", spec.args[arg].name, "="]);
            arg += 1;
        }
        i += 1;
    }
    templates
};

static FRAME_FRAGMENTS: [Fragment; FRAME_FIELDS.len()] = {
    let mut fragments = [fragment(&[]); FRAME_FIELDS.len()];
    let mut i = 0;
    while i < fragments.len() {
        fragments[i] = fragment(&[" ", FRAME_FIELDS[i], "="]);
        i += 1;
    }
    fragments
};

/// Joins `parts`. Fails to compile if they are too long, since all callers are constants.
const fn fragment(parts: &[&str]) -> Fragment {
    let mut bytes = [0; FRAGMENT];
    let mut length = 0;
    let mut i = 0;
    while i < parts.len() {
        let part = parts[i].as_bytes();
        let mut j = 0;
        while j < part.len() {
            bytes[length] = part[j];
            length += 1;
            j += 1;
        }
        i += 1;
    }
    Fragment { bytes, length }
}

#[inline(always)]
fn put(line: &mut [u8; LINE], at: usize, fragment: &Fragment) -> usize {
    if let Some(place) = line.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *place = fragment.bytes;
    }
    at + fragment.length
}

/// Writes a number in decimal and returns where it ends.
#[inline(always)]
fn put_number(line: &mut [u8; LINE], at: usize, value: u64) -> usize {
    if value < 10 {
        line[at % LINE] = b'0' + value as u8;
        return at + 1;
    }
    if value < 100 {
        let pair = PAIRS[value as usize];
        line[at % LINE] = pair[0];
        line[(at + 1) % LINE] = pair[1];
        return at + 2;
    }
    let end = at + digits(value);
    put_pairs(line, end, value);
    end
}

/// Writes the digits of a number of two or more so that they end before `end`.
#[inline]
fn put_pairs(line: &mut [u8; LINE], end: usize, mut value: u64) {
    let mut at = end;
    while value >= 100 {
        let pair = PAIRS[(value % 100) as usize];
        value /= 100;
        line[(at - 1) % LINE] = pair[1];
        line[(at - 2) % LINE] = pair[0];
        at -= 2;
    }
    let pair = PAIRS[value as usize];
    line[(at - 1) % LINE] = pair[1];
    if value >= 10 {
        line[(at - 2) % LINE] = pair[0];
    }
}

/// How many decimal digits `value`, which is not 0, has.
#[inline(always)]
const fn digits(value: u64) -> usize {
    value.ilog10() as usize + 1
}

/// The two digits of each number below 100.
static PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut i = 0;
    while i < pairs.len() {
        pairs[i] = [b'0' + i as u8 / 10, b'0' + i as u8 % 10];
        i += 1;
    }
    pairs
};
