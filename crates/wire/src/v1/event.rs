//! Events in one shape, whatever the version.

use super::{
    ArgSpec, Class, EventType, PayloadKind, Record, SPECS, limits::MAX_NUMBERS,
    record::uncounted_numbers,
};
use crate::{DECODE_WINDOW, Version, decode_numbers};

/// A timed event, with the arguments of the newest version: those that an older version lacks are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The event's type.
    pub event_type: EventType,
    /// The difference of its sequence number to that of the event before; only in Go 1.5.
    pub seq_delta: u64,
    numbers: [u64; MAX_NUMBERS + 1],
}

/// The place of the stack of an event without one: a number that is always 0.
const NO_STACK: u8 = MAX_NUMBERS as u8;

/// Where each event's stack is in its numbers.
const STACK_AT: [u8; 64] = {
    let mut places = [NO_STACK; 64];
    let mut i = 0;
    while i < SPECS.len() {
        if SPECS[i].has_stack() && matches!(SPECS[i].class, Class::Timed) {
            places[i + 1] = SPECS[i].args.len() as u8;
        }
        i += 1;
    }
    places
};

impl Event {
    /// Clock units since the event before.
    #[inline]
    #[must_use]
    pub const fn time_delta(&self) -> u64 {
        self.numbers[0]
    }

    /// The arguments, padded with zeros. The stack of the event is among them.
    #[inline]
    #[must_use]
    pub fn args(&self) -> &[u64; MAX_NUMBERS] {
        // The first number is the time delta.
        self.numbers.last_chunk().unwrap_or(&[0; MAX_NUMBERS])
    }

    /// The stack at which the event happened; 0 for none.
    #[inline]
    #[must_use]
    pub fn stack(&self) -> u64 {
        let at = STACK_AT[self.event_type as usize % STACK_AT.len()];
        self.numbers[usize::from(at) % self.numbers.len()]
    }

    /// The event of a record, if it is a timed one.
    #[must_use]
    pub fn of_record(record: &Record<'_>, version: Version) -> Option<Self> {
        let event_type = record.event_type();
        let spec = event_type.spec();
        if spec.class != Class::Timed {
            return None;
        }
        let mut numbers = [0; MAX_NUMBERS + 1];
        let mut found = record.numbers().iter().copied();
        let seq_delta = match version {
            Version::Go105 => found.next()?,
            _ => 0,
        };
        numbers[0] = found.next()?;
        for (slot, arg) in numbers[1..].iter_mut().zip(spec.args) {
            if ArgSpec::is_in(arg, version) {
                *slot = found.next()?;
            }
        }
        Some(Self {
            event_type,
            seq_delta,
            numbers,
        })
    }
}

/// How many numbers the events of a version have: for decoding many of them fast.
#[derive(Clone, Debug)]
pub struct Layouts {
    version: Version,
    /// By the first byte of a record: how many numbers it has if it is a timed event that is encoded
    /// as Go encodes it and has the arguments of the newest version; otherwise 0.
    counts: [u8; 256],
}

impl Layouts {
    /// The layouts of a version.
    #[must_use]
    pub fn new(version: Version) -> Self {
        let mut counts = [0; 256];
        for spec in SPECS {
            let plain = spec.class == Class::Timed
                && spec.payload == PayloadKind::None
                && version != Version::Go105
                && spec.event_type.available_in(version)
                && spec.args.iter().all(|arg| arg.is_in(version));
            if plain {
                let count = spec.number_count(version);
                let form = (count - uncounted_numbers(version)).min(3);
                counts[usize::from(spec.event_type.to_wire()) | form << 6] = count as u8;
            }
        }
        Self { version, counts }
    }

    /// The version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Decodes the timed event at the start of `bytes` and tells its length, if it is a common one
    /// and not within the last bytes of the file; otherwise [`super::decode_record`] is to be asked.
    #[inline(always)]
    #[must_use]
    pub fn decode(&self, bytes: &[u8]) -> Option<(Event, usize)> {
        let first = *bytes.first()?;
        let event_type = EventType::from_wire(first & 0x3f)?;
        // With the length of the numbers in a byte of its own, they begin one byte later.
        let shift = usize::from(first >= 0xc0);
        let window: &[u8; DECODE_WINDOW] = bytes.get(shift..)?.first_chunk()?;
        let mut numbers = [0; MAX_NUMBERS];
        let end = match self.counts[usize::from(first)] {
            1 => decode_numbers::<1>(window, &mut numbers),
            2 => decode_numbers::<2>(window, &mut numbers),
            3 => decode_numbers::<3>(window, &mut numbers),
            4 => decode_numbers::<4>(window, &mut numbers),
            5 => decode_numbers::<5>(window, &mut numbers),
            _ => None,
        }?;
        // A length of 0x80 or more has a second byte and never matches, since `end` is below.
        if shift == 1 && usize::from(window[0]) != end - 1 {
            return None;
        }
        let [a, b, c, d, e] = numbers;
        let event = Event {
            event_type,
            seq_delta: 0,
            numbers: [a, b, c, d, e, 0],
        };
        Some((event, end + shift))
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode_record;
    use super::*;
    use crate::varint;

    /// The encoding of an event, each number with the given value.
    fn encode(event_type: EventType, version: Version, value: u64) -> Vec<u8> {
        let count = event_type.spec().number_count(version);
        let mut numbers = Vec::new();
        for _ in 0..count {
            let mut buffer = [0; 10];
            let n = varint::write(&mut buffer, value).unwrap();
            numbers.extend_from_slice(&buffer[..n]);
        }
        let form = (count - uncounted_numbers(version)).min(3);
        let mut bytes = vec![event_type.to_wire() | (form as u8) << 6];
        if form == 3 {
            bytes.push(numbers.len() as u8);
        }
        bytes.extend(numbers);
        if event_type.spec().payload == PayloadKind::Data {
            bytes.push(0);
        }
        bytes
    }

    #[test]
    fn both_ways_to_decode_agree() {
        for version in Version::V1 {
            let layouts = Layouts::new(version);
            let mut fast = 0;
            for spec in SPECS {
                if spec.class != Class::Timed || !spec.event_type.available_in(version) {
                    continue;
                }
                for value in [0, 1, 0x7f, 0x80, 1 << 20, u64::MAX] {
                    let mut bytes = encode(spec.event_type, version, value);
                    let length = bytes.len();
                    let record = decode_record(&bytes, version).unwrap();
                    assert_eq!(record.bytes().len(), length);
                    assert!(record.numbers().iter().all(|number| *number == value));
                    let event = Event::of_record(&record, version).unwrap();
                    assert_eq!(event.time_delta(), value);
                    let has_stack = spec.has_stack();
                    assert_eq!(event.stack(), if has_stack { value } else { 0 });
                    for cut in 0..length {
                        let error = decode_record(&bytes[..cut], version).unwrap_err();
                        assert_eq!(error, crate::v1::RecordError::Truncated);
                    }
                    bytes.extend([0xff; 2 * DECODE_WINDOW]);
                    if let Some(decoded) = layouts.decode(&bytes) {
                        assert_eq!(decoded, (event, length), "{}", spec.name);
                        fast += 1;
                    }
                }
            }
            assert!(fast > 100 || version == Version::Go105, "{version}: {fast}");
        }
    }
}
