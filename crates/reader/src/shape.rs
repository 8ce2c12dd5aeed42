//! Decodes single events, each shape by code of its own.
//!
//! The shape of an event is how many numbers it has and which of them are ids of the generation's
//! tables. Events of one shape share straight-line code without loops over arguments and without
//! look-ups in the event table; that code is generated from the table.

use exectrace_wire::{
    ArgKind, DECODE_WINDOW, DecodeError, EventType, SPECS, decode_event_into, decode_numbers,
    limits::MAX_ARGS,
};

use crate::{error::ErrorKind, tables::Tables};

/// The numbers of an event, its time delta first. Numbers that the event does not have are
/// arbitrary.
pub(crate) type Words = [u64; MAX_ARGS];

/// Arguments of an event, without its time.
pub(crate) type Args = [u64; MAX_ARGS - 1];

/// An event of which only the words are elsewhere.
pub(crate) struct Found {
    pub(crate) event_type: EventType,
    pub(crate) length: usize,
    /// Whether a string or stack that the event names is not in the generation's tables.
    pub(crate) dangling: bool,
}

/// What decoding needs of the tables: them, and at hand how far their ids go without a gap.
#[derive(Clone, Copy)]
pub(crate) struct Ids<'t> {
    tables: &'t Tables,
    strings: u64,
    stacks: u64,
}

impl<'t> Ids<'t> {
    pub(crate) fn new(tables: &'t Tables) -> Self {
        Self {
            tables,
            strings: tables.strings.contiguous_to(),
            stacks: tables.stacks.contiguous_to(),
        }
    }
}

/// Decodes the event at the start of `bytes`: what [`decode_in_window`] does not, and that is what
/// is near the end of a batch, rare or malformed.
#[cold]
#[inline(never)]
pub(crate) fn decode_any(
    bytes: &[u8],
    words: &mut Words,
    ids: Ids<'_>,
) -> Result<Found, DecodeError> {
    let (event_type, length) = decode_event_into(bytes, words)?;
    Ok(Found {
        event_type,
        length,
        dangling: is_dangling(event_type, words, ids.tables),
    })
}

/// The number of an event's words, and a bit for each word that is an id of a string or a stack:
/// `arity | strings << 8 | stacks << 16`. It is a number since it has to be a generic argument.
type Shape = u32;

const fn shape_of(event_type: EventType) -> Shape {
    let args = event_type.spec().args;
    let mut shape = args.len() as Shape;
    let mut at = 0;
    while at < args.len() {
        shape |= match args[at].kind {
            ArgKind::String => 1 << (8 + at),
            ArgKind::Stack => 1 << (16 + at),
            _ => 0,
        };
        at += 1;
    }
    shape
}

/// Decodes an event of a shape: its length, and whether it is dangling.
#[inline(always)]
fn decode_shape<const SHAPE: Shape>(
    window: &[u8; DECODE_WINDOW],
    words: &mut Words,
    ids: Ids<'_>,
) -> Option<Found> {
    let length = match SHAPE & 0xff {
        1 => decode_numbers::<1>(window, words),
        2 => decode_numbers::<2>(window, words),
        3 => decode_numbers::<3>(window, words),
        4 => decode_numbers::<4>(window, words),
        _ => decode_numbers::<5>(window, words),
    }?;
    let mut sound = true;
    for (at, id) in words.iter().enumerate() {
        // Without short-circuits: ids are hardly ever missing, so one branch is enough.
        if SHAPE >> (8 + at) & 1 != 0 {
            sound &= *id <= ids.strings;
        }
        if SHAPE >> (16 + at) & 1 != 0 {
            sound &= *id <= ids.stacks;
        }
    }
    let event_type = TYPES[usize::from(window[0])];
    Some(Found {
        event_type,
        length,
        dangling: !sound && is_dangling(event_type, words, ids.tables),
    })
}

/// The type of each event by its first byte. Bytes that begin no event have a wrong one.
static TYPES: [EventType; 256] = {
    let mut types = [SPECS[0].event_type; 256];
    let mut row = 0;
    while row < SPECS.len() {
        types[SPECS[row].event_type as usize] = SPECS[row].event_type;
        row += 1;
    }
    types
};

/// Generates [`decode_in_window`] from groups of event types that share a shape.
macro_rules! shapes {
    ($($first:ident $($other:ident)*),* $(,)?) => {
        $($(const _: () = assert!(
            shape_of(EventType::$other) == shape_of(EventType::$first),
            "events of a group must have the same shape"
        );)*)*

        /// The first bytes of events. To look the type up first would delay the jump to its code.
        #[expect(non_upper_case_globals, reason = "named like the events")]
        mod byte {
            use exectrace_wire::EventType;
            $(
                pub(super) const $first: u8 = EventType::$first.to_wire();
                $(pub(super) const $other: u8 = EventType::$other.to_wire();)*
            )*
        }

        /// Decodes the event at the start of `window`; `None` if that is not for the fast path.
        #[inline(always)]
        pub(crate) fn decode_in_window(
            window: &[u8; DECODE_WINDOW],
            words: &mut Words,
            ids: Ids<'_>,
        ) -> Option<Found> {
            match window[0] {
                $(byte::$first $(| byte::$other)* => {
                    decode_shape::<{ shape_of(EventType::$first) }>(window, words, ids)
                })*
                _ => None,
            }
        }
    };
}

shapes! {
    GoDestroy GoSyscallEnd GoSyscallEndBlocked GoDestroySyscall ProcStop STWEnd GCMarkAssistEnd,
    HeapAlloc HeapGoal GCActive GCEnd GCSweepActive GCMarkAssistActive GoCreateSyscall SpanFree
        HeapObjectFree GoroutineStackFree,
    GoStart ProcStart ProcStatus GoSwitch GoSwitchDestroy GCSweepEnd HeapObject HeapObjectAlloc
        GoroutineStack GoroutineStackAlloc,
    GoStatus ProcSteal Span SpanAlloc,
    GCSweepBegin GCMarkAssistBegin,
    GoSyscallBegin UserTaskEnd ProcsChange GCBegin,
    GoUnblock,
    GoCreate GoCreateBlocked,
    GoBlock GoStop STWBegin,
    UserRegionBegin UserRegionEnd,
    UserTaskBegin,
    UserLog,
    GoLabel,
    GoStatusStack,
}

#[cold]
#[inline(never)]
fn is_dangling(event_type: EventType, words: &Words, tables: &Tables) -> bool {
    let &[_, a, b, c, d] = words;
    find_dangling(event_type, &[a, b, c, d], tables).is_some()
}

/// The first string or stack that an event names and that is not there.
#[cold]
pub(crate) fn find_dangling(
    event_type: EventType,
    args: &Args,
    tables: &Tables,
) -> Option<ErrorKind> {
    let specs = event_type.spec().args.iter().skip(1);
    specs.zip(args).find_map(|(spec, &arg)| match spec.kind {
        ArgKind::String if !tables.strings.contains(arg) => Some(ErrorKind::MissingString(arg)),
        ArgKind::Stack if !tables.stacks.contains(arg) => Some(ErrorKind::MissingStack(arg)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use exectrace_wire::{EventSpec, encode_event};

    use super::*;
    use crate::tables::{StackTableBuilder, StringTableBuilder};

    const KNOWN: u64 = 3;

    fn tables() -> Tables {
        let (mut strings, mut stacks) =
            (StringTableBuilder::default(), StackTableBuilder::default());
        for id in 1..=KNOWN {
            assert!(strings.insert(id, b"text").is_ok());
            assert!(stacks.insert(id, [].into_iter()));
        }
        Tables {
            strings: strings.finish(false),
            stacks: stacks.finish(),
        }
    }

    fn encode(spec: &EventSpec, args: &[u64]) -> Vec<u8> {
        let mut bytes = vec![0; 2 * DECODE_WINDOW];
        encode_event(&mut bytes, spec.event_type, args).unwrap();
        bytes
    }

    #[test]
    fn the_fast_path_decodes_every_timed_event_as_the_slow_one_does() {
        let tables = tables();
        for spec in SPECS.iter().filter(|spec| spec.is_timed()) {
            for number in [0, KNOWN, KNOWN + 1, 300, 70_000, u64::MAX] {
                let mut bytes = encode(spec, &vec![number; spec.args.len()]);
                let (mut fast, mut slow) = ([0; MAX_ARGS], [0; MAX_ARGS]);
                let window = bytes.first_chunk().unwrap();
                let found = decode_in_window(window, &mut fast, Ids::new(&tables))
                    .unwrap_or_else(|| panic!("{} has no shape", spec.name));
                bytes.truncate(found.length);
                let expected = decode_any(&bytes, &mut slow, Ids::new(&tables)).unwrap();
                assert_eq!(
                    (found.event_type, found.length, found.dangling, fast),
                    (expected.event_type, bytes.len(), expected.dangling, slow),
                );
            }
        }
    }

    #[test]
    fn each_id_that_is_missing_is_seen() {
        let tables = tables();
        for spec in SPECS.iter().filter(|spec| spec.is_timed()) {
            for (at, arg) in spec.args.iter().enumerate() {
                let mut args = vec![KNOWN; spec.args.len()];
                args[at] = KNOWN + 1;
                let bytes = encode(spec, &args);
                let window = bytes.first_chunk().unwrap();
                let found =
                    decode_in_window(window, &mut [0; MAX_ARGS], Ids::new(&tables)).unwrap();
                let is_id = matches!(arg.kind, ArgKind::String | ArgKind::Stack);
                assert_eq!(found.dangling, is_id, "{} {}", spec.name, arg.name);
            }
        }
    }

    #[test]
    fn malformed_events_are_refused() {
        let mut bytes = [0xff; DECODE_WINDOW];
        for byte in 0..=u8::MAX {
            bytes[0] = byte;
            let tables = tables();
            let (ids, words) = (Ids::new(&tables), &mut [0; MAX_ARGS]);
            assert!(decode_in_window(&bytes, words, ids).is_none());
            assert!(decode_any(&bytes, words, ids).is_err());
        }
    }
}
