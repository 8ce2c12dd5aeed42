//! The file header and the versions that it can name.

use core::fmt;

/// Bytes of the file header.
pub const HEADER_LEN: usize = 16;

/// A version of the format that a header can name.
///
/// The name is that of the Go release which introduced it; later releases go on writing it until
/// the format changes again (Go 1.27 writes [`Version::Go126`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Version {
    /// Go 1.5 and 1.6, v1 family.
    Go105,
    /// Go 1.7, v1 family.
    Go107,
    /// Go 1.8, v1 family.
    Go108,
    /// Go 1.9, v1 family.
    Go109,
    /// Go 1.10, v1 family.
    Go110,
    /// Go 1.11 to 1.18, v1 family.
    Go111,
    /// Go 1.19 and 1.20, v1 family.
    Go119,
    /// Go 1.21, v1 family.
    Go121,
    /// Go 1.22, v2 family.
    Go122,
    /// Go 1.23 and 1.24, v2 family: experiments, coroutine switches.
    Go123,
    /// Go 1.25, v2 family: clock snapshots in a sync batch.
    Go125,
    /// Go 1.26 and 1.27, v2 family: in-band end of generation.
    Go126,
}

/// The two families of formats, which share nothing but the shape of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Go 1.5 to 1.21: per-proc batches, no generations.
    V1,
    /// Go 1.22 and later: per-thread batches in self-contained generations.
    V2,
}

const VERSIONS: [(u8, Version); 12] = [
    (5, Version::Go105),
    (7, Version::Go107),
    (8, Version::Go108),
    (9, Version::Go109),
    (10, Version::Go110),
    (11, Version::Go111),
    (19, Version::Go119),
    (21, Version::Go121),
    (22, Version::Go122),
    (23, Version::Go123),
    (25, Version::Go125),
    (26, Version::Go126),
];

impl Version {
    /// The versions of the v2 family, oldest first.
    pub const V2: [Self; 4] = [Self::Go122, Self::Go123, Self::Go125, Self::Go126];

    /// The N of `go 1.N trace`.
    #[must_use]
    pub const fn minor(self) -> u8 {
        VERSIONS[self as usize].0
    }

    /// The version that `go 1.N trace` names, if there is one.
    #[must_use]
    pub fn from_minor(minor: u64) -> Option<Self> {
        VERSIONS
            .iter()
            .find(|(n, _)| u64::from(*n) == minor)
            .map(|(_, version)| *version)
    }

    /// The family of the version.
    #[must_use]
    pub const fn family(self) -> Family {
        if self.minor() < 22 {
            Family::V1
        } else {
            Family::V2
        }
    }

    /// The 16 bytes that begin a trace of this version.
    #[must_use]
    pub fn header(self) -> [u8; HEADER_LEN] {
        let mut header = [0; HEADER_LEN];
        header[..5].copy_from_slice(b"go 1.");
        let mut at = 5;
        let minor = self.minor();
        if minor >= 10 {
            header[at] = b'0' + minor / 10;
            at += 1;
        }
        header[at] = b'0' + minor % 10;
        header[at + 1..at + 7].copy_from_slice(b" trace");
        header
    }

    /// Whether each generation carries a clock snapshot in a sync batch, at its start.
    #[must_use]
    pub const fn has_clock_snapshot(self) -> bool {
        self.minor() >= 25
    }

    /// Whether a generation ends with an in-band record instead of with the next generation.
    #[must_use]
    pub const fn has_end_of_generation(self) -> bool {
        self.minor() >= 26
    }
}

const _: () = {
    let mut i = 0;
    while i < VERSIONS.len() {
        assert!(
            VERSIONS[i].1 as usize == i,
            "VERSIONS must be in the order of the enum"
        );
        i += 1;
    }
};

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.minor())
    }
}

/// Why the first 16 bytes are not a header that this crate knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderError {
    /// Fewer than 16 bytes; the count is how many there were.
    Short(usize),
    /// The bytes do not have the form `go 1.N trace`.
    NotATrace,
    /// The form is right, but no Go release wrote this N.
    UnknownVersion(u64),
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short(0) => write!(
                f,
                "the input is empty, expected the 16-byte header `go 1.N trace`; \
                 was the program killed before it wrote anything?"
            ),
            Self::Short(n) => write!(
                f,
                "the input ends after {n} bytes, inside the 16-byte header `go 1.N trace`; \
                 record the trace again"
            ),
            Self::NotATrace => write!(
                f,
                "not a Go execution trace: expected it to begin with `go 1.N trace`; \
                 check that the file is not a pprof profile, a text dump or an HTML error page"
            ),
            Self::UnknownVersion(n) => write!(
                f,
                "unknown trace version 1.{n}: known are 1.5, 1.7 to 1.11, 1.19, 1.21, 1.22, 1.23, \
                 1.25 and 1.26; a newer version of this tool may read it"
            ),
        }
    }
}

impl core::error::Error for HeaderError {}

/// Parses the header at the start of `bytes`.
///
/// The match is strict: exactly `go 1.N trace`, no leading zeros, padded with NUL to 16 bytes.
///
/// # Errors
///
/// [`HeaderError`] says which of the three things is wrong.
pub fn parse_header(bytes: &[u8]) -> Result<Version, HeaderError> {
    let Some(header) = bytes.first_chunk::<HEADER_LEN>() else {
        let full = *b"go 1.";
        let n = bytes.len().min(full.len());
        return Err(if bytes[..n] == full[..n] {
            HeaderError::Short(bytes.len())
        } else {
            HeaderError::NotATrace
        });
    };
    let rest = header
        .strip_prefix(b"go 1.")
        .ok_or(HeaderError::NotATrace)?;
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let tail = rest[digits..]
        .strip_prefix(b" trace")
        .ok_or(HeaderError::NotATrace)?;
    if digits == 0 || rest[0] == b'0' || tail.iter().any(|b| *b != 0) {
        return Err(HeaderError::NotATrace);
    }
    let minor = rest[..digits]
        .iter()
        .fold(0, |n, b| n * 10 + u64::from(b - b'0'));
    Version::from_minor(minor).ok_or(HeaderError::UnknownVersion(minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip() {
        for (_, version) in VERSIONS {
            assert_eq!(parse_header(&version.header()), Ok(version));
        }
    }

    #[test]
    fn header_is_spelled_as_go_spells_it() {
        assert_eq!(&Version::Go126.header(), b"go 1.26 trace\0\0\0");
        assert_eq!(&Version::Go105.header(), b"go 1.5 trace\0\0\0\0");
    }

    #[test]
    fn wrong_headers_are_told_apart() {
        assert_eq!(parse_header(b""), Err(HeaderError::Short(0)));
        assert_eq!(parse_header(b"go 1.2"), Err(HeaderError::Short(6)));
        assert_eq!(parse_header(b"hello"), Err(HeaderError::NotATrace));
        assert_eq!(
            parse_header(b"go 1.26 trace\0\0x"),
            Err(HeaderError::NotATrace)
        );
        assert_eq!(
            parse_header(b"go 1.027 trace\0\0"),
            Err(HeaderError::NotATrace)
        );
        assert_eq!(
            parse_header(b"go 1.27 trace\0\0\0"),
            Err(HeaderError::UnknownVersion(27))
        );
    }
}
