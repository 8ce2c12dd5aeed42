//! From bytes to single events.

use core::fmt;

use crate::{
    EventType, SPECS,
    limits::{MAX_ARGS, MAX_TIMED_EVENT_BYTES},
    table::TIMED_ARITY,
    varint::{self, VarintError},
};

/// An event as it stands on the wire: its type and its numbers, unresolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawEvent {
    /// The event's type.
    pub event_type: EventType,
    args: [u64; MAX_ARGS],
}

impl RawEvent {
    pub(crate) const fn new(event_type: EventType, args: [u64; MAX_ARGS]) -> Self {
        Self { event_type, args }
    }

    /// The event's numbers, as many as its row of the table has; a timed event's first is its
    /// time delta.
    #[inline]
    #[must_use]
    pub fn args(&self) -> &[u64] {
        &self.args[..self.event_type.spec().args.len()]
    }

    /// The event's numbers, padded with zeros.
    #[inline]
    #[must_use]
    pub const fn padded_args(&self) -> &[u64; MAX_ARGS] {
        &self.args
    }
}

/// Why the bytes at a place in a batch are no timed event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The byte is not the type of an event.
    UnknownType(u8),
    /// The byte is the type of an event that carries no time and so cannot stand here.
    NotTimed(EventType),
    /// A number of the event is malformed or cut off.
    Number {
        /// The event.
        event_type: EventType,
        /// The argument's name.
        arg: &'static str,
        /// What is wrong with it.
        error: VarintError,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType(byte) => {
                write!(
                    f,
                    "expected a timed event, found byte {byte:#04x}, which begins no event"
                )
            }
            Self::NotTimed(event_type) => write!(
                f,
                "expected a timed event, found a {event_type} record, which has no time"
            ),
            Self::Number {
                event_type,
                arg,
                error,
            } => {
                write!(f, "malformed {event_type} event: argument {arg}: {error}")
            }
        }
    }
}

impl core::error::Error for DecodeError {}

/// Decodes the timed event at the start of `bytes`: the event and its length.
///
/// # Errors
///
/// [`DecodeError`] if `bytes` does not begin with a whole timed event. An empty slice is an error
/// too: callers know where their batch ends.
#[inline(always)]
pub fn decode_event(bytes: &[u8]) -> Result<(RawEvent, usize), DecodeError> {
    // A window as long as the longest event lets every access below be masked instead of checked.
    if let Some(window) = bytes.first_chunk()
        && let Some(decoded) = decode_in_window(window)
    {
        return Ok(decoded);
    }
    // The copy MUST be field by field, otherwise the compiler makes the fast path meet this one
    // in memory, at a multiple of the cost.
    let (RawEvent { event_type, args }, length) = decode_near_end(bytes)?;
    let [a, b, c, d, e] = args;
    Ok((RawEvent::new(event_type, [a, b, c, d, e]), length))
}

/// As [`decode_event`], with the event's numbers written to the start of `args`; the rest of `args`
/// keeps what it had. For decoding many events into memory without a copy of each.
///
/// # Errors
///
/// As [`decode_event`].
#[inline(always)]
pub fn decode_event_into(
    bytes: &[u8],
    args: &mut [u64; MAX_ARGS],
) -> Result<(EventType, usize), DecodeError> {
    if let Some(window) = bytes.first_chunk()
        && let Some(decoded) = decode_window_into(window, args)
    {
        return Ok(decoded);
    }
    let (event, length) = decode_near_end(bytes)?;
    *args = event.args;
    Ok((event.event_type, length))
}

/// Bytes that [`decode_window`] looks at: at least those of the longest event, so that every access
/// can be masked instead of checked.
pub const DECODE_WINDOW: usize = 64;
const _: () = assert!(DECODE_WINDOW.is_power_of_two() && DECODE_WINDOW >= MAX_TIMED_EVENT_BYTES);

/// Decodes the timed event at the start of `window`; `None` if there is none or it is malformed.
#[inline(always)]
pub(crate) fn decode_in_window(window: &[u8; DECODE_WINDOW]) -> Option<(RawEvent, usize)> {
    let mut args = [0; MAX_ARGS];
    let (event_type, length) = decode_window_into(window, &mut args)?;
    Some((RawEvent { event_type, args }, length))
}

#[inline(always)]
fn decode_window_into(
    window: &[u8; DECODE_WINDOW],
    args: &mut [u64; MAX_ARGS],
) -> Option<(EventType, usize)> {
    let length = decode_window(window, args)?;
    Some((TIMED_TYPES[usize::from(window[0])], length))
}

/// The type of each timed event by its first byte. Bytes that begin no timed event have a wrong one.
pub(crate) static TIMED_TYPES: [EventType; 256] = {
    let mut types = [SPECS[0].event_type; 256];
    let mut row = 0;
    while row < SPECS.len() {
        types[SPECS[row].event_type as usize] = SPECS[row].event_type;
        row += 1;
    }
    types
};

/// Generates [`decode_window`] from the events with a time delta, grouped by how many numbers they
/// have.
macro_rules! timed_events {
    ($($arity:literal: $($event:ident)*;)*) => {
        /// The first bytes of events.
        #[expect(non_upper_case_globals, reason = "named like the events")]
        mod byte {
            use crate::EventType;
            $($(pub(super) const $event: u8 = EventType::$event.to_wire();)*)*
        }

        const fn arity_by_group(byte: u8) -> u8 {
            match byte {
                $($(byte::$event)|* => $arity,)*
                _ => 0,
            }
        }

        /// Decodes the numbers of the timed event at the start of `window` and returns the event's
        /// length; `None` if there is no such event or it is malformed. The rest of `numbers` keeps
        /// what it had.
        ///
        /// For decoders that look the type up, if they need it, by the first byte: the jump to the
        /// code for that byte does not wait for it.
        ///
        /// ```
        /// # use exectrace_wire::{DECODE_WINDOW, EventType, decode_window, encode_event, limits::MAX_ARGS};
        /// let (mut window, mut numbers) = ([0; DECODE_WINDOW], [0; MAX_ARGS]);
        /// let n = encode_event(&mut window, EventType::GoStart, &[500, 7, 1]).unwrap();
        /// assert_eq!(decode_window(&window, &mut numbers), Some(n));
        /// assert_eq!(numbers[..3], [500, 7, 1]);
        /// ```
        #[inline(always)]
        pub fn decode_window(
            window: &[u8; DECODE_WINDOW],
            numbers: &mut [u64; MAX_ARGS],
        ) -> Option<usize> {
            // One jump for each event, and few targets: which event comes next is hard to predict.
            match window[0] {
                $($(byte::$event)|* => decode_numbers::<$arity>(window, numbers),)*
                _ => None,
            }
        }

        /// As [`decode_window`], with a continuation that gets the numbers, padded with zeros, and
        /// the length. It is compiled for each arity.
        #[inline(always)]
        pub(crate) fn decode_window_then<R>(
            window: &[u8; DECODE_WINDOW],
            mut then: impl FnMut([u64; MAX_ARGS], usize) -> R,
        ) -> Option<R> {
            let mut numbers = [0; MAX_ARGS];
            match window[0] {
                $($(byte::$event)|* => {
                    if let Some(length) = decode_short_numbers::<$arity>(window, &mut numbers) {
                        return Some(then(numbers, length));
                    }
                    // Into an array of their own, otherwise both ways meet in memory.
                    let (long, length) = decode_long_numbers::<$arity>(window)?;
                    let mut numbers = [0; MAX_ARGS];
                    numbers[..$arity].copy_from_slice(&long);
                    Some(then(numbers, length))
                })*
                _ => None,
            }
        }
    };
}

timed_events! {
    1: GoDestroy GoSyscallEnd GoSyscallEndBlocked GoDestroySyscall ProcStop STWEnd GCMarkAssistEnd;
    2: HeapAlloc HeapGoal GCActive GCEnd GCSweepActive GCMarkAssistActive GoCreateSyscall SpanFree
        HeapObjectFree GoroutineStackFree GCSweepBegin GCMarkAssistBegin GoLabel;
    3: GoStart ProcStart ProcStatus GoSwitch GoSwitchDestroy GCSweepEnd HeapObject HeapObjectAlloc
        GoroutineStack GoroutineStackAlloc GoSyscallBegin UserTaskEnd ProcsChange GCBegin GoBlock
        GoStop STWBegin;
    4: GoStatus ProcSteal Span SpanAlloc GoUnblock GoCreate GoCreateBlocked UserRegionBegin
        UserRegionEnd ClockSnapshot;
    5: UserTaskBegin UserLog GoStatusStack;
}

const _: () = {
    let mut byte = 0;
    while byte < 256 {
        assert!(
            arity_by_group(byte as u8) == TIMED_ARITY[byte],
            "a timed event is in no group or in the wrong one"
        );
        byte += 1;
    }
};

/// Decodes the first `N` numbers of the event at the start of `window` and returns the length of
/// the event, should it have no more; `None` if one of them is malformed. For decoders that know
/// the event's type already.
#[inline(always)]
pub fn decode_numbers<const N: usize>(
    window: &[u8; DECODE_WINDOW],
    numbers: &mut [u64; MAX_ARGS],
) -> Option<usize> {
    if let Some(length) = decode_short_numbers::<N>(window, numbers) {
        return Some(length);
    }
    let (long, length) = decode_long_numbers::<N>(window)?;
    numbers[..N].copy_from_slice(&long);
    Some(length)
}

/// The same for numbers of up to [`SHORT`] bytes each; `None` if one is longer.
#[inline(always)]
fn decode_short_numbers<const N: usize>(
    window: &[u8; DECODE_WINDOW],
    numbers: &mut [u64; MAX_ARGS],
) -> Option<usize> {
    const { assert!(0 < N && N <= MAX_ARGS) };
    // Written out, since the length of one number hardly predicts that of another.
    let mut at = 1;
    if N > 0 {
        (numbers[0], at) = decode_short_number(window, at)?;
    }
    if N > 1 {
        (numbers[1], at) = decode_short_number(window, at)?;
    }
    if N > 2 {
        (numbers[2], at) = decode_short_number(window, at)?;
    }
    if N > 3 {
        (numbers[3], at) = decode_short_number(window, at)?;
    }
    if N > 4 {
        (numbers[4], at) = decode_short_number(window, at)?;
    }
    Some(at)
}

/// Bytes of a short number: enough for the ids of 268 million goroutines.
const SHORT: usize = 4;
const _: () = assert!(MAX_ARGS * SHORT < DECODE_WINDOW);

/// The short number at a place of the window, and the next place.
#[inline(always)]
fn decode_short_number(window: &[u8; DECODE_WINDOW], at: usize) -> Option<(u64, usize)> {
    let a = u64::from(window[at]);
    if a < 0x80 {
        return Some((a, at + 1));
    }
    let b = u64::from(window[at + 1]);
    if b < 0x80 {
        return Some((a & 0x7f | b << 7, at + 2));
    }
    let c = u64::from(window[at + 2]);
    if c < 0x80 {
        return Some((a & 0x7f | (b & 0x7f) << 7 | c << 14, at + 3));
    }
    let d = u64::from(window[at + 3]);
    if d < 0x80 {
        let low = a & 0x7f | (b & 0x7f) << 7 | (c & 0x7f) << 14;
        return Some((low | d << 21, at + 4));
    }
    None
}

/// `N` numbers of any length, and the length of the event; `None` if one is malformed.
#[inline(never)]
fn decode_long_numbers<const N: usize>(window: &[u8; DECODE_WINDOW]) -> Option<([u64; N], usize)> {
    let mut numbers = [0; N];
    let mut at = 1;
    for number in &mut numbers {
        let length;
        (*number, length) = decode_long_number(window.get(at..)?)?;
        at += length;
    }
    Some((numbers, at))
}

/// A number of any length: up to eight bytes at once, longer ones byte by byte.
fn decode_long_number(bytes: &[u8]) -> Option<(u64, usize)> {
    if let Some(eight) = bytes.first_chunk() {
        let eight = u64::from_le_bytes(*eight);
        let ends = !eight & 0x8080_8080_8080_8080;
        if ends != 0 {
            // Up to the first byte without a continuation bit; then seven bits of each byte move
            // together, in pairs of one, two and four bytes.
            let x = eight & (ends ^ (ends - 1)) & 0x7f7f_7f7f_7f7f_7f7f;
            let x = x & 0x007f_007f_007f_007f | (x & 0x7f00_7f00_7f00_7f00) >> 1;
            let x = x & 0x0000_3fff_0000_3fff | (x & 0x3fff_0000_3fff_0000) >> 2;
            let x = x & 0x0000_0000_0fff_ffff | (x & 0x0fff_ffff_0000_0000) >> 4;
            return Some((x, ends.trailing_zeros() as usize / 8 + 1));
        }
    }
    varint::read(bytes).ok()
}

#[cold]
fn not_timed(byte: u8) -> DecodeError {
    match EventType::from_wire(byte) {
        Some(event_type) => DecodeError::NotTimed(event_type),
        None => DecodeError::UnknownType(byte),
    }
}

/// The same without a window; also names the argument that is at fault.
#[cold]
#[inline(never)]
fn decode_near_end(bytes: &[u8]) -> Result<(RawEvent, usize), DecodeError> {
    let first = bytes.first().copied().unwrap_or(0);
    let event_type = EventType::timed_from_wire(first).ok_or_else(|| not_timed(first))?;
    let mut args = [0; MAX_ARGS];
    let mut at = 1;
    for (arg, spec) in args.iter_mut().zip(event_type.spec().args) {
        let (value, n) = varint::read(&bytes[at..]).map_err(|error| DecodeError::Number {
            event_type,
            arg: spec.name,
            error,
        })?;
        *arg = value;
        at += n;
    }
    Ok((RawEvent { event_type, args }, at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SPECS, encode_event};

    #[test]
    fn every_timed_event_round_trips_at_every_length() {
        for spec in SPECS.iter().filter(|spec| spec.is_timed()) {
            for value in [
                0,
                0x7f,
                0x80,
                0x3fff,
                0x4000,
                0x1f_ffff,
                0x20_0000,
                0xfff_ffff,
                0x1000_0000,
                0x1234_5678_9abc,
                (1 << 56) - 1,
                1 << 56,
                u64::MAX,
            ] {
                let args = vec![value; spec.args.len()];
                let mut buffer = [0xff; 2 * MAX_TIMED_EVENT_BYTES];
                let n = encode_event(&mut buffer, spec.event_type, &args).unwrap();
                for slice in [&buffer[..], &buffer[..n]] {
                    let (event, length) = decode_event(slice).unwrap();
                    assert_eq!(event.event_type, spec.event_type);
                    assert_eq!((event.args(), length), (&args[..], n));
                }
                for cut in 0..n {
                    assert!(decode_event(&buffer[..cut]).is_err());
                }
            }
        }
    }

    #[test]
    fn errors_name_what_was_found() {
        assert_eq!(decode_event(&[200]), Err(DecodeError::UnknownType(200)));
        assert_eq!(decode_event(&[53; 99]), Err(DecodeError::UnknownType(53)));
        assert_eq!(
            decode_event(&[5, 1, 1]),
            Err(DecodeError::NotTimed(EventType::String))
        );
        let mut bytes = [0xff; 64];
        bytes[0] = EventType::GoStart.to_wire();
        assert_eq!(
            decode_event(&bytes),
            Err(DecodeError::Number {
                event_type: EventType::GoStart,
                arg: "dt",
                error: VarintError::Overflow
            })
        );
    }
}
