//! Where a trace goes, and what happens when it cannot go there fast enough.
//!
//! A generation is handed over whole, on a thread of the tracer. It is put into a queue, and a thread
//! of the sink's own writes it out: so a sink that is slow, stuck, full or panicking holds up
//! nobody. What waits is capped in bytes ([`Settings::max_memory`]). Past the cap the
//! oldest waiting generation is dropped, since the newest is what somebody will look for; a gap of
//! dropped generations becomes one small generation that leads over it and says what is missing
//! (`exectrace_mend::Gap`).

mod error;
mod file;
mod memory;
mod queue;
mod stream;
#[cfg(test)]
pub(crate) mod tests;

use std::{
    fmt,
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

pub use error::{SinkError, SinkErrorKind};
pub(crate) use file::create as create_file;
pub use memory::Memory;
pub use stream::{Stream, Written};

/// Where a trace goes.
///
/// ```
/// use exectrace::sink::Sink;
///
/// let (sink, trace) = Sink::memory();
/// # let _ = sink;
/// assert!(trace.bytes().is_empty());
/// let sink = Sink::writer(std::io::sink());
/// # let _ = sink;
/// ```
pub struct Sink(Target);

enum Target {
    Writer(Box<dyn Write + Send>),
    Path(PathBuf),
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Target::Writer(_) => f.write_str("Sink::writer"),
            Target::Path(path) => f.debug_tuple("Sink::path").field(path).finish(),
        }
    }
}

impl Sink {
    /// Anything that can be written to. It is flushed after each generation, and dropped on the
    /// sink's thread.
    ///
    /// After its first error (but for [`io::ErrorKind::Interrupted`] and
    /// [`io::ErrorKind::WouldBlock`], which are tried again) or panic it is not called again, since
    /// nobody can know how much of a generation it has taken.
    #[must_use]
    pub fn writer(writer: impl Write + Send + 'static) -> Self {
        Self(Target::Writer(Box::new(writer)))
    }

    /// A file.
    ///
    /// It bears its name from the start of the trace, so that it is there after a crash. An older
    /// file of that name is replaced in one step, not overwritten: whoever reads it goes on reading
    /// it, and two traces that are told the same name do not mix. What is there and is no regular
    /// file (a pipe, a terminal, a device) is written to as it is.
    ///
    /// The file always ends with a whole generation: when one cannot be written, because the disk is
    /// full, its beginning is cut off again, and the next generation is tried.
    #[must_use]
    pub fn path(path: impl AsRef<Path>) -> Self {
        Self(Target::Path(path.as_ref().to_path_buf()))
    }

    /// Memory, which grows with the trace; for tests and short traces.
    #[must_use]
    pub fn memory() -> (Self, Memory) {
        let memory = Memory::default();
        (Self::writer(memory.clone()), memory)
    }

    /// The file that it is, if it is one.
    pub(crate) fn file(&self) -> Option<&Path> {
        match &self.0 {
            Target::Writer(_) => None,
            Target::Path(path) => Some(path),
        }
    }

    /// Opens what has to be opened.
    fn open(self) -> Result<Box<dyn Output>, SinkErrorKind> {
        match self.0 {
            Target::Writer(writer) => Ok(Box::new(file::Once(writer))),
            Target::Path(path) => {
                file::open(&path).map_err(|error| SinkErrorKind::Open { path, error })
            }
        }
    }
}

/// Something that takes whole generations.
trait Output: Send {
    /// Writes all of `parts`, and leaves what was there before if it cannot.
    fn write(&mut self, parts: &[&[u8]]) -> io::Result<()>;

    /// Whether another try may do better after an error.
    fn recovers(&self) -> bool;
}

/// How much a sink may hold up, in memory and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Bytes of finished generations that may wait for the sink, that which is being written
    /// included. With 0, nothing is ever written but the news of its loss.
    pub max_memory: usize,
    /// How long the end of a trace waits for the sink to write what is left.
    pub patience: Duration,
}

impl Default for Settings {
    /// 64 MiB and five seconds.
    fn default() -> Self {
        Self {
            max_memory: 64 << 20,
            patience: Duration::from_secs(5),
        }
    }
}
