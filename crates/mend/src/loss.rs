//! How a trace says that a part of it was lost.

use core::fmt;

/// The category of the log with which a trace says that generations were lost. Its message is a
/// [`Loss`].
pub const LOSS_CATEGORY: &str = "exectrace: events lost";

/// What goroutines wait for while nobody knows what they do.
pub(crate) const LOSS_REASON: &str = "events lost";

/// Whole generations that a trace does not have.
///
/// ```
/// use exectrace_mend::Loss;
///
/// let loss = Loss { generations: 3, events: 1000, bytes: 65536, cause: "the disk is full".into() };
/// let message = loss.to_string();
/// assert_eq!(message, "generations=3 events=1000 bytes=65536: the disk is full");
/// assert_eq!(Loss::parse(&message), Some(loss));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// How many generations.
    pub generations: u64,
    /// How many events were in them.
    pub events: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Why they were lost, in words.
    pub cause: String,
}

impl Loss {
    /// Parses the message of a log of [`LOSS_CATEGORY`].
    #[must_use]
    pub fn parse(message: &str) -> Option<Self> {
        let (numbers, cause) = message.split_once(": ")?;
        let mut numbers = numbers.split(' ');
        let mut field = |name: &str| {
            let value = numbers.next()?.strip_prefix(name)?.strip_prefix('=')?;
            value.parse().ok()
        };
        Some(Self {
            generations: field("generations")?,
            events: field("events")?,
            bytes: field("bytes")?,
            cause: cause.to_owned(),
        })
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            generations,
            events,
            bytes,
            cause,
        } = self;
        write!(
            f,
            "generations={generations} events={events} bytes={bytes}: {cause}"
        )
    }
}
