//! Which part of a trace an analysis is about.

use core::{convert::Infallible, str::FromStr};

use exectrace_reader::GoroutineId;

use crate::{
    ids::GoroutineIx,
    span::{Seen, Span},
    store::Store,
    symbols::Symbols,
};

/// Restricts an analysis. A restriction that is empty lets everything pass; of several values of
/// one, any will do; all must hold.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only what happened in this time. What lasts longer counts as far as it lies in it.
    pub window: Option<Span>,
    /// Only these goroutines.
    pub goroutines: Vec<GoroutineId>,
    /// Only goroutines that began with one of these functions.
    pub functions: Vec<FunctionPattern>,
}

impl Selection {
    /// The goroutines that are selected and lived in the window.
    pub fn goroutines(&self, store: &Store) -> impl Iterator<Item = GoroutineIx> + use<'_> {
        let functions = self.functions_of(store.symbols());
        let chosen: Vec<GoroutineIx> = store
            .goroutine_indices()
            .filter(|index| {
                let goroutine = store.goroutine(*index);
                let by_function = || match goroutine.function {
                    Some(function) => functions[function.index()],
                    None => self.functions.iter().any(FunctionPattern::matches_unknown),
                };
                (self.goroutines.is_empty() || self.goroutines.contains(&goroutine.id))
                    && (self.functions.is_empty() || by_function())
                    && self.touches(goroutine.seen.span)
            })
            .collect();
        chosen.into_iter()
    }

    /// Whether some goroutines may be left out, whenever they lived.
    #[must_use]
    pub fn restricts_goroutines(&self) -> bool {
        !self.goroutines.is_empty() || !self.functions.is_empty()
    }

    /// Whether each string is the name of a selected function.
    fn functions_of(&self, symbols: &Symbols) -> Vec<bool> {
        if self.functions.is_empty() {
            return Vec::new();
        }
        symbols
            .strings()
            .map(|name| {
                self.functions
                    .iter()
                    .any(|pattern| pattern.matches(&name.to_string_lossy()))
            })
            .collect()
    }

    /// Whether any of it lies in the window.
    #[must_use]
    pub fn touches(&self, span: Span) -> bool {
        self.window.is_none_or(|window| {
            span.start < window.end && (window.start < span.end || window.contains(span.start))
        })
    }

    /// The part that lies in the window: what begins before it or ends after it is open there.
    #[inline]
    #[must_use]
    pub fn clip(&self, seen: Seen) -> Seen {
        let Some(window) = self.window else {
            return seen;
        };
        let span = seen.span.clip(window);
        Seen {
            span,
            open_start: seen.open_start || span.start > seen.span.start,
            open_end: seen.open_end || span.end < seen.span.end,
        }
    }
}

/// Which functions: those whose names contain a text, or, of a text that begins with `=`, the one
/// that has exactly the name that follows.
///
/// ```
/// use exectrace_analysis::FunctionPattern;
///
/// let handlers: FunctionPattern = "net/http.(*conn)".parse()?;
/// assert!(handlers.matches("net/http.(*conn).serve"));
/// let only: FunctionPattern = "=main.run".parse()?;
/// assert!(only.matches("main.run") && !only.matches("main.runner"));
/// # Ok::<(), core::convert::Infallible>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FunctionPattern {
    /// The name contains this.
    Contains(String),
    /// The name is this.
    Exactly(String),
}

impl FunctionPattern {
    /// Whether a function's name fits.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Contains(text) => name.contains(text.as_str()),
            Self::Exactly(text) => name == text,
        }
    }

    /// Whether it means goroutines of which no function is known: the empty name.
    fn matches_unknown(&self) -> bool {
        match self {
            Self::Contains(text) | Self::Exactly(text) => text.is_empty(),
        }
    }
}

impl FromStr for FunctionPattern {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.strip_prefix('=') {
            Some(name) => Self::Exactly(name.to_owned()),
            None => Self::Contains(text.to_owned()),
        })
    }
}
