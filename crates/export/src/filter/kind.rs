//! Kinds of events, as a user names them.

use core::{fmt, str::FromStr};

use exectrace_reader::{Event, EventKind, EventType, GoState, ProcState, StateTransition};

/// A kind of events. Parsed from one of, without regard to case:
///
/// * a kind of the model: `StateTransition`, `RangeBegin`, `Log`;
/// * an event of the format: `GoBlock`, `GCSweepBegin`, `UserLog`;
/// * a transition: `Goroutine:Running->Waiting`, `Proc:Idle->Running`, where `*` is any state.
///
/// Where a kind and an event of the format have the same name, it is the kind (`Sync`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KindFilter {
    /// All events of a kind of the model, by [`EventKind::name`].
    Kind(&'static str),
    /// All events that come from an event of the format.
    EventType(EventType),
    /// Transitions of goroutines; `None` is any state.
    Goroutine {
        /// The state before.
        from: Option<GoState>,
        /// The state after.
        to: Option<GoState>,
    },
    /// Transitions of procs; `None` is any state.
    Proc {
        /// The state before.
        from: Option<ProcState>,
        /// The state after.
        to: Option<ProcState>,
    },
}

/// The kinds of the model, by [`EventKind::name`].
const KINDS: [&str; 14] = [
    "Sync",
    "Metric",
    "Label",
    "StackSample",
    "RangeBegin",
    "RangeActive",
    "RangeEnd",
    "TaskBegin",
    "TaskEnd",
    "RegionBegin",
    "RegionEnd",
    "Log",
    "StateTransition",
    "Experimental",
];

impl KindFilter {
    /// Whether an event, whose kind is `kind`, is of this kind.
    #[must_use]
    pub fn matches(&self, event: &Event<'_>, kind: &EventKind<'_>) -> bool {
        match (*self, kind) {
            (Self::Kind(name), kind) => kind.name() == name,
            (Self::EventType(event_type), _) => event.event_type() == Some(event_type),
            (
                Self::Goroutine { from, to },
                EventKind::StateTransition(StateTransition::Goroutine {
                    from: before,
                    to: after,
                    ..
                }),
            ) => from.is_none_or(|state| state == *before) && to.is_none_or(|s| s == *after),
            (
                Self::Proc { from, to },
                EventKind::StateTransition(StateTransition::Proc {
                    from: before,
                    to: after,
                    ..
                }),
            ) => from.is_none_or(|state| state == *before) && to.is_none_or(|s| s == *after),
            (Self::Goroutine { .. } | Self::Proc { .. }, _) => false,
        }
    }
}

impl FromStr for KindFilter {
    type Err = KindFilterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some((resource, states)) = text.split_once(':') {
            return transition(resource, states).ok_or_else(|| KindFilterError {
                text: text.to_owned(),
                transition: true,
            });
        }
        if let Some(kind) = KINDS.iter().find(|kind| kind.eq_ignore_ascii_case(text)) {
            return Ok(Self::Kind(kind));
        }
        // Samples are not events of the format: there is a kind of theirs only.
        if text.eq_ignore_ascii_case(EventType::CPUSample.name()) {
            return Ok(Self::Kind("StackSample"));
        }
        exectrace_wire::SPECS
            .iter()
            .filter(|spec| spec.is_timed())
            .find(|spec| spec.name.eq_ignore_ascii_case(text))
            .map(|spec| Self::EventType(spec.event_type))
            .ok_or_else(|| KindFilterError {
                text: text.to_owned(),
                transition: false,
            })
    }
}

fn transition(resource: &str, states: &str) -> Option<KindFilter> {
    let (from, to) = states.split_once("->")?;
    if resource.eq_ignore_ascii_case("goroutine") {
        Some(KindFilter::Goroutine {
            from: state(GoState::ALL, from, GoState::name)?,
            to: state(GoState::ALL, to, GoState::name)?,
        })
    } else if resource.eq_ignore_ascii_case("proc") {
        Some(KindFilter::Proc {
            from: state(ProcState::ALL, from, ProcState::name)?,
            to: state(ProcState::ALL, to, ProcState::name)?,
        })
    } else {
        None
    }
}

/// The state of a name, `Some(None)` for any.
fn state<S: Copy>(all: &[S], text: &str, name: fn(S) -> &'static str) -> Option<Option<S>> {
    let text = text.trim();
    if text == "*" {
        return Some(None);
    }
    all.iter()
        .find(|state| name(**state).eq_ignore_ascii_case(text))
        .map(|state| Some(*state))
}

/// Text that names no kind of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindFilterError {
    text: String,
    transition: bool,
}

impl fmt::Display for KindFilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.text;
        if self.transition {
            write!(
                f,
                "expected a transition such as Goroutine:Running->Waiting, found {text:?}; \
                 a goroutine's states are"
            )?;
            list(f, GoState::ALL.iter().map(|state| state.name()))?;
            f.write_str("; a proc's are")?;
            list(f, ProcState::ALL.iter().map(|state| state.name()))?;
            f.write_str("; * is any")
        } else {
            write!(f, "expected a kind of events, found {text:?}; kinds are")?;
            list(f, KINDS.into_iter())?;
            f.write_str(
                "; an event of the format such as GoBlock or a transition such as \
                 Goroutine:Running->Waiting will do too",
            )
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, names: impl Iterator<Item = &'static str>) -> fmt::Result {
    for (at, name) in names.enumerate() {
        write!(f, "{} {name}", if at == 0 { "" } else { "," })?;
    }
    Ok(())
}

impl std::error::Error for KindFilterError {}
