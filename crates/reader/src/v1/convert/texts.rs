//! Texts that the trace does not have itself: Go's parser gives them to reasons that the v1 formats
//! tell by numbers.

use exectrace_wire::{Version, v1::EventType as In};

use super::super::index::{OWN_STRINGS, Trace};
use crate::tables::StringTableBuilder;

/// Declares texts that the trace does not have itself.
macro_rules! own_strings {
    ($($name:ident = $text:literal),* $(,)?) => {
        /// A text that the trace does not have itself.
        #[derive(Clone, Copy)]
        pub(super) enum OwnString { $($name),* }
        const OWN: &[&str] = &[$($text),*];
    };
}

own_strings! {
    Forever = "forever",
    Preempted = "preempted",
    Gosched = "runtime.Gosched",
    Sleep = "sleep",
    ChanSend = "chan send",
    ChanReceive = "chan receive",
    Network = "network",
    Sync = "sync",
    Cond = "sync.(*Cond).Wait",
    Select = "select",
    Nothing = "",
    MarkAssist = "GC mark assist wait for work",
}

/// Reasons to stop the world, as Go 1.21 numbers them.
const STW_REASONS: [&str; 17] = [
    "",
    "GC mark termination",
    "GC sweep termination",
    "write heap dump",
    "goroutine profile",
    "goroutine profile cleanup",
    "all goroutine stack trace",
    "read mem stats",
    "AllThreadsSyscall",
    "GOMAXPROCS",
    "start trace",
    "stop trace",
    "CountPagesInUse (test)",
    "ReadMetricsSlow (test)",
    "ReadMemStatsSlow (test)",
    "PageCachePagesLeaked (test)",
    "ResetDebugLog (test)",
];

const _: () = assert!((OWN.len() + STW_REASONS.len()) as u64 <= OWN_STRINGS);

/// Adds texts that the trace does not have itself, from an id on which no string has.
pub(in crate::v1) fn add_own_strings(strings: &mut StringTableBuilder, first: u64) {
    for (id, text) in (first..).zip(OWN.iter().chain(&STW_REASONS)) {
        // The id is free.
        let _ = strings.insert(id, text.as_bytes());
    }
}

/// Why an event blocks its goroutine.
pub(super) fn block_reason(event_type: In) -> OwnString {
    match event_type {
        In::GoStop => OwnString::Forever,
        In::GoSleep => OwnString::Sleep,
        In::GoBlockSend => OwnString::ChanSend,
        In::GoBlockRecv => OwnString::ChanReceive,
        In::GoBlockSelect => OwnString::Select,
        In::GoBlockSync => OwnString::Sync,
        In::GoBlockCond => OwnString::Cond,
        In::GoBlockNet => OwnString::Network,
        In::GoBlockGC => OwnString::MarkAssist,
        _ => OwnString::Nothing,
    }
}

/// The string of the reason that the trace's version gives this number.
pub(super) fn stw_reason(trace: &Trace, kind: u64) -> u64 {
    let reason = match (trace.version(), kind) {
        (Version::Go121, kind) if kind < STW_REASONS.len() as u64 => kind,
        (Version::Go121, _) => 0,
        (_, 0 | 1) => kind + 1,
        _ => 0,
    };
    trace.own_strings + OWN.len() as u64 + reason
}
