//! Where results go: standard output, or a file that appears when it is complete.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver, SyncSender},
    thread::JoinHandle,
};

use crate::error::Failure;

/// How messages call standard output.
pub(crate) const STDOUT: &str = "standard output";

/// Standard output as a plain file: [`io::Stdout`] would look for line ends in every write.
fn stdout_file() -> io::Result<File> {
    #[cfg(unix)]
    let own = std::os::fd::AsFd::as_fd(&io::stdout()).try_clone_to_owned()?;
    #[cfg(windows)]
    let own = std::os::windows::io::AsHandle::as_handle(&io::stdout()).try_clone_to_owned()?;
    Ok(own.into())
}

/// Writes a result that is complete to standard output.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

/// As [`print`], of bytes.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    stdout_file()
        .and_then(|mut file| file.write_all(bytes))
        .map_err(|error| Failure::output(STDOUT, error))
}

/// A large buffer that a second thread writes while the next one fills.
///
/// MUST be [finished](Self::finish), otherwise what is still buffered is lost.
#[derive(Debug)]
pub(crate) struct Pipelined {
    buffer: Vec<u8>,
    /// `None` once writing has failed.
    full: Option<SyncSender<Vec<u8>>>,
    empty: Receiver<Vec<u8>>,
    writer: Option<JoinHandle<io::Result<()>>>,
}

const BUFFER: usize = 256 * 1024;
/// Full buffers that may wait; with the one that fills and the one that is written, 1 MiB in all.
const IN_FLIGHT: usize = 2;

/// An event's text rarely outgrows the room past the mark at which buffers are handed over.
fn with_room() -> Vec<u8> {
    Vec::with_capacity(BUFFER + 16 * 1024)
}

impl Pipelined {
    pub(crate) fn new(mut sink: impl Write + Send + 'static) -> Self {
        let (full, to_write) = mpsc::sync_channel::<Vec<u8>>(IN_FLIGHT);
        let (give_back, empty) = mpsc::channel();
        let writer = std::thread::spawn(move || {
            for mut buffer in to_write {
                sink.write_all(&buffer)?;
                buffer.clear();
                // The other side is gone when it has nothing more to write.
                let _ = give_back.send(buffer);
            }
            sink.flush()
        });
        Self {
            buffer: with_room(),
            full: Some(full),
            empty,
            writer: Some(writer),
        }
    }

    pub(crate) fn stdout() -> Result<Self, Failure> {
        match stdout_file() {
            Ok(file) => Ok(Self::new(file)),
            Err(error) => Err(Failure::output(STDOUT, error)),
        }
    }

    /// The buffer, to append to; then [`pass_on`](Self::pass_on) MUST be called, otherwise it
    /// grows without bounds.
    #[inline]
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Hands the buffer over if it is full.
    #[inline]
    pub(crate) fn pass_on(&mut self) -> io::Result<()> {
        if self.buffer.len() >= BUFFER {
            self.hand_over()?;
        }
        Ok(())
    }

    /// Writes what is left and waits until all is written.
    ///
    /// # Errors
    ///
    /// The first error of the sink.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.hand_over()?;
        self.join()
    }

    #[cold]
    fn hand_over(&mut self) -> io::Result<()> {
        let next = self.empty.try_recv().unwrap_or_else(|_| with_room());
        let full = std::mem::replace(&mut self.buffer, next);
        match &self.full {
            Some(sender) if sender.send(full).is_ok() => Ok(()),
            // The writer has stopped: say why.
            _ => self.join().and(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn join(&mut self) -> io::Result<()> {
        drop(self.full.take());
        match self.writer.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(io::Error::other("the writing thread panicked")),
        }
    }
}

/// A file that is written under another name beside and gets its own when it is complete, so that
/// nobody ever finds half a file under that name.
///
/// Devices and pipes are written directly.
#[derive(Debug)]
pub(crate) struct OutputFile {
    file: File,
    staging: Option<Staging>,
}

#[derive(Debug)]
struct Staging {
    temporary: PathBuf,
    target: PathBuf,
}

impl OutputFile {
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        Self::try_create(path).map_err(|error| Failure::output(path.display(), error))
    }

    fn try_create(path: &Path) -> io::Result<Self> {
        let existing = match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(metadata) if !metadata.is_file() => {
                let file = OpenOptions::new().write(true).open(path)?;
                return Ok(Self {
                    file,
                    staging: None,
                });
            }
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        // Where the name is a link, the file that it points to is replaced, not the link.
        let target = match &existing {
            Some(_) => fs::canonicalize(path)?,
            None => path.to_owned(),
        };
        let (file, temporary) = create_beside(&target)?;
        if let Some(metadata) = existing {
            file.set_permissions(metadata.permissions())?;
        }
        Ok(Self {
            file,
            staging: Some(Staging { temporary, target }),
        })
    }

    /// Gives the file its name.
    pub(crate) fn commit(mut self) -> io::Result<()> {
        if let Some(staging) = &self.staging {
            // Otherwise a crash soon after could leave the name with no data behind it.
            self.file.sync_all()?;
            fs::rename(&staging.temporary, &staging.target)?;
            self.staging = None;
        }
        Ok(())
    }
}

impl OutputFile {
    /// Gives the file its name with `.partial` added, which says that it is not whole.
    pub(crate) fn commit_partial(mut self) -> io::Result<PathBuf> {
        let Some(staging) = &mut self.staging else {
            // A device has what was written; there is no name to give.
            return Ok(PathBuf::from("the device"));
        };
        let mut name = staging.target.clone().into_os_string();
        name.push(".partial");
        staging.target = name.into();
        let target = staging.target.clone();
        self.commit()?;
        Ok(target)
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if let Some(staging) = &self.staging {
            // Nothing can be done if it stays; it is hidden and names its purpose.
            let _ = fs::remove_file(&staging.temporary);
        }
    }
}

fn create_beside(target: &Path) -> io::Result<(File, PathBuf)> {
    let name = target
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not the name of a file"))?;
    for attempt in 0.. {
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}-{attempt}.partial", std::process::id()));
        let temporary = target.with_file_name(hidden);
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
        {
            Ok(file) => return Ok((file, temporary)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 100 => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Short writes are legal and must not lose anything.
            let n = bytes.len().min(1000);
            self.0.lock().unwrap().extend_from_slice(&bytes[..n]);
            Ok(n)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn everything_arrives_in_order() {
        let sink = Shared::default();
        let mut out = Pipelined::new(sink.clone());
        let mut expected = Vec::new();
        for i in 0..400_000_u32 {
            write!(out.buffer(), "{i},").unwrap();
            out.pass_on().unwrap();
            write!(expected, "{i},").unwrap();
        }
        out.finish().unwrap();
        assert!(*sink.0.lock().unwrap() == expected);
    }

    #[test]
    fn an_error_of_the_sink_reaches_whoever_writes() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut out = Pipelined::new(Full);
        let error = loop {
            out.buffer().extend_from_slice(&[0; 1000]);
            if let Err(error) = out.pass_on() {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);

        let mut short = Pipelined::new(Full);
        short.buffer().push(b'x');
        assert_eq!(
            short.finish().unwrap_err().kind(),
            io::ErrorKind::StorageFull
        );
    }
}
