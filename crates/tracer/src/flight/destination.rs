//! Where triggers write snapshots to.

use std::{
    ffi::OsString,
    fmt, fs, io,
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Opens a writer for the snapshot of a number.
type Open = dyn Fn(u64) -> io::Result<Box<dyn Write>> + Send + Sync;

/// Where a trigger writes its snapshots, how many at most, and how soon after each other: what
/// triggers one is likely to come again at once.
pub struct Destination {
    open: Box<Open>,
    at_most: u64,
    apart: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    opened: u64,
    last: Option<Instant>,
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destination")
            .field("at_most", &self.at_most)
            .field("apart", &self.apart)
            .finish_non_exhaustive()
    }
}

impl Destination {
    /// Files: the first has the given path, the others `-2`, `-3` and so on before the extension.
    /// Ten at most, ten seconds apart at least, unless told otherwise. Older files are replaced.
    #[must_use]
    pub fn path(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_path_buf();
        Self::writers(move |number| {
            let file = fs::File::create(numbered(&path, number))?;
            Ok(Box::new(file))
        })
    }

    /// Anything: `open` is given the number of the snapshot, from 1.
    #[must_use]
    pub fn writers(
        open: impl Fn(u64) -> io::Result<Box<dyn Write>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            open: Box::new(open),
            at_most: 10,
            apart: Duration::from_secs(10),
            state: Mutex::default(),
        }
    }

    /// How many snapshots are written at most.
    #[must_use]
    pub const fn at_most(mut self, snapshots: u64) -> Self {
        self.at_most = snapshots;
        self
    }

    /// How long after one the next may come.
    #[must_use]
    pub const fn apart(mut self, time: Duration) -> Self {
        self.apart = time;
        self
    }

    /// The next writer; none if it is too soon, or there were enough.
    pub(super) fn open(&self) -> Option<io::Result<Box<dyn Write>>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let too_soon = state.last.is_some_and(|last| last.elapsed() < self.apart);
        if state.opened >= self.at_most || too_soon {
            return None;
        }
        state.opened += 1;
        state.last = Some(Instant::now());
        let number = state.opened;
        drop(state);
        Some((self.open)(number))
    }
}

fn numbered(path: &Path, number: u64) -> PathBuf {
    if number <= 1 {
        return path.to_path_buf();
    }
    let mut name = path.file_stem().map_or_else(OsString::new, OsString::from);
    name.push(format!("-{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_numbered() {
        let path = Path::new("folder/app.trace");
        assert_eq!(numbered(path, 1), path);
        assert_eq!(numbered(path, 12), Path::new("folder/app-12.trace"));
        assert_eq!(numbered(Path::new("app"), 2), Path::new("app-2"));
    }

    #[test]
    fn writers_are_limited_in_number_and_time() {
        let opens = |destination: &Destination| {
            (0..5)
                .filter_map(|_| destination.open())
                .filter(Result::is_ok)
                .count()
        };
        let any = || Destination::writers(|_| Ok(Box::new(io::sink())));
        assert_eq!(opens(&any()), 1);
        assert_eq!(opens(&any().apart(Duration::ZERO).at_most(3)), 3);
        assert_eq!(opens(&any().apart(Duration::ZERO).at_most(0)), 0);
        let failing = Destination::writers(|_| Err(io::ErrorKind::NotFound.into()));
        assert!(failing.open().is_some_and(|writer| writer.is_err()));
    }
}
