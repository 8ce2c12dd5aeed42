//! The reader: a trace of either family in, ordered events out.

mod v2;

use std::{io::Read, ops::ControlFlow};

use exectrace_wire::{Family, Version};

use crate::{
    error::Error, event::Event, framing::BatchReader, pool::BufferPool, salvage::SalvageReport,
    source::GenerationReader, stats::Stats, v1::V1Reader,
};
use v2::V2Reader;

/// How to read a trace.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// Whether to go on after damage and keep what is sound; see [`Reader::salvage_report`].
    pub salvage: bool,
}

impl Options {
    /// Sets [`Options::salvage`].
    #[must_use]
    pub fn salvage(mut self, salvage: bool) -> Self {
        self.salvage = salvage;
        self
    }
}

/// Reads a trace: yields its events in order, checked and resolved.
///
/// The order is that of Go's own parser, ties included. Memory is bounded by two generations of the
/// trace (one, without [`Reader::overlapped`]) and the live goroutines, procs, threads and tasks.
///
/// Traces of Go 1.5 to 1.21 (the v1 formats) yield the same kind of events, converted as Go's own
/// parser converts them. They say only at their end how long a clock unit is and what stacks stand
/// for, so such a trace is kept in memory as a whole, and [`Reader::next_event`] yields nothing
/// before it is read. Events at one tick of the trace's clock are unordered in these formats; see
/// [`crate::v1`] for the order in which they come.
///
/// ```
/// # let trace = exectrace_wire::Version::Go126.header();
/// use exectrace_reader::{EventKind, Reader};
///
/// let mut reader = Reader::new(&trace[..])?;
/// while let Some(event) = reader.next_event()? {
///     if let EventKind::Log(log) = event.kind() {
///         println!("{} {}: {}", event.time(), log.category, log.message);
///     }
/// }
/// # Ok::<(), exectrace_reader::Error>(())
/// ```
#[derive(Debug)]
pub struct Reader<'s>(FamilyReader<'s>);

#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one reader, and the v2 reader's fields are to be reached without a detour"
)]
enum FamilyReader<'s> {
    V1(Box<V1Reader<'s>>),
    V2(V2Reader<'s>),
}

impl<'s> Reader<'s> {
    /// Reads the header of a trace. Everything happens on the calling thread.
    ///
    /// `source` is read in large pieces; it needs no buffer of its own.
    ///
    /// # Errors
    ///
    /// If the source cannot be read or does not begin as a trace does.
    pub fn new(source: impl Read + 's) -> Result<Self, Error> {
        Self::with_options(source, Options::default())
    }

    /// As [`Reader::new`], with options.
    ///
    /// # Errors
    ///
    /// As [`Reader::new`].
    pub fn with_options(source: impl Read + 's, options: Options) -> Result<Self, Error> {
        let source = Box::new(source) as Box<dyn Read + 's>;
        let (batches, version) = open(source)?;
        Ok(Self(match version.family() {
            Family::V1 => FamilyReader::v1(batches, version, &options),
            Family::V2 => {
                let source = GenerationReader::new(batches, version, &options);
                FamilyReader::V2(V2Reader::inline(source, &options))
            }
        }))
    }

    /// The version that the trace's header names.
    #[must_use]
    pub fn version(&self) -> Version {
        match &self.0 {
            FamilyReader::V1(reader) => reader.version(),
            FamilyReader::V2(reader) => reader.version(),
        }
    }

    /// What was read so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        match &self.0 {
            FamilyReader::V1(reader) => reader.stats(),
            FamilyReader::V2(reader) => reader.stats(),
        }
    }

    /// What salvage mode lost so far; `None` in strict mode. Complete when the trace has ended.
    #[must_use]
    pub fn salvage_report(&self) -> Option<&SalvageReport> {
        match &self.0 {
            FamilyReader::V1(reader) => reader.salvage_report(),
            FamilyReader::V2(reader) => reader.salvage_report(),
        }
    }

    /// The next event; `None` at the end of the trace.
    ///
    /// # Errors
    ///
    /// If the trace cannot be read or is broken. The same error comes again with each later call.
    #[inline]
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, Error> {
        match &mut self.0 {
            FamilyReader::V2(reader) => reader.next_event(),
            FamilyReader::V1(reader) => reader.next_event(),
        }
    }

    /// Visits all further events, or those up to the first for which `visit` breaks: then the next
    /// call goes on behind that one.
    ///
    /// Faster than a loop around [`Reader::next_event`] by about a tenth on one thread and a fifth
    /// on two: what is the same for consecutive events of a thread is looked up once.
    ///
    /// ```
    /// # let trace = exectrace_wire::Version::Go126.header();
    /// use std::ops::ControlFlow;
    ///
    /// use exectrace_reader::{EventKind, Reader};
    ///
    /// let mut reader = Reader::new(&trace[..])?;
    /// let first_log = reader.try_for_each(|event| match event.kind() {
    ///     EventKind::Log(log) => ControlFlow::Break(log.message.to_string()),
    ///     _ => ControlFlow::Continue(()),
    /// })?;
    /// assert_eq!(first_log, ControlFlow::Continue(()));
    /// # Ok::<(), exectrace_reader::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Reader::next_event`].
    #[inline(always)]
    pub fn try_for_each<B>(
        &mut self,
        mut visit: impl FnMut(Event<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, Error> {
        match &mut self.0 {
            FamilyReader::V2(reader) => reader.try_for_each(visit),
            FamilyReader::V1(reader) => {
                while let Some(event) = reader.next_event()? {
                    if let ControlFlow::Break(broken) = visit(event) {
                        return Ok(ControlFlow::Break(broken));
                    }
                }
                Ok(ControlFlow::Continue(()))
            }
        }
    }
}

impl Reader<'static> {
    /// As [`Reader::with_options`], with reading, framing and decoding on a second thread, ahead of
    /// the ordering. For a source on which a read may block, events that have arrived are not held
    /// up.
    ///
    /// When the reader is dropped, the second thread ends as soon as its current read returns.
    ///
    /// # Errors
    ///
    /// As [`Reader::new`], or if the thread cannot be started.
    pub fn overlapped(source: impl Read + Send + 'static, options: Options) -> Result<Self, Error> {
        let (batches, version) = open(source)?;
        Ok(Self(match version.family() {
            Family::V1 => FamilyReader::v1(batches, version, &options),
            Family::V2 => {
                let source = GenerationReader::new(batches, version, &options);
                FamilyReader::V2(V2Reader::overlapped(source, &options)?)
            }
        }))
    }
}

/// Reads the header.
fn open<R: Read>(source: R) -> Result<(BatchReader<R>, Version), Error> {
    let mut batches = BatchReader::new(source, BufferPool::default());
    let version = batches.read_header()?;
    Ok((batches, version))
}

impl<'s> FamilyReader<'s> {
    fn v1(batches: BatchReader<impl Read + 's>, version: Version, options: &Options) -> Self {
        let (start, rest) = batches.into_rest();
        let reader = V1Reader::new(version, start, Box::new(rest), options.salvage);
        Self::V1(Box::new(reader))
    }
}
