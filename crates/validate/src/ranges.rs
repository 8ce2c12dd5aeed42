//! Rules on ranges: begun once, ended once, and properly nested in their scope.

use std::{
    collections::HashMap,
    fmt::{self, Display},
    sync::Arc,
};

use exectrace_reader::{GoroutineId, ProcId, ProcState, Range, RangeEnd, RangeKind, Scope, Text};

use crate::report::{Findings, violation};

/// What happens in a range, for keeping.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Name {
    Mark,
    Sweep,
    Assist,
    Stop(Arc<[u8]>),
}

impl Name {
    fn of(kind: RangeKind<'_>) -> Self {
        match kind {
            RangeKind::GcConcurrentMark => Self::Mark,
            RangeKind::GcIncrementalSweep => Self::Sweep,
            RangeKind::GcMarkAssist => Self::Assist,
            RangeKind::StopTheWorld { reason } => Self::Stop(reason.as_bytes().into()),
        }
    }

    fn kind(&self) -> RangeKind<'_> {
        match self {
            Self::Mark => RangeKind::GcConcurrentMark,
            Self::Sweep => RangeKind::GcIncrementalSweep,
            Self::Assist => RangeKind::GcMarkAssist,
            Self::Stop(reason) => RangeKind::StopTheWorld {
                reason: Text::new(reason),
            },
        }
    }

    fn is_stop(&self) -> bool {
        matches!(self, Self::Stop(_))
    }
}

/// The open ranges.
#[derive(Debug, Default)]
pub(crate) struct Ranges {
    /// Each with the number that it got when it began, see [`Ranges::innermost`].
    open: HashMap<(Scope, Name), u64>,
    /// The ranges that began in a scope, innermost last. Those that are not open any more, or
    /// began again, are dropped when they come to be the last: so each costs constant time,
    /// whatever the order in which ranges end.
    nesting: HashMap<Scope, Vec<(Name, u64)>>,
    begun: u64,
    /// The number of open ranges that stop the world.
    stops: u64,
}

impl Ranges {
    /// The number of scopes with open ranges, or ranges that ended out of order.
    #[cfg(test)]
    pub(crate) fn live(&self) -> usize {
        self.nesting.len().max(self.open.len())
    }

    pub(crate) fn begin(&mut self, range: Range<'_>, findings: &mut Findings) {
        let name = Name::of(range.kind);
        if self.stops != 0 && name.is_stop() {
            violation!(
                findings, StopOverlap,
                "the world to be running when {} begins", range.kind;
                "it stopped, or being stopped",
            );
        }
        if self.open.contains_key(&(range.scope, name.clone())) {
            violation!(
                findings, RangeOpen,
                "{} of {} not to be open", range.kind, In(range.scope); "it open",
            );
        }
        self.open(range.scope, name);
    }

    /// A range that was open when the generation began; known from an earlier one or not.
    pub(crate) fn active(&mut self, range: Range<'_>) {
        let name = Name::of(range.kind);
        if !self.open.contains_key(&(range.scope, name.clone())) {
            self.open(range.scope, name);
        }
    }

    pub(crate) fn end(&mut self, end: RangeEnd<'_>, findings: &mut Findings) {
        let RangeEnd { range, swept } = end;
        if let Some(swept) = swept
            && swept.reclaimed_bytes > swept.swept_bytes
        {
            violation!(
                findings, SweptBytes,
                "at most {} bytes freed", swept.swept_bytes; "{}", swept.reclaimed_bytes,
            );
        }
        let name = Name::of(range.kind);
        if let Some(innermost) = self.innermost(range.scope)
            && innermost != name
            && self.open.contains_key(&(range.scope, name.clone()))
        {
            violation!(
                findings, RangeNesting,
                "{} of {} to end first", innermost.kind(), In(range.scope); "{}", range.kind,
            );
        }
        if self.open.remove(&(range.scope, name.clone())).is_none() {
            violation!(
                findings, RangeNotOpen,
                "{} of {} to be open", range.kind, In(range.scope); "it not open",
            );
            return;
        }
        self.stops -= u64::from(name.is_stop());
        // Also drops this one's place, and the whole entry of a scope without open ranges.
        self.innermost(range.scope);
    }

    pub(crate) fn goroutine_ends(&mut self, id: GoroutineId, findings: &mut Findings) {
        let scope = Scope::Goroutine(id);
        if let Some(innermost) = self.innermost(scope) {
            violation!(
                findings, RangeOpenAtExit,
                "goroutine {id} to end its ranges before it ends"; "{} open", innermost.kind(),
            );
        }
        for (name, _) in self.nesting.remove(&scope).unwrap_or_default() {
            let was_open = self.open.remove(&(scope, name.clone())).is_some();
            self.stops -= u64::from(was_open && name.is_stop());
        }
    }

    pub(crate) fn proc(&mut self, id: ProcId, to: ProcState, findings: &mut Findings) {
        if to.is_executing() {
            return;
        }
        let Some(innermost) = self.innermost(Scope::Proc(id)) else {
            return;
        };
        if to == ProcState::NotExist {
            violation!(
                findings, RangeOpenAtExit,
                "proc {id} to end its ranges before it ends"; "{} open", innermost.kind(),
            );
        } else {
            violation!(
                findings, SweepWithoutThread,
                "proc {id} to end its sweep before it is given up"; "{} open", innermost.kind(),
            );
        }
    }

    fn open(&mut self, scope: Scope, name: Name) {
        self.begun += 1;
        let before = self.open.insert((scope, name.clone()), self.begun);
        self.stops += u64::from(before.is_none() && name.is_stop());
        self.nesting
            .entry(scope)
            .or_default()
            .push((name, self.begun));
    }

    /// The open range of a scope that began last.
    fn innermost(&mut self, scope: Scope) -> Option<Name> {
        let nesting = self.nesting.get_mut(&scope)?;
        while let Some((name, number)) = nesting.last() {
            let key = (scope, name.clone());
            if self.open.get(&key) == Some(number) {
                return Some(key.1);
            }
            nesting.pop();
        }
        self.nesting.remove(&scope);
        None
    }
}

/// A scope in words.
pub(crate) struct In(pub(crate) Scope);

impl Display for In {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Scope::Global => f.write_str("the process"),
            Scope::Goroutine(id) => write!(f, "goroutine {id}"),
            Scope::Proc(id) => write!(f, "proc {id}"),
        }
    }
}
