//! Compressed traces, recognized by their first bytes and decompressed as they are read.
//!
//! Memory stays bounded whatever the data says: deflate's window is 32 KiB, and zstd frames that
//! want more than 128 MiB (the most that `zstd` itself accepts without being asked) are refused.

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{
    BlockDecodingStrategy, FrameDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};
use serde::Serialize;

use super::{Cut, Expected, OnDamage};
use crate::error::Corrupt;

/// How a trace is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Compression {
    Gzip,
    Zstd,
}

/// Bytes of a file that are needed to recognize it.
pub(super) const LONGEST_MAGIC: usize = 16;

const BUFFER: usize = 256 * 1024;

impl Compression {
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        match start {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            // A frame, or a skippable frame, which parallel compressors put first.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    pub(super) fn reader(
        self,
        compressed: impl Read + Send + 'static,
        on_damage: OnDamage,
        cut: Cut,
    ) -> Box<dyn Read + Send> {
        let compressed = BufReader::with_capacity(BUFFER, Marked(compressed));
        let inner: Box<dyn Read + Send> = match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(compressed)),
            Self::Zstd => Box::new(ZstdReader::new(compressed)),
        };
        Box::new(Decompressed {
            inner,
            compression: self,
            on_damage,
            cut,
            ended: false,
        })
    }
}

/// What to say about a file that is certainly neither a trace nor compressed in a way that we
/// read.
pub(super) fn foreign(start: &[u8], expected: Expected) -> Option<String> {
    let tool = match start {
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => "bzip2 -dc",
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => "xz -dc",
        [0x04, 0x22, 0x4d, 0x18, ..] => "lz4 -dc",
        [b'P', b'K', 3, 4, ..] => "unzip -p",
        _ if expected == Expected::Binary && start.starts_with(b"Trace Go1.") => {
            return Some(
                "a trace in text form, expected the binary form; `exectrace assemble` turns it \
                 into one"
                    .to_owned(),
            );
        }
        _ => return None,
    };
    Some(format!(
        "compressed in a way that is not read here; try `{tool} FILE | exectrace … -`"
    ))
}

/// Errors of the source below a decompressor, marked so that they can be told from its own.
struct Marked<R>(R);

#[derive(Debug)]
struct SourceError(io::Error);

impl std::fmt::Display for SourceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for SourceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl<R: Read> Read for Marked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            kind => io::Error::new(kind, SourceError(error)),
        })
    }
}

fn is_source_error(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<SourceError>() {
            return true;
        }
        // An io::Error's source() skips the error that it wraps.
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .map(|inner| inner as &(dyn std::error::Error + 'static));
        next = wrapped.or_else(|| error.source());
    }
    false
}

/// Turns a decompressor's errors into [`Corrupt`], or into the end where damage is tolerated.
struct Decompressed {
    inner: Box<dyn Read + Send>,
    compression: Compression,
    on_damage: OnDamage,
    cut: Cut,
    ended: bool,
}

impl Read for Decompressed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended {
            return Ok(0);
        }
        let error = match self.inner.read(buffer) {
            Ok(n) => return Ok(n),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => error,
        };
        if is_source_error(&error) {
            return Err(error);
        }
        let name = self.compression.name();
        let reason = if error.kind() == io::ErrorKind::UnexpectedEof {
            format!("the {name} data ends too early")
        } else {
            format!("the {name} data is damaged: {error}")
        };
        match self.on_damage {
            OnDamage::Fail => Err(io::Error::new(io::ErrorKind::InvalidData, Corrupt(reason))),
            OnDamage::Tolerate => {
                self.ended = true;
                self.cut.set(reason);
                Ok(0)
            }
        }
    }
}

/// Decompresses one zstd frame after the other, as `zstd -d` does.
struct ZstdReader<R> {
    source: R,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl<R: io::BufRead> ZstdReader<R> {
    fn new(source: R) -> Self {
        Self {
            source,
            decoder: FrameDecoder::new(),
            in_frame: false,
        }
    }

    /// Goes to the next frame with data; false at the end.
    fn next_frame(&mut self) -> io::Result<bool> {
        loop {
            if self.source.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let mut skipped = self.source.by_ref().take(u64::from(length));
                    if io::copy(&mut skipped, &mut io::sink())? < u64::from(length) {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(zstd_error(error)),
            }
        }
    }

    fn check_sum(&self) -> io::Result<()> {
        match self.decoder.get_checksum_from_data() {
            Some(stored) if self.decoder.get_calculated_checksum() != Some(stored) => {
                Err(io::Error::other("a frame's checksum is wrong"))
            }
            _ => Ok(()),
        }
    }
}

impl<R: io::BufRead> Read for ZstdReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.in_frame {
                if !self.next_frame()? {
                    return Ok(0);
                }
                self.in_frame = true;
            }
            let n = self.decoder.read(buffer)?;
            if n > 0 {
                return Ok(n);
            }
            if self.decoder.is_finished() {
                self.check_sum()?;
                self.in_frame = false;
                continue;
            }
            // One block at a time: the decoder then holds its window and one block, at most.
            self.decoder
                .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                .map_err(zstd_error)?;
        }
    }
}

/// Keeps the kind of the error at the bottom, which tells a cut from other damage.
fn zstd_error(error: FrameDecoderError) -> io::Error {
    let mut kind = io::ErrorKind::InvalidData;
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(cause) = next {
        if let Some(cause) = cause.downcast_ref::<io::Error>() {
            kind = cause.kind();
        }
        next = cause.source();
    }
    io::Error::new(kind, error)
}

#[cfg(test)]
mod tests;
