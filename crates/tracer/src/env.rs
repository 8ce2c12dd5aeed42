//! Tracing as the environment says: `EXECTRACE=out.trace[,flight][,seconds=N]`.

use std::{
    env, fmt, fs, io,
    path::PathBuf,
    str::FromStr,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    FlightRecorder, Session, SessionError,
    flight::{Destination, SnapshotError, StartError},
    sink::Sink,
    thread,
};

/// The variable.
const VARIABLE: &str = "EXECTRACE";

/// Starts what the variable `EXECTRACE` asks for; `None` if there is none or it is empty. Also gives the
/// calling thread a goroutine, with the label `main` unless the thread has a name.
///
/// | value | what is recorded |
/// |---|---|
/// | `out.trace` | everything, into this file, until the program ends |
/// | `out.trace,seconds=5` | the first five seconds |
/// | `out.trace,flight` | the last ten seconds: written when the guard is dropped, or when a thread panics |
/// | `out.trace,flight,seconds=30` | the last thirty seconds, of which 10 MiB at most |
///
/// The file's name cannot have commas.
///
/// ```
/// let _tracing = exectrace::init_from_env()?;
/// // ... the program ...
/// # Ok::<(), exectrace::InitError>(())
/// ```
///
/// # Errors
///
/// [`InitError`] if the value is none of these, or tracing cannot be started. A program may go on
/// without.
pub fn init_from_env() -> Result<Option<Tracing>, InitError> {
    let Some(value) = env::var_os(VARIABLE).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let value = value.into_string().map_err(|_| InitError::NotUnicode)?;
    Tracing::start(&value.parse()?).map(Some)
}

/// What `EXECTRACE` may say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// The file.
    pub path: PathBuf,
    /// Keep the end instead of the beginning.
    pub flight: bool,
    /// How long, if that is said.
    pub length: Option<Duration>,
}

/// Why nothing is traced.
#[derive(Debug)]
#[non_exhaustive]
pub enum InitError {
    /// The variable is no text.
    NotUnicode,
    /// There is no name of a file.
    NoPath,
    /// Neither `flight` nor `seconds=N`, or one of them twice.
    UnknownOption(String),
    /// Not a number of seconds above 0.
    BadSeconds(String),
    /// The session could not be started or did not end well.
    Session(SessionError),
    /// The flight recorder could not be started.
    Flight(StartError),
    /// The flight recorder's end could not be written.
    Snapshot(SnapshotError),
    /// The flight recorder's file could not be created.
    Create(PathBuf, io::Error),
    /// The thread that ends the trace in time could not be started.
    Timer(io::Error),
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SYNTAX: &str = "EXECTRACE=out.trace[,flight][,seconds=N]";
        match self {
            Self::NotUnicode => write!(f, "{VARIABLE} is not Unicode; set {SYNTAX}"),
            Self::NoPath => write!(f, "{VARIABLE} names no file; set {SYNTAX}"),
            Self::UnknownOption(option) => {
                write!(
                    f,
                    "{VARIABLE} has `{option}`, which means nothing or is there twice; set {SYNTAX}"
                )
            }
            Self::BadSeconds(text) => write!(
                f,
                "{VARIABLE} has seconds={text}, which is no number above 0 and up to a year; set {SYNTAX}"
            ),
            Self::Session(error) => error.fmt(f),
            Self::Flight(error) => error.fmt(f),
            Self::Snapshot(error) => error.fmt(f),
            Self::Create(path, error) => write!(
                f,
                "cannot create {}: {error}; name a file in a folder that can be written to",
                path.display()
            ),
            Self::Timer(error) => write!(f, "cannot start the thread that ends the trace: {error}"),
        }
    }
}

impl std::error::Error for InitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Session(error) => Some(error),
            Self::Flight(error) => Some(error),
            Self::Snapshot(error) => Some(error),
            Self::Create(_, error) | Self::Timer(error) => Some(error),
            _ => None,
        }
    }
}

impl FromStr for Request {
    type Err = InitError;

    fn from_str(text: &str) -> Result<Self, InitError> {
        const LONGEST: f64 = 366.0 * 24.0 * 3600.0;
        let mut parts = text.split(',');
        let path = parts.next().map(str::trim).unwrap_or_default();
        if path.is_empty() {
            return Err(InitError::NoPath);
        }
        let mut request = Self {
            path: path.into(),
            flight: false,
            length: None,
        };
        for option in parts {
            let option = option.trim();
            if let Some(text) = option.strip_prefix("seconds=")
                && request.length.is_none()
            {
                let seconds = text.parse().ok().filter(|s| *s > 0.0 && *s <= LONGEST);
                let length = seconds.and_then(|s| Duration::try_from_secs_f64(s).ok());
                let length = length.ok_or_else(|| InitError::BadSeconds(text.to_owned()))?;
                request.length = Some(length);
            } else if option == "flight" && !request.flight {
                request.flight = true;
            } else {
                return Err(InitError::UnknownOption(option.to_owned()));
            }
        }
        Ok(request)
    }
}

/// The trace that was asked for. It ends, and is written, when this is dropped or its time is over.
#[derive(Debug)]
#[must_use = "when it is dropped, the trace ends"]
pub struct Tracing(Kind);

#[derive(Debug)]
enum Kind {
    Session(Arc<Timed>),
    Flight(Option<FlightRecorder>, PathBuf),
}

/// A session that somebody ends: whoever is first.
#[derive(Debug)]
struct Timed {
    session: Mutex<Option<Session>>,
    ended: Condvar,
}

impl Timed {
    fn lock(&self) -> MutexGuard<'_, Option<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) -> Result<(), InitError> {
        let session = self.lock().take();
        self.ended.notify_all();
        let stopped = session.map(Session::stop).transpose();
        stopped.map(drop).map_err(InitError::Session)
    }

    /// Ends the session at its time, unless it has ended before.
    fn end_at(&self, deadline: Instant) {
        let mut session = self.lock();
        while session.is_some() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.ended.wait_timeout(session, left);
            (session, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        drop(session);
        // Nobody is there to be told. What is lost is in the trace, and in `stats`.
        let _ = self.end();
    }
}

impl Tracing {
    /// Starts what was asked for, as [`init_from_env`] does.
    ///
    /// # Errors
    ///
    /// [`InitError`].
    pub fn start(request: &Request) -> Result<Self, InitError> {
        let kind = if request.flight {
            Self::flight(request)?
        } else {
            Self::session(request)?
        };
        let current = thread::current();
        thread::register_current(current.name().unwrap_or("main"));
        Ok(Self(kind))
    }

    fn session(request: &Request) -> Result<Kind, InitError> {
        let session = Session::start(Sink::path(&request.path)).map_err(InitError::Session)?;
        let timed = Arc::new(Timed {
            session: Mutex::new(Some(session)),
            ended: Condvar::new(),
        });
        let deadline = request.length.and_then(|l| Instant::now().checked_add(l));
        if let Some(deadline) = deadline {
            let theirs = Arc::clone(&timed);
            std::thread::Builder::new()
                .name("exectrace-timer".to_owned())
                .spawn(move || theirs.end_at(deadline))
                .map_err(InitError::Timer)?;
        }
        Ok(Kind::Session(timed))
    }

    fn flight(request: &Request) -> Result<Kind, InitError> {
        let mut recorder = FlightRecorder::builder().on_panic(Destination::path(&request.path));
        if let Some(length) = request.length {
            recorder = recorder.min_age(length);
        }
        let recorder = recorder.start().map_err(InitError::Flight)?;
        Ok(Kind::Flight(Some(recorder), request.path.clone()))
    }

    /// Ends it.
    ///
    /// # Errors
    ///
    /// [`InitError`] if not all is in the trace.
    pub fn finish(mut self) -> Result<(), InitError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), InitError> {
        match &mut self.0 {
            Kind::Session(timed) => timed.end(),
            Kind::Flight(recorder, path) => {
                let Some(recorder) = recorder.take() else {
                    return Ok(());
                };
                // What led to a panic is worth more than the end, and is in the file already.
                if recorder.trigger_stats().written > 0 {
                    return Ok(());
                }
                let mut file = fs::File::create(&*path)
                    .map_err(|error| InitError::Create(path.clone(), error))?;
                let snapshot = recorder.snapshot(&mut file);
                snapshot.map(drop).map_err(InitError::Snapshot)
            }
        }
    }
}

impl Drop for Tracing {
    fn drop(&mut self) {
        // Nobody is there to be told. What is lost is in the trace, and in `stats`.
        let _ = self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_understood_or_refused() {
        let seconds = |n| Some(Duration::from_secs_f64(n));
        for (text, path, flight, length) in [
            ("out.trace", "out.trace", false, None),
            ("a b.trace,flight", "a b.trace", true, None),
            ("x,seconds=2.5", "x", false, seconds(2.5)),
            (" x , seconds=2 , flight ", "x", true, seconds(2.0)),
        ] {
            let expected = Request {
                path: path.into(),
                flight,
                length,
            };
            assert_eq!(text.parse::<Request>().unwrap(), expected, "{text}");
        }
        for (text, message) in [
            ("", "names no file"),
            (",flight", "names no file"),
            ("x,fright", "`fright`"),
            ("x,", "``"),
            ("x,flight,flight", "twice"),
            ("x,seconds=1,seconds=2", "twice"),
            ("x,seconds=", "seconds="),
            ("x,seconds=0", "above 0"),
            ("x,seconds=-1", "above 0"),
            ("x,seconds=NaN", "above 0"),
            ("x,seconds=inf", "above 0"),
            ("x,seconds=1e300", "up to a year"),
        ] {
            let error = text.parse::<Request>().unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
            assert!(error.contains("EXECTRACE="), "{error}");
        }
    }
}
