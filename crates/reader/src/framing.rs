//! Cuts the bytes of a trace into batches.

use std::io::Read;

use exectrace_wire::{
    BatchHeader, BatchKind, Frame, HEADER_LEN, HeaderError, Version,
    limits::MAX_BATCH_HEADER_BYTES, parse_frame, parse_header,
};

use crate::{
    error::{Error, ErrorKind},
    pool::BufferPool,
};

/// A batch with its data.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) header: BatchHeader,
    /// Offset of the header in the trace.
    pub(crate) offset: u64,
    /// Offset of the data in the trace.
    pub(crate) data_offset: u64,
    pub(crate) data: Vec<u8>,
}

impl Batch {
    pub(crate) fn kind(&self, version: Version) -> BatchKind {
        self.header.classify(version, &self.data)
    }
}

/// What stands at the top level of a trace.
#[derive(Debug)]
pub(crate) enum Item {
    Batch(Batch),
    EndOfGeneration {
        /// Offset of the record in the trace.
        offset: u64,
    },
}

/// Bytes read from the source at once.
const READ_BYTES: usize = 256 * 1024;

/// Reads batches from a source, one after the other.
pub(crate) struct BatchReader<R> {
    source: R,
    buffer: Vec<u8>,
    /// The unread part of `buffer`.
    start: usize,
    end: usize,
    /// Offset of `buffer[start]` in the trace.
    offset: u64,
    source_ended: bool,
    pool: BufferPool,
}

impl<R: Read> BatchReader<R> {
    pub(crate) fn new(source: R, pool: BufferPool) -> Self {
        Self {
            source,
            buffer: vec![0; READ_BYTES],
            start: 0,
            end: 0,
            offset: 0,
            source_ended: false,
            pool,
        }
    }

    /// The pool of the buffers that hold batches.
    pub(crate) fn pool(&self) -> BufferPool {
        self.pool.clone()
    }

    /// What was read of the source but not consumed, and the rest of it.
    pub(crate) fn into_rest(self) -> (Vec<u8>, R) {
        let unread = self.buffer[self.start..self.end].to_vec();
        (unread, self.source)
    }

    /// Bytes of the trace consumed so far.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads the file header.
    pub(crate) fn read_header(&mut self) -> Result<Version, Error> {
        let header = self.peek(HEADER_LEN).map_err(|error| Error::at(0, error))?;
        match parse_header(header) {
            Ok(version) => {
                self.consume(HEADER_LEN);
                Ok(version)
            }
            Err(HeaderError::Short(n)) => Err(Error::at(n as u64, HeaderError::Short(n))),
            Err(error) => Err(Error::at(0, error)),
        }
    }

    /// Reads the next batch or end of generation; `None` at the end of the trace.
    pub(crate) fn next(&mut self) -> Result<Option<Item>, Error> {
        let offset = self.offset;
        let bytes = self
            .peek(MAX_BATCH_HEADER_BYTES)
            .map_err(|error| Error::at(offset, error))?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let frame = match parse_frame(bytes) {
            Ok(Some(frame)) => frame,
            // Go stops without an error after the type byte of an experimental batch.
            Ok(None) if bytes == [exectrace_wire::EventType::ExperimentalBatch.to_wire()] => {
                return Ok(None);
            }
            Ok(None) => return Err(Error::at(offset, ErrorKind::TruncatedHeader)),
            Err(error) => return Err(Error::at(offset, error)),
        };
        let (header, length) = match frame {
            (Frame::EndOfGeneration, length) => {
                self.consume(length);
                return Ok(Some(Item::EndOfGeneration { offset }));
            }
            (Frame::Batch(header), length) => (header, length),
        };
        self.consume(length);
        let data_offset = self.offset;
        let data = self.read_data(header.size)?;
        Ok(Some(Item::Batch(Batch {
            header,
            offset,
            data_offset,
            data,
        })))
    }

    fn read_data(&mut self, size: usize) -> Result<Vec<u8>, Error> {
        let offset = self.offset;
        let mut data = self.pool.take(size);
        while data.len() < size {
            let missing = size - data.len();
            let bytes = self
                .peek(missing.min(READ_BYTES))
                .map_err(|error| Error::at(offset + data.len() as u64, error))?;
            let n = bytes.len().min(missing);
            data.extend_from_slice(&bytes[..n]);
            self.consume(n);
            if n < missing {
                let kind = ErrorKind::TruncatedBatch {
                    expected: size,
                    found: data.len(),
                };
                return Err(Error::at(self.offset, kind));
            }
        }
        Ok(data)
    }

    /// At least `n` unread bytes, or all that are left. `n` is at most [`READ_BYTES`].
    pub(crate) fn peek(&mut self, n: usize) -> Result<&[u8], ErrorKind> {
        while self.end - self.start < n && !self.source_ended {
            if self.buffer.len() - self.start < n {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.source_ended = true,
                Ok(n) => self.end += n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(&self.buffer[self.start..self.end])
    }

    /// Marks bytes as read that [`Self::peek`] has returned.
    pub(crate) fn consume(&mut self, n: usize) {
        self.start += n;
        self.offset += n as u64;
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }
}
