//! Framing: what stands at the top level of a file after the header.

use core::fmt;

use crate::{
    EventType, Generation, ThreadId, Ticks, Version,
    limits::MAX_BATCH_BYTES,
    varint::{self, VarintError},
};

/// A batch's header, or the record that ends a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The header of a batch; [`BatchHeader::size`] bytes of data follow it.
    Batch(BatchHeader),
    /// The generation is complete (since Go 1.26).
    EndOfGeneration,
}

/// The header of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// The number of the experiment that the data belongs to; 0 for an ordinary batch.
    pub experiment: u8,
    /// The generation that the data belongs to.
    pub generation: Generation,
    /// The thread that wrote the data, if the batch is tied to one.
    pub thread: Option<ThreadId>,
    /// The absolute time from which the first event's delta counts.
    pub time: Ticks,
    /// Bytes of data after the header; at most [`MAX_BATCH_BYTES`].
    pub size: usize,
}

/// What a batch's data is, by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BatchKind {
    /// Events of one thread, or of no thread.
    Events,
    /// A part of the string table.
    Strings,
    /// A part of the stack table.
    Stacks,
    /// CPU profile samples.
    CpuSamples,
    /// The generation's frequency, and its clock snapshot from Go 1.25.
    Sync,
    /// Opaque data of an experiment.
    Experimental,
    /// The in-band end of a generation, disguised as data (see `classify`).
    EndOfGeneration,
}

impl BatchHeader {
    /// What the batch's data is. Only the first byte decides, as in Go's parser (format
    /// specification, section 2.1).
    #[inline]
    #[must_use]
    pub fn classify(&self, version: Version, data: &[u8]) -> BatchKind {
        if self.experiment != 0 {
            return BatchKind::Experimental;
        }
        match data.first().copied().and_then(EventType::from_wire) {
            Some(EventType::Strings) => BatchKind::Strings,
            Some(EventType::Stacks) => BatchKind::Stacks,
            Some(EventType::CPUSamples) => BatchKind::CpuSamples,
            Some(EventType::Frequency) if !version.has_clock_snapshot() => BatchKind::Sync,
            Some(EventType::Sync) if version.has_clock_snapshot() => BatchKind::Sync,
            Some(EventType::EndOfGeneration) if version.has_end_of_generation() => {
                BatchKind::EndOfGeneration
            }
            _ => BatchKind::Events,
        }
    }

    /// Writes the header to the start of `out`, the size padded to ten bytes as the runtime
    /// writes it, and returns its length, or `None` if `out` is too short.
    #[must_use]
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let mut at = 0;
        if self.experiment == 0 {
            *out.get_mut(at)? = EventType::EventBatch.to_wire();
            at += 1;
        } else {
            out.get_mut(..2)?
                .copy_from_slice(&[EventType::ExperimentalBatch.to_wire(), self.experiment]);
            at += 2;
        }
        for number in [
            self.generation.0,
            ThreadId::to_wire(self.thread),
            self.time.0,
        ] {
            at += varint::write(out.get_mut(at..)?, number)?;
        }
        let size = varint::padded(self.size as u64);
        out.get_mut(at..at + size.len())?.copy_from_slice(&size);
        Some(at + size.len())
    }
}

/// Why the bytes at the top level of a file are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FramingError {
    /// The byte begins neither a batch nor an end of generation.
    UnknownFrame(u8),
    /// A number of the header is malformed.
    Number {
        /// The header's field.
        field: &'static str,
        /// What is wrong with it.
        error: VarintError,
    },
    /// The header announces more data than a batch may have.
    BatchTooLarge(u64),
}

impl fmt::Display for FramingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownFrame(byte) => match EventType::from_wire(*byte) {
                Some(event) => write!(f, "expected a batch, found a {event} record"),
                None => write!(f, "expected a batch, found byte {byte:#04x}"),
            },
            Self::Number { field, error } => {
                write!(f, "malformed batch header: {field}: {error}")
            }
            Self::BatchTooLarge(size) => {
                write!(
                    f,
                    "batch of {size} bytes, expected at most {MAX_BATCH_BYTES}"
                )
            }
        }
    }
}

impl core::error::Error for FramingError {}

/// Parses the frame at the start of `bytes`: the frame and the length of its header.
///
/// `Ok(None)` means that `bytes` may be the beginning of a frame but is too short; with
/// [`crate::limits::MAX_BATCH_HEADER_BYTES`] bytes it is never the answer.
///
/// # Errors
///
/// [`FramingError`] if no continuation of `bytes` is a frame.
pub fn parse_frame(bytes: &[u8]) -> Result<Option<(Frame, usize)>, FramingError> {
    let Some(&first) = bytes.first() else {
        return Ok(None);
    };
    let mut at = 1;
    let experiment = match EventType::from_wire(first) {
        Some(EventType::EndOfGeneration) => return Ok(Some((Frame::EndOfGeneration, 1))),
        Some(EventType::EventBatch) => 0,
        Some(EventType::ExperimentalBatch) => {
            let Some(&experiment) = bytes.get(1) else {
                return Ok(None);
            };
            at = 2;
            experiment
        }
        _ => return Err(FramingError::UnknownFrame(first)),
    };
    let mut numbers = [0; 4];
    for (number, field) in numbers
        .iter_mut()
        .zip(["generation", "thread", "time", "size"])
    {
        match varint::read(&bytes[at..]) {
            Ok((value, n)) => {
                *number = value;
                at += n;
            }
            Err(VarintError::Truncated) => return Ok(None),
            Err(error) => return Err(FramingError::Number { field, error }),
        }
    }
    let [generation, thread, time, size] = numbers;
    if size > MAX_BATCH_BYTES as u64 {
        return Err(FramingError::BatchTooLarge(size));
    }
    let header = BatchHeader {
        experiment,
        generation: Generation(generation),
        thread: ThreadId::from_wire(thread),
        time: Ticks(time),
        size: size as usize,
    };
    Ok(Some((Frame::Batch(header), at)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_BATCH_HEADER_BYTES;

    fn header(experiment: u8) -> BatchHeader {
        BatchHeader {
            experiment,
            generation: Generation(3),
            thread: None,
            time: Ticks(u64::MAX),
            size: MAX_BATCH_BYTES,
        }
    }

    #[test]
    fn headers_round_trip_and_every_cut_is_incomplete() {
        for experiment in [0, 1, 200] {
            let mut buffer = [0; MAX_BATCH_HEADER_BYTES];
            let n = header(experiment).write(&mut buffer).unwrap();
            assert_eq!(
                parse_frame(&buffer[..n]),
                Ok(Some((Frame::Batch(header(experiment)), n)))
            );
            for cut in 0..n {
                assert_eq!(parse_frame(&buffer[..cut]), Ok(None));
                assert_eq!(header(experiment).write(&mut buffer[..cut].to_vec()), None);
            }
        }
    }

    #[test]
    fn oversized_and_foreign_frames_are_refused() {
        assert_eq!(parse_frame(&[9]), Err(FramingError::UnknownFrame(9)));
        assert_eq!(
            parse_frame(&[1, 1, 1, 1, 0x81, 0x80, 0x04]),
            Err(FramingError::BatchTooLarge(65537))
        );
    }
}
