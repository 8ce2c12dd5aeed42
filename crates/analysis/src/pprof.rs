//! Profiles in the format of pprof (`profile.proto` of github.com/google/pprof), not compressed.

use std::collections::HashMap;

use exectrace_reader::WallTime;

use crate::{
    ids::{FrameIx, StringIx},
    profile::{Profile, ProfileKind, ProfileSample, Reason},
    store::{RangeKind, Store},
};

/// Writes a profile.
///
/// pprof expects it to be compressed with gzip. Values are `contentions` and `delay`, as
/// `go tool trace` has them; for CPU samples, `samples`.
#[must_use]
pub fn to_pprof(store: &Store, profile: &Profile) -> Vec<u8> {
    let mut writer = Writer {
        store,
        out: Vec::new(),
        strings: Strings::default(),
        locations: HashMap::new(),
        functions: HashMap::new(),
    };
    writer.strings.number("");
    writer.profile(profile);
    writer.out
}

// Fields of the message Profile.
const SAMPLE_TYPE: u32 = 1;
const SAMPLE: u32 = 2;
const LOCATION: u32 = 4;
const FUNCTION: u32 = 5;
const STRING_TABLE: u32 = 6;
const TIME_NANOS: u32 = 9;
const DURATION_NANOS: u32 = 10;
const PERIOD_TYPE: u32 = 11;
const PERIOD: u32 = 12;
const DEFAULT_SAMPLE_TYPE: u32 = 14;

struct Writer<'a> {
    store: &'a Store,
    out: Vec<u8>,
    strings: Strings,
    /// Numbers from 1.
    locations: HashMap<FrameIx, u64>,
    functions: HashMap<(StringIx, StringIx), u64>,
}

impl Writer<'_> {
    fn profile(&mut self, profile: &Profile) {
        // 1. What the values are.
        let types: &[(&str, &str)] = match profile.kind {
            ProfileKind::Cpu => &[("samples", "count")],
            _ => &[("contentions", "count"), ("delay", "nanoseconds")],
        };
        for (name, unit) in types {
            let message = self.value_type(name, unit);
            field(&mut self.out, SAMPLE_TYPE, &message);
        }
        // 2. The samples, and what they refer to where it comes up first.
        for sample in &profile.samples {
            self.sample(profile.kind, sample);
        }
        // 3. What the profile is about.
        if let Some(span) = profile.span {
            if let Some(wall) = self.store.wall_time(span.start) {
                number(&mut self.out, TIME_NANOS, nanos_of(wall));
            }
            number(&mut self.out, DURATION_NANOS, span.nanos());
        }
        let period = self.value_type("trace", "count");
        field(&mut self.out, PERIOD_TYPE, &period);
        number(&mut self.out, PERIOD, 1);
        if let Some((name, _)) = types.last() {
            let name = self.strings.number(name);
            number(&mut self.out, DEFAULT_SAMPLE_TYPE, name);
        }
        // 4. The strings, when all are known.
        for string in &self.strings.list {
            field(&mut self.out, STRING_TABLE, string.as_bytes());
        }
    }

    fn value_type(&mut self, name: &str, unit: &str) -> Vec<u8> {
        let mut message = Vec::new();
        number(&mut message, 1, self.strings.number(name));
        number(&mut message, 2, self.strings.number(unit));
        message
    }

    fn sample(&mut self, kind: ProfileKind, sample: &ProfileSample) {
        let mut locations = Vec::new();
        if let Some(stack) = sample.stack {
            for frame in self.store.symbols().stack(stack) {
                let location = self.location(*frame);
                varint(&mut locations, location);
            }
        }
        let mut values = Vec::new();
        varint(&mut values, sample.count);
        if kind != ProfileKind::Cpu {
            varint(&mut values, sample.nanos);
        }
        let mut message = Vec::new();
        field(&mut message, 1, &locations);
        field(&mut message, 2, &values);
        let text = |string| self.store.symbols().string(string).to_string();
        let mut labels = Vec::new();
        if let Some(function) = sample.function {
            labels.push(("function", text(function)));
        }
        if let Some(state) = sample.state {
            labels.push(("state", state.name().to_owned()));
        }
        if let Some(reason) = sample.reason {
            labels.push(("reason", reason_name(self.store, reason)));
        }
        for (key, value) in labels {
            let mut label = Vec::new();
            number(&mut label, 1, self.strings.number(key));
            number(&mut label, 2, self.strings.number(&value));
            field(&mut message, 3, &label);
        }
        if let Some(goroutine) = sample.goroutine {
            let mut label = Vec::new();
            number(&mut label, 1, self.strings.number("goroutine"));
            number(&mut label, 3, goroutine.0);
            field(&mut message, 3, &label);
        }
        field(&mut self.out, SAMPLE, &message);
    }

    /// The number of a frame's location, which is written if it is new.
    fn location(&mut self, frame: FrameIx) -> u64 {
        if let Some(known) = self.locations.get(&frame) {
            return *known;
        }
        let id = self.locations.len() as u64 + 1;
        self.locations.insert(frame, id);
        let row = *self.store.symbols().frame(frame);
        let mut line = Vec::new();
        number(&mut line, 1, self.function(row.function, row.file));
        number(&mut line, 2, row.line);
        let mut message = Vec::new();
        number(&mut message, 1, id);
        number(&mut message, 3, row.pc);
        field(&mut message, 4, &line);
        field(&mut self.out, LOCATION, &message);
        id
    }

    fn function(&mut self, function: StringIx, file: StringIx) -> u64 {
        if let Some(known) = self.functions.get(&(function, file)) {
            return *known;
        }
        let id = self.functions.len() as u64 + 1;
        self.functions.insert((function, file), id);
        let text = |string| self.store.symbols().string(string).to_string();
        let name = self.strings.number(&text(function));
        let mut message = Vec::new();
        number(&mut message, 1, id);
        number(&mut message, 2, name);
        number(&mut message, 3, name);
        number(&mut message, 4, self.strings.number(&text(file)));
        field(&mut self.out, FUNCTION, &message);
        id
    }
}

/// What kept a goroutine, for people.
#[must_use]
pub fn reason_name(store: &Store, reason: Reason) -> String {
    match reason {
        Reason::Blocked(reason) => store.symbols().string(reason).to_string(),
        Reason::Range(RangeKind::GcConcurrentMark) => "GC mark".to_owned(),
        Reason::Range(RangeKind::GcIncrementalSweep) => "GC sweep".to_owned(),
        Reason::Range(RangeKind::GcMarkAssist) => "GC assist".to_owned(),
        Reason::Range(RangeKind::StopTheWorld(reason)) => {
            format!("stop-the-world ({})", store.symbols().string(reason))
        }
    }
}

fn nanos_of(wall: WallTime) -> u64 {
    let nanos = wall
        .seconds()
        .wrapping_mul(1_000_000_000)
        .wrapping_add(i64::from(wall.nanos()));
    nanos.cast_unsigned()
}

/// The string table: each string once, in the order in which they come up.
#[derive(Debug, Default)]
struct Strings {
    list: Vec<String>,
    numbers: HashMap<String, u64>,
}

impl Strings {
    fn number(&mut self, text: &str) -> u64 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.list.len() as u64;
        self.list.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }
}

/// A field of bytes: a message, a string or packed numbers.
fn field(out: &mut Vec<u8>, tag: u32, bytes: &[u8]) {
    varint(out, u64::from(tag) << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn number(out: &mut Vec<u8>, tag: u32, value: u64) {
    varint(out, u64::from(tag) << 3);
    varint(out, value);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
