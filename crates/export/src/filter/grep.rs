//! Events whose text matches a regular expression.

use core::{fmt, str::FromStr};

use exectrace_reader::{
    Event, EventKind, Generation, Log, RangeKind, Stack, StateTransition, Text,
};
use regex::bytes::Regex;

/// A regular expression over the texts of an event: functions and files of its stacks, reasons,
/// names, types, labels, categories and messages. Each text is searched for itself.
///
/// Patterns are those of the `regex` crate, without look-around and back-references, so that a
/// search is linear in the text; texts need not be UTF-8.
#[derive(Clone, Debug)]
pub struct Grep {
    pattern: Regex,
    generation: Option<Generation>,
    /// By stack id; bounded, see `MAX_ID`.
    verdicts: Vec<Verdict>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Unknown,
    No,
    Yes,
}

/// Stacks with an id from here on are searched each time; real ids are dense and far smaller.
const MAX_ID: usize = 1 << 20;

impl Grep {
    /// Forgets what it knows of the stacks of a generation.
    pub(crate) fn forget_stacks(&mut self) {
        self.generation = None;
        self.verdicts.clear();
    }

    pub(crate) fn matches(&mut self, event: &Event<'_>, kind: &EventKind<'_>) -> bool {
        self.matches_kind(kind) || event.stack().is_some_and(|stack| self.matches_stack(stack))
    }

    fn matches_kind(&mut self, kind: &EventKind<'_>) -> bool {
        match kind {
            // They have no text, not even one that an empty pattern would match.
            EventKind::Sync(_)
            | EventKind::StackSample
            | EventKind::StateTransition(StateTransition::Proc { .. }) => false,
            EventKind::Metric(metric) => self.is_match(Text::from(metric.kind.name())),
            EventKind::Label(label) => self.is_match(label.label),
            EventKind::RangeBegin(range) | EventKind::RangeActive(range) => {
                self.matches_range(range.kind)
            }
            EventKind::RangeEnd(end) => self.matches_range(end.range.kind),
            EventKind::TaskBegin(task) | EventKind::TaskEnd(task) => self.is_match(task.kind),
            EventKind::RegionBegin(region) | EventKind::RegionEnd(region) => {
                self.is_match(region.name)
            }
            EventKind::Log(Log {
                category, message, ..
            }) => self.is_match(*category) || self.is_match(*message),
            EventKind::StateTransition(StateTransition::Goroutine { reason, stack, .. }) => {
                self.is_match(*reason) || stack.is_some_and(|stack| self.matches_stack(stack))
            }
            EventKind::Experimental(experimental) => self.is_match(Text::from(experimental.name())),
        }
    }

    fn matches_range(&self, kind: RangeKind<'_>) -> bool {
        match kind {
            // The name has a text of the trace in it, which need not be UTF-8.
            RangeKind::StopTheWorld { reason } => {
                let name = [b"stop-the-world (", reason.as_bytes(), b")"].concat();
                self.pattern.is_match(&name)
            }
            kind => self.pattern.is_match(kind.to_string().as_bytes()),
        }
    }

    fn matches_stack(&mut self, stack: Stack<'_>) -> bool {
        if self.generation != Some(stack.generation()) {
            self.forget_stacks();
            self.generation = Some(stack.generation());
        }
        let id = usize::try_from(stack.id()).unwrap_or(usize::MAX);
        match self.verdicts.get(id) {
            Some(Verdict::Yes) => return true,
            Some(Verdict::No) => return false,
            Some(Verdict::Unknown) | None => {}
        }
        let found = stack
            .frames()
            .any(|frame| self.is_match(frame.function) || self.is_match(frame.file));
        if id < MAX_ID {
            if self.verdicts.len() <= id {
                self.verdicts.resize(id + 1, Verdict::Unknown);
            }
            self.verdicts[id] = if found { Verdict::Yes } else { Verdict::No };
        }
        found
    }

    /// An event that has no reason, say, has an empty one here: that is no text to search.
    fn is_match(&self, text: Text<'_>) -> bool {
        !text.is_empty() && self.pattern.is_match(text.as_bytes())
    }
}

impl FromStr for Grep {
    type Err = GrepError;

    fn from_str(pattern: &str) -> Result<Self, Self::Err> {
        Ok(Self {
            pattern: Regex::new(pattern).map_err(GrepError)?,
            generation: None,
            verdicts: Vec::new(),
        })
    }
}

/// A pattern that is no regular expression.
#[derive(Clone, Debug)]
pub struct GrepError(regex::Error);

impl fmt::Display for GrepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The crate's text shows the pattern with a mark below the mistake.
        write!(
            f,
            "{}; put a backslash before a character that stands for itself",
            self.0
        )
    }
}

impl std::error::Error for GrepError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}
