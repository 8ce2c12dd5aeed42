//! Every limit of the reader, with its reason. Those of the format are in
//! [`exectrace_wire::limits`].

/// Memory that a reader may hold whatever the trace: its read buffer of 256 KiB, one chunk of
/// decoded events, and pages that hostile ids can claim: 256 of 6 KiB for goroutines, and of 1 KiB
/// for procs and for tasks, each with 1 KiB of a directory. Small real traces take 300 KB.
pub const BASE_MEMORY_BYTES: usize = 8 << 20;

/// Bytes of memory that a reader may hold for each byte of the two generations that it has in
/// memory, and for each byte that told it of something which is still alive. Real traces need about
/// three. The worst known hostile one needs 82: its threads have one event of two bytes each.
pub const MEMORY_PER_TRACE_BYTE: usize = 100;

/// Bytes of the strings of one generation, and entries of all its stacks: offsets into the tables
/// have 32 bits. Real tables have some hundred thousand.
pub const MAX_TABLE_ENTRIES: usize = u32::MAX as usize - exectrace_wire::limits::MAX_BATCH_BYTES;

/// Ranges that may be open on one goroutine at once; each event of a range looks at all of them. A
/// real goroutine has one stop of the world and one mark assist at most.
pub const MAX_OPEN_RANGES: usize = 64;

/// Attempts to advance an event out of the order of time that a trace may cost, and
/// [`TRIES_PER_EVENT`] more for each event. In real traces events wait rarely and briefly; a
/// hostile one could make very many threads wait for each event.
pub const FREE_TRIES: u64 = 1 << 26;

/// See [`FREE_TRIES`].
pub const TRIES_PER_EVENT: u64 = 1 << 10;

/// In salvage mode, bytes that may be decoded in vain in search of the next sound batch, and
/// [`SEARCH_PER_BYTE`] more for each byte that is skipped. In a hostile trace every byte could look
/// like a batch.
pub const FREE_SEARCH_BYTES: u64 = 1 << 24;

/// See [`FREE_SEARCH_BYTES`].
pub const SEARCH_PER_BYTE: u64 = 64;

/// Single losses that a [`crate::SalvageReport`] lists; its totals go on.
pub const MAX_LISTED_LOSSES: usize = 1000;
