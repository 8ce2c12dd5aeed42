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
    pub(super) args: [u64; v1::limits::MAX_NUMBERS],
    pub(super) stack: u32,
    /// Where in the file it is.
    pub(super) at: usize,
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

    /// The next event of the proc. What the index has found broken is not looked at again.
    #[inline(always)]
    pub(super) fn next(&mut self, trace: &Trace) -> Option<Event> {
        loop {
            let at = self.at;
            if at < self.end {
                let Some((event, length)) = trace.layouts.decode(&trace.data[at..]) else {
                    match self.uncommon(trace) {
                        Some(event) => return Some(self.place(event, at)),
                        None => continue,
                    }
                };
                self.at += length;
                if event.event_type == EventType::CPUSample {
                    continue;
                }
                return Some(self.place(event, at));
            }
            let batch = trace.batches.get(self.batches.next()?)?;
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
    fn uncommon(&mut self, trace: &Trace) -> Option<v1::Event> {
        let version = trace.layouts.version();
        let Ok(record) = decode_record(&trace.data[self.at..], version) else {
            self.at = self.end;
            return None;
        };
        self.at += record.bytes().len();
        v1::Event::of_record(&record, version)
            .filter(|event| event.event_type != EventType::CPUSample)
    }

    /// Puts an event in its place: when it happened and on which goroutine.
    #[inline(always)]
    fn place(&mut self, event: v1::Event, at: usize) -> Event {
        use EventType as T;
        self.time = self.time.wrapping_add(event.time_delta() as i64);
        self.seq = self.seq.wrapping_add(event.seq_delta as i64);
        let args = *event.args();
        let mut goroutine = self.goroutine;
        match event.event_type {
            T::GoStart | T::GoStartLocal | T::GoStartLabel => {
                goroutine = args[0];
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
            T::GoSysExit | T::GoWaiting | T::GoInSyscall => goroutine = args[0],
            _ => {}
        }
        Event {
            time: self.time,
            goroutine,
            seq: self.seq,
            event_type: event.event_type,
            args,
            stack: event.stack() as u32,
            at,
        }
    }
}
