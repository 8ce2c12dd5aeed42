//! Where traces come from: files, standard input and running programs, compressed or not.

mod compression;
mod http;

use core::fmt;
use std::{
    ffi::OsStr,
    fs::File,
    io::{self, IsTerminal as _, Read, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

pub(crate) use compression::Compression;

use crate::{
    error::{Failure, io_reason},
    output::OutputFile,
    progress::{ByteCount, Progress},
    units,
};

/// Where a trace is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Standard input (`-`).
    Stdin,
    /// What a running program sends (`http://…`).
    Http(String),
    /// A file.
    File(PathBuf),
}

impl Source {
    /// Reads an argument. Files win over nothing: whoever has one named `-` says `./-`.
    pub(crate) fn from_arg(arg: &OsStr) -> Self {
        let has_scheme = |scheme: &str| {
            arg.to_str()
                .and_then(|arg| arg.get(..scheme.len()))
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        if arg == "-" {
            Self::Stdin
        } else if has_scheme("http://") || has_scheme("https://") {
            Self::Http(arg.to_string_lossy().into_owned())
        } else {
            Self::File(arg.into())
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("standard input"),
            Self::Http(address) => f.write_str(address),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// An open source.
pub(crate) struct Input {
    /// The trace, decompressed.
    pub(crate) bytes: Box<dyn Read + Send>,
    /// How it is compressed.
    pub(crate) compression: Option<Compression>,
    /// Bytes read so far as they are stored, compressed or not.
    pub(crate) stored: ByteCount,
    /// How many bytes that will be in the end, if known.
    pub(crate) total: Option<u64>,
    /// Why decompression ended early, if it did and that is tolerated.
    pub(crate) cut: Cut,
}

/// A note from the thread that reads to the one that reports.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cut(Arc<Mutex<Option<String>>>);

impl Cut {
    fn set(&self, reason: String) {
        *self.0.lock().unwrap_or_else(|e| e.into_inner()) = Some(reason);
    }

    pub(crate) fn reason(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }
}

/// What to do with compressed data that is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnDamage {
    /// Fail.
    Fail,
    /// Take what there is for the whole and note it in [`Input::cut`].
    Tolerate,
}

/// What the source should hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// A trace.
    Binary,
    /// The text form of one.
    Text,
}

/// Opens a source. That of a running program takes as long as the program records.
///
/// # Errors
///
/// [`Failure::Open`], or [`Failure::Malformed`] if the first bytes show that this is no trace.
pub(crate) fn open(
    source: &Source,
    expected: Expected,
    on_damage: OnDamage,
    show_progress: bool,
) -> Result<Input, Failure> {
    let stored = ByteCount::default();
    let (raw, total): (Box<dyn Read + Send>, _) = match source {
        Source::Stdin => {
            if io::stdin().is_terminal() {
                return Err(Failure::open(
                    source,
                    "is the terminal; give the trace through a pipe or `<`, or name a file",
                ));
            }
            let (file, total) = stdin_file()
                .and_then(described)
                .map_err(|error| Failure::open(source, error))?;
            (Box::new(file), total)
        }
        Source::Http(address) => (http::get(address, show_progress)?, None),
        Source::File(path) => {
            let (file, total) = open_file(path).map_err(|reason| Failure::open(source, reason))?;
            (Box::new(file), total)
        }
    };
    let counted = Counted {
        inner: raw,
        count: stored.clone(),
    };
    let (start, rest) = peek(counted).map_err(|error| Failure::open(source, error))?;
    if let Some(advice) = compression::foreign(&start, expected) {
        return Err(Failure::Malformed {
            name: source.to_string(),
            reason: advice,
        });
    }
    let compression = Compression::of(&start);
    let whole = io::Cursor::new(start).chain(rest);
    let cut = Cut::default();
    let bytes = match compression {
        None => Box::new(whole),
        Some(compression) => compression.reader(whole, on_damage, cut.clone()),
    };
    Ok(Input {
        bytes,
        compression,
        stored,
        total,
        cut,
    })
}

fn open_file(path: &Path) -> Result<(File, Option<u64>), String> {
    let (file, total) = File::open(path)
        .and_then(described)
        .map_err(|error| io_reason(&error))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err("is a directory; name the trace in it".to_owned());
    }
    Ok((file, total))
}

/// A file and its length; that of a pipe or a device is 0 or meaningless.
fn described(file: File) -> io::Result<(File, Option<u64>)> {
    let metadata = file.metadata()?;
    Ok((file, metadata.is_file().then_some(metadata.len())))
}

/// Standard input as a plain file, which can go to another thread.
fn stdin_file() -> io::Result<File> {
    #[cfg(unix)]
    let own = std::os::fd::AsFd::as_fd(&io::stdin()).try_clone_to_owned()?;
    #[cfg(windows)]
    let own = std::os::windows::io::AsHandle::as_handle(&io::stdin()).try_clone_to_owned()?;
    Ok(own.into())
}

/// Records what a running program sends, in a file.
///
/// # Errors
///
/// As of [`open`], and if the file cannot be written. When the connection breaks, what came is
/// kept under the file's name with `.partial` added.
pub(crate) fn record(address: &str, path: &Path, show_progress: bool) -> Result<(), Failure> {
    let mut body = http::get(address, show_progress)?;
    let mut file = OutputFile::create(path)?;
    let received = ByteCount::default();
    let progress = Progress::start(show_progress, "receiving", received.clone(), None);
    let mut buffer = vec![0; 64 * 1024];
    let broken = loop {
        match body.read(&mut buffer) {
            Ok(0) => break None,
            Ok(n) => {
                received.add(n);
                file.write_all(&buffer[..n])
                    .map_err(|error| Failure::output(path.display(), error))?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Some(error),
        }
    };
    drop(progress);
    let failed = |error| Failure::output(path.display(), error);
    let Some(error) = broken else {
        return file.commit().map_err(failed);
    };
    let size = units::bytes(received.get());
    let partial = file.commit_partial().map_err(failed)?;
    Err(Failure::open(
        address,
        format!(
            "the connection broke after {size}: {error}; what came is in {}, read it with --salvage",
            partial.display()
        ),
    ))
}

/// Reads enough of the start to recognize what it is.
fn peek<R: Read>(mut source: R) -> io::Result<(Vec<u8>, R)> {
    let mut start = Vec::with_capacity(compression::LONGEST_MAGIC);
    source
        .by_ref()
        .take(compression::LONGEST_MAGIC as u64)
        .read_to_end(&mut start)?;
    Ok((start, source))
}

struct Counted<R> {
    inner: R,
    count: ByteCount,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.count.add(n);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_told_apart() {
        let source = |arg: &str| Source::from_arg(OsStr::new(arg));
        assert_eq!(source("-"), Source::Stdin);
        assert_eq!(source("./-"), Source::File("./-".into()));
        assert_eq!(source("http"), Source::File("http".into()));
        assert_eq!(source("HTTP://x/"), Source::Http("HTTP://x/".to_owned()));
        assert_eq!(source("https://x/"), Source::Http("https://x/".to_owned()));
    }
}
