//! The trace of a process that died, from what it had written and the memory that it left.
//!
//! A tracer whose memory is in a mapped file ([`crate::layout`]) leaves, whatever killed it,
//!
//! 1. the output, with whole generations and perhaps the beginning of one;
//! 2. generations that were finished, but not written yet;
//! 3. what its threads had written of the generation that they were in, and perhaps of the one before
//!    it.
//!
//! [`recover`] joins them: the first two as they are, the third rebuilt. Where generations are missing
//! in between, a bridge says so ([`crate::Gap`]).

mod image;
mod rebuild;
#[cfg(test)]
mod tests;

use core::fmt;
use std::io::{self, Read, Write};

use exectrace_wire::{BatchKind, Frame, Generation, HEADER_LEN, parse_frame, parse_header};

pub use image::{Image, ImageError};

use crate::{
    error::MendError,
    gap::Gap,
    standing::Standing,
    walk::{Batches, VERSION},
};

/// Makes stacks of what a tracer kept of them.
pub trait StackSource {
    /// The stacks of a generation in a block of them: ids and addresses, leaf first.
    fn scan(&mut self, memory: &[u8], generation: Generation) -> Vec<(u64, Vec<u64>)>;

    /// The frames of a stack, leaf first: more than addresses where calls were inlined, fewer where
    /// some say nothing about the program.
    fn frames(&mut self, addresses: &[u64]) -> Vec<NamedFrame>;
}

/// A frame of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFrame {
    /// The program counter, or what stands for it in the trace.
    pub pc: u64,
    /// The function; none if no file says which it is.
    pub function: Option<String>,
    /// The source file.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
}

/// What has been recovered, and what is lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Generations that were in the output.
    pub written: u64,
    /// Bytes at the end of the output that are no whole generation; what they hold is recovered from
    /// the block file.
    pub cut_bytes: u64,
    /// Generations that were finished, but not in the output.
    pub finished: u64,
    /// Generations that were rebuilt from what threads had written.
    pub rebuilt: u64,
    /// Events in them.
    pub recovered_events: u64,
    /// Generations that are in neither, and that bridges stand for.
    pub missing: u64,
    /// Bytes in blocks that are no events, strings or stacks.
    pub lost_bytes: u64,
    /// Stacks that events name and that are nowhere.
    pub lost_stacks: u64,
    /// Strings that events name and that are nowhere.
    pub lost_strings: u64,
    /// Addresses in stacks that no file gives a name to; they are their own names.
    pub raw_addresses: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = [
            (self.written, "generations were in the output"),
            (self.finished, "finished generations were not in it"),
            (self.rebuilt, "generations were rebuilt"),
            (self.recovered_events, "events are in the rebuilt ones"),
            (self.missing, "generations are lost"),
            (self.lost_bytes, "bytes make no sense and are lost"),
            (self.lost_stacks, "stacks are lost"),
            (self.lost_strings, "strings are lost"),
            (self.raw_addresses, "addresses have no name"),
        ];
        let mut first = true;
        for (n, what) in items.into_iter().filter(|(n, _)| *n > 0) {
            let separator = if first { "" } else { "\n" };
            write!(f, "{separator}{n} {what}")?;
            first = false;
        }
        if first {
            f.write_str("there was nothing")?;
        }
        Ok(())
    }
}

/// Why nothing could be recovered, or no more.
#[derive(Debug)]
#[non_exhaustive]
pub enum RecoverError {
    /// The output cannot be read.
    Read(io::Error),
    /// The output is no trace of a version that this can go on with.
    NotATrace,
    /// A generation of the output, or a finished one, is malformed.
    Malformed(MendError),
    /// The recovered trace cannot be written.
    Write(io::Error),
}

impl fmt::Display for RecoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "cannot read what the process had written: {error}"),
            Self::NotATrace => write!(
                f,
                "what the process had written is expected to be a trace of version {VERSION}; \
                 recover without it"
            ),
            Self::Malformed(error) => error.fmt(f),
            Self::Write(error) => write!(f, "cannot write the recovered trace: {error}"),
        }
    }
}

impl core::error::Error for RecoverError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Read(error) | Self::Write(error) => Some(error),
            Self::Malformed(error) => Some(error),
            Self::NotATrace => None,
        }
    }
}

/// Writes the trace of a dead process: what it had written to `output`, if it had one, and what is in
/// the image.
///
/// Takes memory for a few generations.
///
/// # Errors
///
/// [`RecoverError`]; what has been written to `trace` by then is whole generations.
pub fn recover(
    image: &Image<'_>,
    output: Option<&mut dyn Read>,
    source: &mut dyn StackSource,
    trace: &mut dyn Write,
) -> Result<Report, RecoverError> {
    let mut report = Report::default();
    // 1. What had been written.
    let mut last = Last::default();
    trace
        .write_all(&VERSION.header())
        .map_err(RecoverError::Write)?;
    if let Some(output) = output {
        last.copy(output, trace, &mut report)?;
    }
    // 2. What is newer, the newest first: what a generation does not state, the next does.
    let mut clock = match &last.generation {
        Some(bytes) => {
            Standing::read(bytes, |_| Ok(()))
                .map_err(RecoverError::Malformed)?
                .clock
        }
        None => image.clock(),
    };
    let mut newer = Vec::new();
    for (&number, pieces) in &image.generations {
        if Some(number) <= last.number {
            continue;
        }
        let finished: Vec<&[u8]> = pieces.finished.iter().map(|block| block.data).collect();
        let finished = finished.concat();
        if let Ok(standing) = Standing::read(&finished, |_| Ok(())) {
            clock = standing.clock;
            report.finished += 1;
            newer.push((number, pieces, Some(finished), clock));
        } else {
            newer.push((number, pieces, None, clock));
        }
    }
    let mut next: Option<Standing> = None;
    let mut recovered = Vec::new();
    for (number, pieces, finished, clock) in newer.into_iter().rev() {
        let bytes = finished.or_else(|| {
            let next = next.as_ref();
            let bytes = rebuild::rebuild(number, pieces, clock, next, source, &mut report)?;
            report.rebuilt += 1;
            Some(bytes)
        });
        if let Some(bytes) = bytes {
            next = Standing::read(&bytes, |_| Ok(())).ok();
            recovered.push((number, bytes));
        }
    }
    // A trace does not begin with generations without events: what comes after them would be neither
    // known nor unknown before.
    while last.number.is_none()
        && let Some((_, bytes)) = recovered.last()
        && !has_events(bytes)
    {
        recovered.pop();
    }
    // 3. All in order, with bridges over what is missing.
    for (number, bytes) in recovered.into_iter().rev() {
        last.go_on(number, bytes, trace, &mut report)?;
    }
    Ok(report)
}

/// The last generation of the recovered trace.
#[derive(Debug, Default)]
struct Last {
    number: Option<Generation>,
    generation: Option<Vec<u8>>,
}

impl Last {
    /// Copies whole generations.
    fn copy(
        &mut self,
        output: &mut dyn Read,
        trace: &mut dyn Write,
        report: &mut Report,
    ) -> Result<(), RecoverError> {
        let mut header = Vec::new();
        let mut limited = output.take(HEADER_LEN as u64);
        limited
            .read_to_end(&mut header)
            .map_err(RecoverError::Read)?;
        // A process may die before it has written anything.
        if header.is_empty() {
            return Ok(());
        }
        if parse_header(&header) != Ok(VERSION) {
            return Err(RecoverError::NotATrace);
        }
        let output = limited.into_inner();
        let mut bytes: Vec<u8> = Vec::new();
        let mut at = 0;
        loop {
            match parse_frame(bytes.get(at..).unwrap_or_default()) {
                Ok(Some((Frame::EndOfGeneration, length))) => {
                    at += length;
                    let rest = bytes.split_off(at);
                    trace.write_all(&bytes).map_err(RecoverError::Write)?;
                    self.number = first_number(&bytes).or(self.number);
                    self.generation = Some(std::mem::replace(&mut bytes, rest));
                    report.written += 1;
                    at = 0;
                    continue;
                }
                Ok(Some((Frame::Batch(header), length)))
                    if bytes.len() - at >= length + header.size =>
                {
                    at += length + header.size;
                    continue;
                }
                Ok(_) => {}
                Err(_) => break,
            }
            let mut more = output.take(256 * 1024);
            if more.read_to_end(&mut bytes).map_err(RecoverError::Read)? == 0 {
                break;
            }
        }
        report.cut_bytes = bytes.len() as u64;
        Ok(())
    }

    /// Appends a generation, and a bridge before it if some are missing in between.
    fn go_on(
        &mut self,
        number: Generation,
        bytes: Vec<u8>,
        trace: &mut dyn Write,
        report: &mut Report,
    ) -> Result<(), RecoverError> {
        if let Some(last) = self.number
            && number.0 > last.0 + 1
        {
            let missing = number.0 - last.0 - 1;
            report.missing += missing;
            let gap = Gap::unseen(self.generation.as_deref(), missing, 0);
            let bridge = gap.and_then(|gap| gap.bridge(Some(&bytes), "the process was killed"));
            let bridge = bridge.map_err(RecoverError::Malformed)?;
            trace.write_all(&bridge).map_err(RecoverError::Write)?;
        }
        trace.write_all(&bytes).map_err(RecoverError::Write)?;
        self.number = Some(number);
        self.generation = Some(bytes);
        Ok(())
    }
}

fn has_events(generation: &[u8]) -> bool {
    Batches::new(generation)
        .flatten()
        .any(|batch| batch.kind == BatchKind::Events && !batch.data.is_empty())
}

fn first_number(generation: &[u8]) -> Option<Generation> {
    let batch = Batches::new(generation).next()?.ok()?;
    Some(batch.header.generation)
}
