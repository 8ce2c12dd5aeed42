//! A trace from its start to its end, into a sink.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

#[cfg(target_os = "linux")]
use crate::mapped::{self, MapError, MappedMemory};
use crate::{
    ControlError, Subscription, advance, crash,
    sink::{Settings, Sink, SinkError, SinkErrorKind, Stream, Written},
};

/// Records into a sink until it is stopped or dropped. There may be one at a time; flight recorders
/// may run beside it.
///
/// ```
/// use exectrace::{Session, sink::Sink};
///
/// let (sink, trace) = Sink::memory();
/// let session = Session::start(sink)?;
/// // ... what is to be traced ...
/// let written = session.stop()?;
/// assert_eq!(written.lost_generations, 0);
/// assert_eq!(written.bytes, trace.bytes().len() as u64);
/// # Ok::<(), exectrace::SessionError>(())
/// ```
#[derive(Debug)]
#[must_use = "when it is dropped, the trace ends"]
pub struct Session {
    subscription: Option<Subscription>,
    stream: Arc<Stream>,
    #[cfg(target_os = "linux")]
    memory: Option<MappedMemory>,
}

/// How a [`Session`] is to be; see [`Session::builder`].
#[derive(Clone, Debug, Default)]
#[must_use = "nothing happens before it is started"]
pub struct Builder {
    settings: Settings,
    #[cfg(target_os = "linux")]
    map: Option<(PathBuf, usize)>,
    signals: Option<bool>,
}

/// Why a session could not be started, or did not end well.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionError {
    /// Tracing could not be started or stopped.
    Control(ControlError),
    /// The sink could not be opened.
    Open(SinkErrorKind),
    /// The trace is not all there.
    Sink(SinkError),
    /// Trace memory could not be mapped.
    #[cfg(target_os = "linux")]
    Map(MapError),
    /// The file that trace memory was mapped to could not be removed.
    Remove {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Control(error) => error.fmt(f),
            Self::Open(error) => error.fmt(f),
            Self::Sink(error) => error.fmt(f),
            #[cfg(target_os = "linux")]
            Self::Map(error) => error.fmt(f),
            Self::Remove { path, error } => write!(
                f,
                "the trace is whole, but {} cannot be removed: {error}; remove it",
                path.display()
            ),
        }
    }
}

impl std::error::Error for SessionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Control(error) => Some(error),
            Self::Open(_) => None,
            Self::Sink(error) => Some(error),
            #[cfg(target_os = "linux")]
            Self::Map(error) => Some(error),
            Self::Remove { error, .. } => Some(error),
        }
    }
}

impl Builder {
    /// Bytes of finished generations that may wait for the sink; 64 MiB unless told otherwise.
    pub const fn max_memory(mut self, bytes: usize) -> Self {
        self.settings.max_memory = bytes;
        self
    }

    /// How long the end waits for the sink; five seconds unless told otherwise.
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.settings.patience = patience;
        self
    }

    /// Has all trace memory, up to `bytes`, in a file from now on, so that not even SIGKILL loses
    /// what was traced: see [`crate::mapped`]. The file is removed when the session has ended well.
    ///
    /// This MUST be the first that the process does with its trace memory, and can be done once.
    #[cfg(target_os = "linux")]
    pub fn map_memory(mut self, path: impl AsRef<Path>, bytes: usize) -> Self {
        self.map = Some((path.as_ref().to_path_buf(), bytes));
        self
    }

    /// Whether fatal signals and those that ask the process to end are caught, so that the trace has
    /// everything up to them: see [`crate::crash`]. They are unless told otherwise.
    pub const fn signals(mut self, caught: bool) -> Self {
        self.signals = Some(caught);
        self
    }

    /// Starts the trace.
    ///
    /// # Errors
    ///
    /// [`SessionError`]; nothing has been started then, but a file may have been created.
    pub fn start(self, sink: Sink) -> Result<Session, SessionError> {
        #[cfg(target_os = "linux")]
        let memory = self.map.map(|(path, bytes)| {
            mapped::install(&path, bytes, sink.file()).map_err(SessionError::Map)
        });
        #[cfg(target_os = "linux")]
        let memory = memory.transpose()?;
        let stream = Stream::start(sink, self.settings).map_err(SessionError::Open)?;
        let stream = Arc::new(stream);
        let subscription = Subscription::session(stream.clone()).map_err(SessionError::Control)?;
        crash::watch(&stream, self.signals.unwrap_or(true));
        Ok(Session {
            subscription: Some(subscription),
            stream,
            #[cfg(target_os = "linux")]
            memory,
        })
    }
}

impl Session {
    /// Starts a trace with the usual settings.
    ///
    /// # Errors
    ///
    /// As [`Builder::start`].
    pub fn start(sink: Sink) -> Result<Self, SessionError> {
        Self::builder().start(sink)
    }

    /// The usual settings, to be changed.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// How it goes.
    #[must_use]
    pub fn written(&self) -> Written {
        self.stream.written()
    }

    /// Ends the generation and waits until the sink has all up to now, at most so long. Whether it
    /// has.
    ///
    /// # Errors
    ///
    /// As [`advance`].
    pub fn flush(&self, patience: Duration) -> Result<bool, ControlError> {
        let deadline = Instant::now() + patience;
        advance()?;
        Ok(self.stream.drain(deadline))
    }

    /// Stops, and waits for the sink to take the rest.
    ///
    /// # Errors
    ///
    /// [`SessionError::Sink`] if not all is in the trace, with what is lost and why;
    /// [`SessionError::Control`] if it could not be stopped: then it goes on.
    pub fn stop(mut self) -> Result<Written, SessionError> {
        self.finish()
    }

    fn finish(&mut self) -> Result<Written, SessionError> {
        let Some(subscription) = self.subscription.take() else {
            return Ok(self.stream.written());
        };
        let ended = subscription.end();
        crash::forget(&self.stream);
        let finished = self.stream.finish();
        ended.map_err(SessionError::Control)?;
        let written = finished.map_err(SessionError::Sink)?;
        // What is not in the output may be in the mapped file: that stays after an error.
        #[cfg(target_os = "linux")]
        if let Some(memory) = self.memory.take() {
            memory.close().map_err(|error| SessionError::Remove {
                path: memory.path().to_path_buf(),
                error,
            })?;
        }
        Ok(written)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Nobody is there to be told. What is lost is in the trace, and in `stats`.
        let _ = self.finish();
    }
}
