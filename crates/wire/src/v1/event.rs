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
    /// The clock units since the event before, then the arguments, padded with zeros.
    pub numbers: [u64; MAX_NUMBERS],
}

/// Where each event's stack is in its numbers; 0 for events without one.
const STACK_AT: [u8; 64] = {
    let mut places = [0; 64];
    let mut i = 0;
    while i < SPECS.len() {
        if SPECS[i].has_stack() && matches!(SPECS[i].class, Class::Timed) {
            places[i + 1] = SPECS[i].args.len() as u8;
        }
        i += 1;
    }
    places
};

impl EventType {
    /// Where the stack at which an event happened is in [`Event::numbers`].
    #[inline(always)]
    #[must_use]
    pub const fn stack_at(self) -> Option<usize> {
        match STACK_AT[self as usize % STACK_AT.len()] {
            0 => None,
            at => Some(at as usize),
        }
    }
}

impl Event {
    /// The event of a record, if it is a timed one.
    #[must_use]
    pub fn of_record(record: &Record<'_>, version: Version) -> Option<Self> {
        let event_type = record.event_type();
        let spec = event_type.spec();
        if spec.class != Class::Timed {
            return None;
        }
        let mut numbers = [0; MAX_NUMBERS];
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

    /// Decodes the timed event at the start of `bytes`: its type and its length, and its numbers, which
    /// are written to the start of `numbers`; the rest keeps what it had. For decoding many events
    /// into memory without a copy of each.
    ///
    /// `None` if it is no common event or too near to the end of the file; then
    /// [`super::decode_record`] is to be asked.
    #[inline(always)]
    #[must_use]
    pub fn decode(
        &self,
        bytes: &[u8],
        numbers: &mut [u64; MAX_NUMBERS],
    ) -> Option<(EventType, usize)> {
        let first = *bytes.first()?;
        let event_type = EventType::from_wire(first & 0x3f)?;
        // With the length of the numbers in a byte of its own, they begin one byte later.
        let shift = usize::from(first >= 0xc0);
        let window: &[u8; DECODE_WINDOW] = bytes.get(shift..)?.first_chunk()?;
        let end = match self.counts[usize::from(first)] {
            1 => decode_numbers::<1>(window, numbers),
            2 => decode_numbers::<2>(window, numbers),
            3 => decode_numbers::<3>(window, numbers),
            4 => decode_numbers::<4>(window, numbers),
            5 => decode_numbers::<5>(window, numbers),
            _ => None,
        }?;
        // A length of 0x80 or more has a second byte and never matches, since `end` is below.
        if shift == 1 && usize::from(window[0]) != end - 1 {
            return None;
        }
        Some((event_type, end + shift))
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
                    assert_eq!(event.numbers[0], value);
                    let stack = event.event_type.stack_at();
                    assert_eq!(stack.is_some(), spec.has_stack());
                    assert!(stack.is_none_or(|at| event.numbers[at] == value));
                    for cut in 0..length {
                        let error = decode_record(&bytes[..cut], version).unwrap_err();
                        assert_eq!(error, crate::v1::RecordError::Truncated);
                    }
                    bytes.extend([0xff; 2 * DECODE_WINDOW]);
                    let mut numbers = [0; MAX_NUMBERS];
                    if let Some(decoded) = layouts.decode(&bytes, &mut numbers) {
                        assert_eq!(decoded, (event.event_type, length), "{}", spec.name);
                        assert_eq!(numbers, event.numbers, "{}", spec.name);
                        fast += 1;
                    }
                }
            }
            assert!(fast > 100 || version == Version::Go105, "{version}: {fast}");
        }
    }
}
