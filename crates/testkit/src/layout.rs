//! A trace cut at its top level.

use core::fmt;

use exectrace_wire::{
    BatchHeader, BatchKind, EventType, Frame, FramingError, Generation, HEADER_LEN, HeaderError,
    ThreadId, Ticks, Version, parse_frame, parse_header, varint,
};

/// A trace as a header and the pieces that follow it, in file order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The version that the header names.
    pub version: Version,
    /// What follows the header.
    pub pieces: Vec<Piece>,
}

/// What stands at the top level of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A batch.
    Batch(Batch),
    /// The record that ends a generation.
    EndOfGeneration,
    /// Bytes that need not mean anything.
    Raw(Vec<u8>),
}

/// A batch: its header's fields and its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The experiment's number, 0 for an ordinary batch.
    pub experiment: u8,
    /// The generation's number.
    pub generation: u64,
    /// The thread's id, `u64::MAX` for none.
    pub thread: u64,
    /// The batch's time in clock units.
    pub time: u64,
    /// The data.
    pub data: Vec<u8>,
    /// The size that the header states, if it is not the data's.
    pub stated_size: Option<u64>,
}

impl Batch {
    /// An ordinary batch.
    #[must_use]
    pub const fn new(generation: u64, thread: u64, time: u64, data: Vec<u8>) -> Self {
        Self {
            experiment: 0,
            generation,
            thread,
            time,
            data,
            stated_size: None,
        }
    }

    /// What a reader takes the data for.
    #[must_use]
    pub fn kind(&self, version: Version) -> BatchKind {
        let header = BatchHeader {
            experiment: self.experiment,
            generation: Generation(self.generation),
            thread: ThreadId::from_wire(self.thread),
            time: Ticks(self.time),
            size: self.data.len(),
        };
        header.classify(version, &self.data)
    }

    /// Appends header and data, the size padded as the runtime pads it.
    fn write(&self, out: &mut Vec<u8>) {
        if self.experiment == 0 {
            out.push(EventType::EventBatch.to_wire());
        } else {
            out.extend([EventType::ExperimentalBatch.to_wire(), self.experiment]);
        }
        for number in [self.generation, self.thread, self.time] {
            push_number(out, number);
        }
        let size = self.stated_size.unwrap_or(self.data.len() as u64);
        out.extend(varint::padded(size));
        out.extend(&self.data);
    }
}

/// Appends the shortest encoding of a number.
pub(crate) fn push_number(out: &mut Vec<u8>, number: u64) {
    let mut buffer = [0; 10];
    let n = varint::write(&mut buffer, number).expect("ten bytes hold any number");
    out.extend(&buffer[..n]);
}

/// Why bytes cannot be cut into a [`Layout`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// The header is none.
    Header(HeaderError),
    /// The bytes at an offset are no frame.
    Framing(usize, FramingError),
    /// The batch at an offset is cut off.
    Truncated(usize),
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(error) => error.fmt(f),
            Self::Framing(offset, error) => write!(f, "byte {offset}: {error}"),
            Self::Truncated(offset) => write!(f, "the batch at byte {offset} is cut off"),
        }
    }
}

impl std::error::Error for LayoutError {}

impl Layout {
    /// Cuts a trace into its pieces.
    ///
    /// # Errors
    ///
    /// [`LayoutError`] if the framing is broken; what the batches hold does not matter.
    pub fn parse(bytes: &[u8]) -> Result<Self, LayoutError> {
        let version = parse_header(bytes).map_err(LayoutError::Header)?;
        let mut pieces = Vec::new();
        let mut at = HEADER_LEN;
        while at < bytes.len() {
            let (frame, n) = parse_frame(&bytes[at..])
                .map_err(|error| LayoutError::Framing(at, error))?
                .ok_or(LayoutError::Truncated(at))?;
            let start = at + n;
            let Frame::Batch(header) = frame else {
                pieces.push(Piece::EndOfGeneration);
                at = start;
                continue;
            };
            let end = start + header.size;
            let data = bytes.get(start..end).ok_or(LayoutError::Truncated(at))?;
            pieces.push(Piece::Batch(Batch {
                experiment: header.experiment,
                ..Batch::new(
                    header.generation.0,
                    ThreadId::to_wire(header.thread),
                    header.time.0,
                    data.to_vec(),
                )
            }));
            at = end;
        }
        Ok(Self { version, pieces })
    }

    /// The trace.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.version.header().to_vec();
        for piece in &self.pieces {
            match piece {
                Piece::Batch(batch) => batch.write(&mut out),
                Piece::EndOfGeneration => out.push(EventType::EndOfGeneration.to_wire()),
                Piece::Raw(bytes) => out.extend(bytes),
            }
        }
        out
    }

    /// The bytes of each generation, with its end record; what follows the last one is left out.
    #[must_use]
    pub fn generations(&self) -> Vec<Vec<u8>> {
        let ended = self
            .pieces
            .split_inclusive(|piece| matches!(piece, Piece::EndOfGeneration))
            .filter(|pieces| pieces.ends_with(&[Piece::EndOfGeneration]));
        ended
            .map(|pieces| {
                let layout = Self {
                    version: self.version,
                    pieces: pieces.to_vec(),
                };
                layout.to_bytes().split_off(HEADER_LEN)
            })
            .collect()
    }

    /// The batches, in file order.
    pub fn batches_mut(&mut self) -> impl Iterator<Item = &mut Batch> {
        self.pieces.iter_mut().filter_map(|piece| match piece {
            Piece::Batch(batch) => Some(batch),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_round_trip() {
        let mut experimental = Batch::new(7, u64::MAX, 1 << 40, vec![1, 2, 3]);
        experimental.experiment = 1;
        let layout = Layout {
            version: Version::Go126,
            pieces: vec![
                Piece::Batch(Batch::new(7, 3, 5, vec![])),
                Piece::Batch(experimental),
                Piece::EndOfGeneration,
            ],
        };
        assert_eq!(Layout::parse(&layout.to_bytes()), Ok(layout));
    }

    #[test]
    fn broken_framing_is_located() {
        let mut layout = Layout {
            version: Version::Go122,
            pieces: vec![Piece::Batch(Batch::new(1, 1, 1, vec![0; 9]))],
        };
        let bytes = layout.to_bytes();
        assert_eq!(
            Layout::parse(&bytes[..bytes.len() - 1]),
            Err(LayoutError::Truncated(16))
        );
        layout.pieces.push(Piece::Raw(vec![77]));
        assert_eq!(
            Layout::parse(&layout.to_bytes()),
            Err(LayoutError::Framing(
                bytes.len(),
                FramingError::UnknownFrame(77)
            ))
        );
    }
}
