//! The events of one proc, decoded one after the other.

use exectrace_wire::v1::{self, EventType, decode_record};

use super::index::{BatchPlace, Trace};

/// An event of a proc, with what its place in the batch tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    /// In clock units.
    pub(super) time: i64,
    /// The goroutine that the proc runs, or the one that the event is about; 0 for none.
    pub(super) goroutine: u64,
    /// The sequence number; only in Go 1.5.
    pub(super) seq: i64,
    pub(super) event_type: EventType,
    /// The time delta, then the arguments; those that the event does not have may be anything.
    pub(super) numbers: [u64; v1::limits::MAX_NUMBERS],
    /// Where in the file it is.
    pub(super) at: usize,
}

impl Event {
    /// An event with no meaning, to decode others into.
    ///
    /// Events are decoded in place and MUST NOT be copied on the way: to load together what was just
    /// stored apart, as a copy does, takes longer than to decode it.
    pub(super) const BLANK: Self = Self {
        time: 0,
        goroutine: 0,
        seq: 0,
        event_type: EventType::FutileWakeup,
        numbers: [0; v1::limits::MAX_NUMBERS],
        at: 0,
    };

    /// An argument.
    #[inline(always)]
    pub(super) fn arg<const N: usize>(&self) -> u64 {
        const { assert!(N + 1 < v1::limits::MAX_NUMBERS) };
        self.numbers[N + 1]
    }

    /// The stack at which it happened; 0 for none. Ids have 32 bits, as in Go.
    #[inline(always)]
    pub(super) fn stack(&self) -> u64 {
        match self.event_type.stack_at() {
            Some(at) => u64::from(self.numbers[at % self.numbers.len()] as u32),
            None => 0,
        }
    }
}

/// A place in the events of one proc.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    batches: std::ops::Range<usize>,
    at: usize,
    end: usize,
    time: i64,
    seq: i64,
    goroutine: u64,
}

impl Lane {
    pub(super) fn new(batches: std::ops::Range<usize>) -> Self {
        Self {
            batches,
            at: 0,
            end: 0,
            time: 0,
            seq: 0,
            goroutine: 0,
        }
    }

    /// Decodes the next event of the proc into `event`; false at the end. What the index has found
    /// broken is not looked at again.
    #[inline(always)]
    pub(super) fn next(&mut self, trace: &Trace, event: &mut Event) -> bool {
        loop {
            let at = self.at;
            if at < self.end {
                match trace.layouts.decode(&trace.data[at..], &mut event.numbers) {
                    Some((event_type, length)) => {
                        self.at += length;
                        event.event_type = event_type;
                    }
                    None if self.uncommon(trace, event) => {}
                    None => continue,
                }
                if event.event_type == EventType::CPUSample {
                    continue;
                }
                event.at = at;
                self.place(event);
                return true;
            }
            let Some(batch) = self.batches.next().and_then(|next| trace.batches.get(next)) else {
                return false;
            };
            self.begin_batch(trace, batch);
        }
    }

    #[cold]
    fn begin_batch(&mut self, trace: &Trace, batch: &BatchPlace) {
        let start = batch.start as usize;
        let version = trace.layouts.version();
        let Ok(record) = decode_record(&trace.data[start..], version) else {
            return;
        };
        // In Go 1.5 the sequence number stands between the proc and the time.
        let numbers = record.numbers();
        self.time = numbers.last().map_or(0, |time| *time as i64);
        self.seq = numbers.get(1).map_or(0, |seq| *seq as i64);
        self.at = start + record.bytes().len();
        self.end = batch.end as usize;
    }

    /// A record that is not decoded the fast way: an event, or something that is none of a proc.
    #[cold]
    fn uncommon(&mut self, trace: &Trace, event: &mut Event) -> bool {
        let version = trace.layouts.version();
        let Ok(record) = decode_record(&trace.data[self.at..], version) else {
            self.at = self.end;
            return false;
        };
        self.at += record.bytes().len();
        let Some(decoded) = v1::Event::of_record(&record, version) else {
            return false;
        };
        event.event_type = decoded.event_type;
        event.numbers = decoded.numbers;
        self.seq = self.seq.wrapping_add(decoded.seq_delta as i64);
        true
    }

    /// Puts an event in its place: when it happened and on which goroutine.
    #[inline(always)]
    fn place(&mut self, event: &mut Event) {
        use EventType as T;
        self.time = self.time.wrapping_add(event.numbers[0] as i64);
        let mut goroutine = self.goroutine;
        match event.event_type {
            T::GoStart | T::GoStartLocal | T::GoStartLabel => {
                goroutine = event.arg::<0>();
                self.goroutine = goroutine;
            }
            T::GoEnd
            | T::GoStop
            | T::GoSched
            | T::GoPreempt
            | T::GoSleep
            | T::GoBlock
            | T::GoBlockSend
            | T::GoBlockRecv
            | T::GoBlockSelect
            | T::GoBlockSync
            | T::GoBlockCond
            | T::GoBlockNet
            | T::GoBlockGC
            | T::GoSysBlock => self.goroutine = 0,
            // Not the local form of GoSysExit, as in Go; no tracer writes it.
            T::GoSysExit | T::GoWaiting | T::GoInSyscall => goroutine = event.arg::<0>(),
            _ => {}
        }
        event.time = self.time;
        event.seq = self.seq;
        event.goroutine = goroutine;
    }
}
