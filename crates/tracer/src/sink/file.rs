//! Outputs: files, which can be cut back to the last whole generation, and all else, which cannot.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Seek as _, SeekFrom, Write},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use super::Output;

/// An output of which nothing can be taken back.
pub(super) struct Once(pub(super) Box<dyn Write + Send>);

impl Output for Once {
    fn write(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        for part in parts {
            write_all(&mut self.0, part)?;
        }
        retry(|| self.0.flush())
    }

    fn recovers(&self) -> bool {
        false
    }
}

/// A regular file.
struct Whole {
    file: File,
    /// Bytes of whole generations.
    length: u64,
}

impl Output for Whole {
    fn write(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        for part in parts {
            if let Err(error) = write_all(&mut self.file, part) {
                // Should this fail, too, the file ends in the middle of a generation, which readers
                // can tell.
                let _ = self.file.set_len(self.length);
                let _ = self.file.seek(SeekFrom::Start(self.length));
                return Err(error);
            }
        }
        self.length += parts.iter().map(|part| part.len() as u64).sum::<u64>();
        Ok(())
    }

    fn recovers(&self) -> bool {
        true
    }
}

/// As [`Write::write_all`], but an output that cannot take more right now is asked again.
fn write_all(output: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match retry(|| output.write(bytes))? {
            0 => return Err(ErrorKind::WriteZero.into()),
            n => bytes = bytes.get(n..).unwrap_or_default(),
        }
    }
    Ok(())
}

fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The thread has nothing else to do, and nobody waits for it without a limit.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(5));
            }
            result => return result,
        }
    }
}

/// Creates the file at `path`, or opens what is there if that is no regular file.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn Output>> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => {
            let file = OpenOptions::new().write(true).open(path)?;
            return Ok(Box::new(Once(Box::new(file))));
        }
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = create(path)?;
    Ok(Box::new(Whole { file, length: 0 }))
}

/// Creates an empty file and gives it its name in one step.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    static FILES: AtomicU64 = AtomicU64::new(0);
    // A symbolic link stays, and what it leads to is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let mut name = path.file_name().ok_or(ErrorKind::InvalidInput)?.to_owned();
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    name.push(format!(".{}-{number}.new", process::id()));
    let new: PathBuf = path.with_file_name(name);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&new)?;
    fs::rename(&new, &path).inspect_err(|_| {
        let _ = fs::remove_file(&new);
    })?;
    Ok(file)
}
