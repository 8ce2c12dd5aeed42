//! Framing in salvage mode: finds the next trustworthy batch after damage.
//!
//! A batch is trusted where the one before it ends, as far as its data can be decoded. After
//! damage, a place is trusted only if
//!
//! 1. a batch header stands there,
//! 2. its data, which is not empty, can be decoded to the last byte, and
//! 3. the header of another batch that may follow it, an end-of-generation record or the end of
//!    the trace comes behind it.
//!
//! A batch of another generation needs the third condition even without damage: a single wrong
//! generation number must not tear a generation apart.
//!
//! Random bytes pass this test hardly ever, and a batch that passes it falsely still has to pass
//! the ordering.

use std::io::Read;

use exectrace_wire::{
    BatchHeader, BatchKind, CpuSamples, EventType, Frame, Generation, Stacks, Strings,
    StructuralError, SyncRecords, Version, decode_event,
    limits::{MAX_BATCH_BYTES, MAX_BATCH_HEADER_BYTES},
    parse_frame,
};

use crate::{
    error::ErrorKind,
    framing::{Batch, BatchReader, Item},
    limits::{FREE_SEARCH_BYTES, SEARCH_PER_BYTE},
    salvage::{Loss, LossKind},
};

/// Bytes that are looked at to judge a place: a batch and the header behind it.
const VIEW: usize = MAX_BATCH_BYTES + 2 * MAX_BATCH_HEADER_BYTES;

/// What the search after damage needs to know.
#[derive(Debug)]
pub(crate) struct Resync {
    version: Version,
    /// The damage that is being skipped: where it begins, its length so far, and its cause.
    damage: Option<(u64, u64, ErrorKind)>,
    skipped: u64,
    work: u64,
}

/// A batch or end of generation, and what was lost before it.
#[derive(Debug)]
pub(crate) struct Salvaged {
    pub(crate) item: Item,
    /// Bytes were lost before it.
    pub(crate) loss: Option<Loss>,
}

impl Resync {
    pub(crate) fn new(version: Version) -> Self {
        Self {
            version,
            damage: None,
            skipped: 0,
            work: 0,
        }
    }

    /// The damage that was skipped, once something sound follows it.
    pub(crate) fn take_loss(&mut self) -> Option<Loss> {
        let (offset, bytes, cause) = self.damage.take()?;
        let kind = LossKind::SkippedBytes { bytes, cause };
        Some(Loss {
            offset: Some(offset),
            generation: None,
            kind,
        })
    }

    fn skip(&mut self, offset: u64, bytes: u64, cause: impl FnOnce() -> ErrorKind) {
        self.skipped += bytes;
        match &mut self.damage {
            Some((_, length, _)) => *length += bytes,
            None => self.damage = Some((offset, bytes, cause())),
        }
    }

    /// See the module's documentation.
    fn is_trustworthy(&mut self, view: &[u8], at_end: bool, current: Option<Generation>) -> bool {
        if self.work > FREE_SEARCH_BYTES + SEARCH_PER_BYTE * self.skipped {
            return false;
        }
        match parse_frame(view) {
            Ok(Some((Frame::Batch(header), length))) => {
                let Some(data) = view.get(length..length + header.size) else {
                    return false;
                };
                if data.is_empty()
                    || header.generation.0 == 0
                    || !self.is_followed(&header, &view[length + data.len()..], at_end, current)
                {
                    return false;
                }
                let (sound, _) = sound_prefix(&header, data, self.version);
                self.work += sound as u64 + 1;
                sound == data.len()
            }
            // The end of a generation is a single byte, so it counts only at the end of the trace
            // or before a batch of another generation.
            Ok(Some((Frame::EndOfGeneration, length))) if self.version.has_end_of_generation() => {
                let behind = &view[length..];
                match parse_frame(behind) {
                    _ if behind.is_empty() => at_end,
                    Ok(Some((Frame::Batch(next), _))) => {
                        Some(next.generation) != current
                            && self.is_trustworthy(behind, at_end, None)
                    }
                    _ => false,
                }
            }
            _ => false,
        }
    }

    /// Whether a batch of another generation, where the last batch ends, really begins it: either
    /// what stands behind it says so, or that is damaged and the batch itself is sound.
    fn begins_generation(
        &self,
        header: &BatchHeader,
        data: &[u8],
        at_end: bool,
        current: Generation,
    ) -> bool {
        let Some((data, behind)) = data.split_at_checked(header.size) else {
            return false;
        };
        if self.is_followed(header, behind, at_end, Some(current)) {
            return true;
        }
        Some(header.generation.0) == current.0.checked_add(1)
            && !data.is_empty()
            && parse_frame(behind).is_err()
            && sound_prefix(header, data, self.version).0 == data.len()
    }

    /// Whether what stands behind a batch may do so.
    fn is_followed(
        &self,
        header: &BatchHeader,
        behind: &[u8],
        at_end: bool,
        current: Option<Generation>,
    ) -> bool {
        match parse_frame(behind) {
            Ok(Some((Frame::Batch(next), _))) => {
                let (found, next) = (header.generation.0, next.generation.0);
                // One wrong generation number must not look like a generation of one batch.
                let is_next = current.is_none_or(|current| {
                    found == current.0 || Some(found) == current.0.checked_add(1)
                });
                next == found || is_next && Some(next) == found.checked_add(1)
            }
            Ok(Some((Frame::EndOfGeneration, _))) => self.version.has_end_of_generation(),
            Ok(None) => at_end,
            Err(_) => false,
        }
    }
}

impl<R: Read> BatchReader<R> {
    /// As [`BatchReader::next`], but skips damage. `current` is the generation that is being read.
    ///
    /// # Errors
    ///
    /// Only if the source cannot be read.
    pub(crate) fn next_salvaged(
        &mut self,
        resync: &mut Resync,
        current: Option<Generation>,
    ) -> Result<Option<Salvaged>, ErrorKind> {
        loop {
            let offset = self.offset();
            let bytes = self.peek(VIEW)?;
            if bytes.is_empty() {
                return Ok(None);
            }
            let at_end = bytes.len() < VIEW;
            let view = &bytes[..bytes.len().min(VIEW)];
            // 1. Is there something to trust?
            let (frame, length) = match resync.judge(view, at_end, current) {
                Ok(frame) => frame,
                Err(cause) => {
                    let skipped = 1 + view[1..].iter().take_while(|b| !begins_frame(**b)).count();
                    resync.skip(offset, skipped as u64, || cause);
                    self.consume(skipped);
                    continue;
                }
            };
            let loss = resync.take_loss();
            let Frame::Batch(header) = frame else {
                self.consume(length);
                return Ok(Some(Salvaged {
                    item: Item::EndOfGeneration { offset },
                    loss,
                }));
            };
            // 2. Its data counts as far as it can be decoded.
            let available = &view[length..view.len().min(length + header.size)];
            let (sound, cause) = sound_prefix(&header, available, resync.version);
            let data = available[..sound].to_vec();
            if sound < header.size {
                let cut = ErrorKind::TruncatedBatch {
                    expected: header.size,
                    found: sound,
                };
                resync.skip(offset + (length + sound) as u64, 0, || cause.unwrap_or(cut));
            }
            self.consume(length + sound);
            let data_offset = offset + length as u64;
            let item = Item::Batch(Batch {
                header,
                offset,
                data_offset,
                data,
            });
            return Ok(Some(Salvaged { item, loss }));
        }
    }
}

impl Resync {
    /// The frame at the start of `view`, if it can be trusted; otherwise why not.
    fn judge(
        &mut self,
        view: &[u8],
        at_end: bool,
        current: Option<Generation>,
    ) -> Result<(Frame, usize), ErrorKind> {
        let (frame, length) = match parse_frame(view) {
            Ok(Some(frame)) => frame,
            Ok(None) => return Err(ErrorKind::TruncatedHeader),
            Err(error) => return Err(error.into()),
        };
        if self.damage.is_some() {
            let trusted = self.is_trustworthy(view, at_end, current);
            return if trusted {
                Ok((frame, length))
            } else {
                Err(ErrorKind::TruncatedHeader)
            };
        }
        match (&frame, current) {
            (Frame::EndOfGeneration, _) if !self.version.has_end_of_generation() => {
                Err(ErrorKind::ZeroGeneration)
            }
            (Frame::Batch(header), _) if header.generation.0 == 0 => Err(ErrorKind::ZeroGeneration),
            (Frame::Batch(header), Some(current)) if header.generation != current => {
                if self.begins_generation(header, &view[length..], at_end, current) {
                    return Ok((frame, length));
                }
                Err(ErrorKind::GenerationOutOfOrder {
                    current,
                    found: header.generation,
                })
            }
            _ => Ok((frame, length)),
        }
    }
}

fn begins_frame(byte: u8) -> bool {
    matches!(
        EventType::from_wire(byte),
        Some(EventType::EventBatch | EventType::ExperimentalBatch | EventType::EndOfGeneration)
    )
}

/// Bytes at the start of a batch's data that are whole records, and why the next one is none.
fn sound_prefix(header: &BatchHeader, data: &[u8], version: Version) -> (usize, Option<ErrorKind>) {
    match header.classify(version, data) {
        BatchKind::Experimental => (data.len(), None),
        BatchKind::EndOfGeneration => (data.len().min(1), None),
        BatchKind::Events => {
            let mut at = 0;
            while at < data.len() {
                match decode_event(&data[at..]) {
                    Ok((_, length)) => at += length,
                    Err(error) => return (at, Some(error.into())),
                }
            }
            (at, None)
        }
        BatchKind::Strings => sound_records(data.len(), Strings::new(data)),
        BatchKind::Stacks => sound_records(data.len(), Stacks::new(data)),
        BatchKind::CpuSamples => sound_records(data.len(), CpuSamples::new(data)),
        BatchKind::Sync => sound_records(data.len(), SyncRecords::new(version, data)),
    }
}

fn sound_records<T>(
    length: usize,
    records: Result<impl Iterator<Item = Result<T, StructuralError>>, StructuralError>,
) -> (usize, Option<ErrorKind>) {
    let error = match records {
        Err(error) => Some(error),
        Ok(mut records) => records.find_map(Result::err),
    };
    match error {
        Some(error) => (error.offset, Some(error.into())),
        None => (length, None),
    }
}
