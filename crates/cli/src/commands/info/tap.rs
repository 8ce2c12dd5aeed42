//! Lets the footprint see every byte that the reader reads, and the rest of them afterwards.

use std::{
    io::{self, Read},
    sync::{Arc, Mutex},
};

use super::footprint::Footprint;

struct Tapped {
    source: Box<dyn Read + Send>,
    footprint: Footprint,
}

/// The source of the reader.
pub(super) struct Tap(Arc<Mutex<Tapped>>);

/// What is left when the reader is gone.
pub(super) struct Rest(Arc<Mutex<Tapped>>);

/// Splits a source into what the reader reads and what remains for us.
pub(super) fn tap(source: Box<dyn Read + Send>) -> (Tap, Rest) {
    let tapped = Arc::new(Mutex::new(Tapped {
        source,
        footprint: Footprint::new(),
    }));
    (Tap(Arc::clone(&tapped)), Rest(tapped))
}

impl Tapped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(buffer)?;
        self.footprint.push(&buffer[..n]);
        Ok(n)
    }
}

impl Read for Tap {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .read(buffer)
    }
}

impl Rest {
    /// Reads what the reader did not want, after an error, and yields the counts.
    ///
    /// The second value is why the source could not be read to its end.
    pub(super) fn drain(self) -> (Footprint, Option<io::Error>) {
        let mut tapped = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut buffer = vec![0; 256 * 1024];
        let error = loop {
            match tapped.read(&mut buffer) {
                Ok(0) => break None,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Some(error),
            }
        };
        let mut footprint = std::mem::replace(&mut tapped.footprint, Footprint::new());
        footprint.finish();
        (footprint, error)
    }
}
