//! Rules on the AllocFree experiment: memory is allocated, then freed.

use std::{collections::HashSet, fmt};

use exectrace_reader::EventType;

use crate::report::{Findings, violation};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Class {
    Span,
    Object,
    Stack,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Span => "span",
            Self::Object => "object",
            Self::Stack => "stack",
        })
    }
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Exists,
    Alloc,
    Free,
}

/// What is live.
#[derive(Debug, Default)]
pub(crate) struct AllocFree {
    live: HashSet<(Class, u64)>,
    /// Whether the trace says what was live when it began. The tracer writes that at its start
    /// only: a flight recorder may have lost it.
    snapshot: bool,
}

impl AllocFree {
    pub(crate) fn check(
        &mut self,
        event_type: EventType,
        id: Option<u64>,
        size: Option<u64>,
        findings: &mut Findings,
    ) {
        let (class, change) = match event_type {
            EventType::Span => (Class::Span, Change::Exists),
            EventType::SpanAlloc => (Class::Span, Change::Alloc),
            EventType::SpanFree => (Class::Span, Change::Free),
            EventType::HeapObject => (Class::Object, Change::Exists),
            EventType::HeapObjectAlloc => (Class::Object, Change::Alloc),
            EventType::HeapObjectFree => (Class::Object, Change::Free),
            EventType::GoroutineStack => (Class::Stack, Change::Exists),
            EventType::GoroutineStackAlloc => (Class::Stack, Change::Alloc),
            EventType::GoroutineStackFree => (Class::Stack, Change::Free),
            _ => return,
        };
        let Some(id) = id else {
            return;
        };
        self.snapshot |= matches!(change, Change::Exists);
        match change {
            Change::Exists | Change::Alloc => {
                // An object's second argument is its type, which may be unknown.
                if class != Class::Object && size == Some(0) {
                    violation!(findings, AllocSize, "a size of {class} {id}"; "0");
                }
                if !self.live.insert((class, id)) {
                    violation!(findings, AllocLive, "{class} {id} not to be live"; "it live");
                }
            }
            Change::Free => {
                if !self.live.remove(&(class, id)) && self.snapshot {
                    violation!(findings, FreeUnknown, "{class} {id} to be live"; "it not live");
                }
            }
        }
    }
}
