//! Cuts the batches of a trace into generations.
//!
//! How a generation ends depends on the version, and what an error costs depends on where it
//! strikes (format specification, sections 3.2 and 3.3). Three outcomes never mix: the trace goes
//! on, it ends, or it is broken; and a broken trace may still yield the generation before the
//! damage.

use std::io::Read;

use exectrace_wire::{BatchKind, Generation, Version};

use crate::{
    Options,
    error::{Error, ErrorKind},
    framing::{Batch, BatchReader, Item},
    load::{GenerationBuilder, LoadedGeneration, USUAL_FREQUENCY},
    pool::BufferPool,
    resync::Resync,
    salvage::{Loss, LossKind},
};

/// What comes next in a trace.
#[derive(Debug)]
pub(crate) enum Next {
    /// A generation, and what broke the trace behind it, if something did.
    Generation(Box<LoadedGeneration>, Option<Error>),
    /// The end, and in salvage mode what was lost before it.
    End(Vec<Loss>),
    /// The trace is broken here.
    Broken(Error),
}

/// Reads generations from a source, one after the other.
pub(crate) struct GenerationReader<R> {
    batches: BatchReader<R>,
    version: Version,
    pool: BufferPool,
    /// The generation that is being read.
    builder: Option<GenerationBuilder>,
    /// Before Go 1.26: the first batch of the next generation, whose arrival ended this one.
    spilled: Option<Batch>,
    /// Whether a generation has ended.
    started: bool,
    salvage: Option<Salvage>,
}

/// What salvage mode keeps between batches.
struct Salvage {
    resync: Resync,
    /// Losses before the first batch of the generation that comes next.
    before: Vec<Loss>,
    /// The frequency of the last generation that had one.
    frequency: u64,
    /// Whether bytes were lost right before the spilled batch.
    spilled_after_gap: bool,
}

impl<R: Read> GenerationReader<R> {
    /// Reads on after the file header.
    pub(crate) fn new(batches: BatchReader<R>, version: Version, options: &Options) -> Self {
        let pool = batches.pool();
        let salvage = options.salvage.then(|| Salvage {
            resync: Resync::new(version),
            before: Vec::new(),
            frequency: USUAL_FREQUENCY,
            spilled_after_gap: false,
        });
        Self {
            batches,
            version,
            pool,
            builder: None,
            spilled: None,
            started: false,
            salvage,
        }
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// Bytes of the trace consumed so far.
    pub(crate) fn offset(&self) -> u64 {
        self.batches.offset()
    }

    /// Reads the next generation. After anything but a lone generation it is not to be called
    /// again.
    pub(crate) fn next(&mut self) -> Next {
        loop {
            if let Some(next) = self.poll() {
                return next;
            }
        }
    }

    /// Reads one batch; yields when a generation is complete, the trace ends or is broken.
    pub(crate) fn poll(&mut self) -> Option<Next> {
        if let Some(salvage) = self.salvage.take() {
            let mut salvage = salvage;
            let next = self.poll_salvaging(&mut salvage);
            self.salvage = Some(salvage);
            return next;
        }
        if let Some(batch) = self.spilled.take() {
            return self.add(batch).err().map(Next::Broken);
        }
        let marked = self.version.has_end_of_generation();
        match self.batches.next() {
            Ok(Some(Item::Batch(batch))) if marked => self.take_marked(batch),
            Ok(Some(Item::Batch(batch))) => self.take_spilling(batch),
            Ok(Some(Item::EndOfGeneration { offset })) if marked => Some(self.finish(offset, None)),
            Ok(Some(Item::EndOfGeneration { offset })) => {
                Some(Next::Broken(Error::at(offset, ErrorKind::ZeroGeneration)))
            }
            Ok(None) if marked => Some(self.end_marked()),
            // The end of the trace ends the generation: nothing tells whether it is complete.
            Ok(None) if self.builder.is_none() && self.started => Some(Next::End(Vec::new())),
            Ok(None) => Some(self.finish(self.batches.offset(), None)),
            // The error may concern the next generation only: this one may be whole.
            Err(error) if !marked && self.builder.is_some() => {
                Some(self.finish(self.batches.offset(), Some(error)))
            }
            Err(error) => Some(Next::Broken(error)),
        }
    }

    /// From Go 1.26: a generation ends with a record of its own.
    fn take_marked(&mut self, batch: Batch) -> Option<Next> {
        let (offset, found) = (batch.offset, batch.header.generation);
        // A batch that holds nothing but the record ends the generation too, as in Go.
        if batch.kind(self.version) == BatchKind::EndOfGeneration {
            return Some(self.finish(offset, None));
        }
        if found.0 == 0 {
            return Some(Next::Broken(Error::at(offset, ErrorKind::ZeroGeneration)));
        }
        if let Some(builder) = &self.builder
            && builder.number != found
        {
            let kind = ErrorKind::UnfinishedGeneration {
                current: builder.number,
                found,
            };
            return Some(Next::Broken(Error::at(offset, kind)));
        }
        self.add(batch).err().map(Next::Broken)
    }

    fn end_marked(&mut self) -> Next {
        match &self.builder {
            Some(builder) if builder.has_events() => Next::Broken(Error::at(
                self.batches.offset(),
                ErrorKind::IncompleteGeneration,
            )),
            // A generation without events was not worth its end-of-generation record: as in Go.
            _ => Next::End(Vec::new()),
        }
    }

    /// Before Go 1.26: a generation ends where the next one begins.
    fn take_spilling(&mut self, batch: Batch) -> Option<Next> {
        let (offset, found) = (batch.offset, batch.header.generation);
        if found.0 == 0 {
            return Some(Next::Broken(Error::at(offset, ErrorKind::ZeroGeneration)));
        }
        if let Some(builder) = &self.builder {
            let current = builder.number;
            if Some(found.0) == current.0.checked_add(1) {
                self.spilled = Some(batch);
                return Some(self.finish(offset, None));
            }
            if found != current {
                let kind = ErrorKind::GenerationOutOfOrder { current, found };
                return Some(Next::Broken(Error::at(offset, kind)));
            }
        }
        self.add(batch).err().map(Next::Broken)
    }

    fn add(&mut self, batch: Batch) -> Result<(), Error> {
        let (number, offset) = (batch.header.generation, batch.offset);
        self.builder
            .get_or_insert_with(|| GenerationBuilder::new(self.version, number, offset))
            .add(batch, &self.pool)
    }

    /// Ends the generation; `offset` is where, should it be empty.
    fn finish(&mut self, offset: u64, behind: Option<Error>) -> Next {
        self.started = true;
        let builder = self
            .builder
            .take()
            .unwrap_or_else(|| GenerationBuilder::new(self.version, Generation(0), offset));
        match builder.finish(&self.pool) {
            Ok(generation) => Next::Generation(Box::new(generation), behind),
            // The generation itself is broken: what comes behind it does not matter any more.
            Err(error) => Next::Broken(error),
        }
    }

    /// As [`Self::poll`], in salvage mode: only the source itself can still fail.
    fn poll_salvaging(&mut self, salvage: &mut Salvage) -> Option<Next> {
        if let Some(batch) = self.spilled.take() {
            let after_gap = std::mem::take(&mut salvage.spilled_after_gap);
            return self.add_salvaging(salvage, batch, after_gap);
        }
        let current = self.builder.as_ref().map(|builder| builder.number);
        let salvaged = match self.batches.next_salvaged(&mut salvage.resync, current) {
            Ok(Some(salvaged)) => salvaged,
            Ok(None) => return Some(self.end_salvaging(salvage)),
            Err(error) => return Some(Next::Broken(Error::at(self.batches.offset(), error))),
        };
        let after_gap = salvaged.loss.is_some();
        if let Some(loss) = salvaged.loss {
            self.note(salvage, loss);
        }
        match salvaged.item {
            Item::EndOfGeneration { .. } if self.builder.is_none() => None,
            Item::EndOfGeneration { offset } => Some(self.finish_salvaging(salvage, offset)),
            Item::Batch(batch) if batch.kind(self.version) == BatchKind::EndOfGeneration => {
                // As above: without a generation there is nothing to end.
                self.builder.as_ref()?;
                Some(self.finish_salvaging(salvage, batch.offset))
            }
            Item::Batch(batch) if current.is_some_and(|n| n != batch.header.generation) => {
                let offset = batch.offset;
                if self.version.has_end_of_generation()
                    && let Some(builder) = &mut self.builder
                {
                    builder.lose(offset, LossKind::IncompleteGeneration);
                }
                self.spilled = Some(batch);
                salvage.spilled_after_gap = after_gap;
                Some(self.finish_salvaging(salvage, offset))
            }
            Item::Batch(batch) => self.add_salvaging(salvage, batch, after_gap),
        }
    }

    fn note(&mut self, salvage: &mut Salvage, mut loss: Loss) {
        match &mut self.builder {
            Some(builder) => {
                loss.generation = Some(builder.number);
                builder.note(loss);
            }
            None => salvage.before.push(loss),
        }
    }

    fn add_salvaging(
        &mut self,
        salvage: &mut Salvage,
        batch: Batch,
        after_gap: bool,
    ) -> Option<Next> {
        let (number, offset) = (batch.header.generation, batch.offset);
        let builder = self.builder.get_or_insert_with(|| {
            let losses = std::mem::take(&mut salvage.before);
            GenerationBuilder::new(self.version, number, offset)
                .salvaging(losses, salvage.frequency)
        });
        if after_gap {
            builder.begin_gap();
        }
        builder.add(batch, &self.pool).err().map(Next::Broken)
    }

    fn end_salvaging(&mut self, salvage: &mut Salvage) -> Next {
        let offset = self.batches.offset();
        let loss = salvage.resync.take_loss();
        let is_cut = loss.is_some() || self.version.has_end_of_generation();
        if let Some(loss) = loss {
            self.note(salvage, loss);
        }
        let Some(builder) = &mut self.builder else {
            return Next::End(std::mem::take(&mut salvage.before));
        };
        if is_cut {
            builder.lose(offset, LossKind::IncompleteGeneration);
        }
        // As in strict mode, tables without an event are not worth a generation.
        if self.version.has_end_of_generation() && !builder.has_events() {
            return Next::End(builder.take_losses());
        }
        self.finish_salvaging(salvage, offset)
    }

    fn finish_salvaging(&mut self, salvage: &mut Salvage, offset: u64) -> Next {
        let frequency = self.builder.as_ref().and_then(GenerationBuilder::frequency);
        salvage.frequency = frequency.unwrap_or(salvage.frequency);
        self.finish(offset, None)
    }
}
