//! From single events to bytes.

use core::fmt;

use crate::{EventType, varint};

/// Why an event could not be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The buffer is too short; [`crate::limits::MAX_TIMED_EVENT_BYTES`] always suffice.
    BufferFull,
    /// The event's row has another number of arguments.
    WrongArity {
        /// The event.
        event_type: EventType,
        /// How many arguments were given.
        found: usize,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BufferFull => f.write_str("the buffer is too short for the event"),
            Self::WrongArity { event_type, found } => write!(
                f,
                "{event_type} takes {} arguments, found {found}",
                event_type.spec().args.len()
            ),
        }
    }
}

impl core::error::Error for EncodeError {}

/// Writes an event's type and numbers, in their shortest form, to the start of `out` and returns
/// the length. Payloads (a string's data, a stack's frames) are the caller's.
///
/// # Errors
///
/// [`EncodeError`] if `out` is too short or `args` does not fit the event's row of the table;
/// `out` may then hold a part of the event.
#[inline]
pub fn encode_event(
    out: &mut [u8],
    event_type: EventType,
    args: &[u64],
) -> Result<usize, EncodeError> {
    if args.len() != event_type.spec().args.len() {
        return Err(EncodeError::WrongArity {
            event_type,
            found: args.len(),
        });
    }
    let (first, _) = out.split_first_mut().ok_or(EncodeError::BufferFull)?;
    *first = event_type.to_wire();
    let mut at = 1;
    for &arg in args {
        at += varint::write(&mut out[at..], arg).ok_or(EncodeError::BufferFull)?;
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misuse_is_an_error() {
        let mut out = [0; 3];
        assert_eq!(
            encode_event(&mut out, EventType::GoStart, &[1]),
            Err(EncodeError::WrongArity {
                event_type: EventType::GoStart,
                found: 1
            })
        );
        assert_eq!(
            encode_event(&mut out, EventType::GoStart, &[1, 2, 3]),
            Err(EncodeError::BufferFull)
        );
        assert_eq!(
            encode_event(&mut [], EventType::ProcStop, &[1]),
            Err(EncodeError::BufferFull)
        );
    }
}
