//! Walks through the batches of one generation, in the order of the bytes.

use exectrace_wire::{
    BatchHeader, BatchKind, Frame, Generation, RawEvent, Version, decode_event, parse_frame,
};

use crate::error::{MendError, MendErrorKind};

/// The version that a tracer writes, and the only one that can be mended: it has an in-band end of
/// generation, without which a cut cannot be told from an end.
pub(crate) const VERSION: Version = Version::Go126;

/// A batch and where its data begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch<'a> {
    pub(crate) header: BatchHeader,
    pub(crate) kind: BatchKind,
    pub(crate) data: &'a [u8],
    pub(crate) offset: usize,
}

/// The batches up to the end of the generation, which MUST come, otherwise the last item is an
/// error.
#[derive(Clone, Debug)]
pub(crate) struct Batches<'a> {
    bytes: &'a [u8],
    at: usize,
    generation: Option<Generation>,
    ended: bool,
}

impl<'a> Batches<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            generation: None,
            ended: false,
        }
    }

    fn step(&mut self) -> Result<Option<Batch<'a>>, MendError> {
        let truncated = MendErrorKind::Truncated.at(self.at);
        let frame = parse_frame(&self.bytes[self.at..])
            .map_err(|error| MendErrorKind::Framing(error).at(self.at))?;
        match frame.ok_or_else(|| truncated.clone())? {
            (Frame::EndOfGeneration, length) => {
                self.at += length;
                Ok(None)
            }
            (Frame::Batch(header), length) => {
                let expected = *self.generation.get_or_insert(header.generation);
                if header.generation != expected {
                    let found = header.generation;
                    return Err(MendErrorKind::Generation { expected, found }.at(self.at));
                }
                let offset = self.at + length;
                let data = self
                    .bytes
                    .get(offset..offset + header.size)
                    .ok_or(truncated)?;
                self.at = offset + header.size;
                Ok(Some(Batch {
                    kind: header.classify(VERSION, data),
                    header,
                    data,
                    offset,
                }))
            }
        }
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<Batch<'a>, MendError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let step = self.step().transpose();
        self.ended = !matches!(step, Some(Ok(_)));
        step
    }
}

/// Calls `visit` with the events of a thread's batch.
pub(crate) fn events(batch: &Batch<'_>, mut visit: impl FnMut(&RawEvent)) -> Result<(), MendError> {
    let mut rest = batch.data;
    while !rest.is_empty() {
        let at = batch.offset + (batch.data.len() - rest.len());
        let (event, length) =
            decode_event(rest).map_err(|error| MendErrorKind::Event(error).at(at))?;
        visit(&event);
        rest = &rest[length..];
    }
    Ok(())
}
