//! A batch that is being filled: events go straight into a block.
#![allow(
    unsafe_code,
    reason = "numbers are written without a check for each byte"
)]

use exectrace_wire::{
    BatchHeader, EventType, Generation, ThreadId, Ticks,
    limits::{MAX_BATCH_HEADER_BYTES, MAX_STRING_RECORD_BYTES, MAX_VARINT_BYTES},
    varint,
};

use crate::block::{Block, DATA_BYTES, Kind, Pool};

/// A batch in a block.
#[derive(Debug)]
pub(crate) struct Batch {
    block: Block,
    /// Bytes of the block's data that are written; the same as the block publishes.
    used: usize,
    /// Where the batch's header ends.
    data: usize,
}

impl Batch {
    /// A batch without events; `None` if there is no block for it.
    pub(crate) fn new(
        pool: &'static Pool,
        generation: Generation,
        thread: Option<ThreadId>,
        time: Ticks,
    ) -> Option<Self> {
        let thread_number = ThreadId::to_wire(thread);
        let mut block = pool.take(Kind::Batch, generation.0, thread_number)?;
        let header = BatchHeader {
            experiment: 0,
            generation,
            thread,
            time,
            size: 0,
        };
        const { assert!(DATA_BYTES > MAX_BATCH_HEADER_BYTES) };
        let used = header.write(block.memory())?;
        block.publish(used);
        Some(Self {
            block,
            used,
            data: used,
        })
    }

    /// Appends a record of plain numbers; `false`, and nothing is written, if there may be no room.
    pub(crate) fn record<const N: usize>(&mut self, record: EventType, numbers: [u64; N]) -> bool {
        self.write(record, None, numbers)
    }

    /// Appends an event; `false`, and nothing is written, if there may be no room.
    #[inline(always)]
    pub(crate) fn event<const N: usize>(
        &mut self,
        event: EventType,
        since_last: u64,
        arguments: [u64; N],
    ) -> bool {
        self.write(event, Some(since_last), arguments)
    }

    #[inline(always)]
    fn write<const N: usize>(
        &mut self,
        event: EventType,
        first: Option<u64>,
        numbers: [u64; N],
    ) -> bool {
        // The bound for the longest record, so that its numbers need no check of their own.
        if self.used > DATA_BYTES - (1 + (1 + N) * MAX_VARINT_BYTES) {
            return false;
        }
        // SAFETY: behind `used` there are at least a byte and 1 + N numbers of ten bytes in the block's
        // data, which is ours alone; `put` writes at most ten bytes and says how many.
        let end = unsafe {
            let start = self.block.data().as_ptr();
            let mut at = start.add(self.used);
            at.write(event.to_wire());
            at = at.add(1);
            if let Some(first) = first {
                at = put(at, first);
            }
            for number in numbers {
                at = put(at, number);
            }
            at.offset_from_unsigned(start)
        };
        self.used = end;
        self.block.publish(end);
        true
    }

    /// Appends a section's marker; `false` if there is no room.
    pub(crate) fn section(&mut self, marker: EventType) -> bool {
        self.record(marker, [])
    }

    /// Appends a string record; `false`, and nothing is written, if there may be no room.
    pub(crate) fn string(&mut self, id: u64, text: &[u8]) -> bool {
        if self.used > DATA_BYTES - MAX_STRING_RECORD_BYTES {
            return false;
        }
        let mut at = self.used;
        let memory = self.block.memory();
        memory[at] = EventType::String.to_wire();
        at += 1;
        for number in [id, text.len() as u64] {
            match varint::write(&mut memory[at..], number) {
                Some(length) => at += length,
                None => return false,
            }
        }
        let Some(place) = memory.get_mut(at..at + text.len()) else {
            return false;
        };
        place.copy_from_slice(text);
        self.used = at + text.len();
        self.block.publish(self.used);
        true
    }

    /// Fills in the size. The batch is then as it stands in a trace.
    pub(crate) fn finish(mut self) -> Block {
        let size = varint::padded((self.used - self.data) as u64);
        let field = self.data - size.len()..self.data;
        self.block.memory()[field].copy_from_slice(&size);
        self.block
    }
}

/// Writes a number in its shortest form and returns where it ends.
///
/// # Safety
///
/// Ten bytes from `at` on MUST be writable.
#[inline(always)]
unsafe fn put(at: *mut u8, mut number: u64) -> *mut u8 {
    // SAFETY: a number of 64 bits has at most ten groups of seven.
    unsafe {
        if number < 1 << 7 {
            at.write(number as u8);
            return at.add(1);
        }
        if number < 1 << 14 {
            let bytes = [number as u8 | 0x80, (number >> 7) as u8];
            at.cast::<[u8; 2]>().write(bytes);
            return at.add(2);
        }
        let mut at = at;
        while number >= 1 << 7 {
            at.write(number as u8 | 0x80);
            at = at.add(1);
            number >>= 7;
        }
        at.write(number as u8);
        at.add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use exectrace_wire::{Frame, Strings, decode_event, parse_frame};

    fn batch() -> Batch {
        let pool = Box::leak(Box::new(Pool::new(1)));
        Batch::new(pool, Generation(3), Some(ThreadId(7)), Ticks(99)).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let mut batch = batch();
        let mut expected = vec![];
        for bits in 0..64 {
            let numbers = [1 << bits, (1 << bits) - 1, u64::MAX >> bits];
            assert!(batch.record(EventType::GoStart, numbers));
            expected.push(numbers);
        }
        let block = batch.finish();
        let bytes = block.bytes();
        let Ok(Some((Frame::Batch(header), mut at))) = parse_frame(bytes) else {
            panic!("no batch");
        };
        assert_eq!((header.generation.0, header.time.0), (3, 99));
        assert_eq!(header.thread, Some(ThreadId(7)));
        assert_eq!(header.size, bytes.len() - at);
        for numbers in expected {
            let (event, length) = decode_event(&bytes[at..]).unwrap();
            assert_eq!(
                (event.event_type, event.args()),
                (EventType::GoStart, &numbers[..])
            );
            at += length;
        }
        assert_eq!(at, bytes.len());
    }

    #[test]
    fn a_full_batch_takes_nothing_and_stays_whole() {
        let mut events = batch();
        let mut count = 0;
        while events.record(EventType::GoStart, [u64::MAX; 3]) {
            count += 1;
        }
        assert_eq!(count, (DATA_BYTES - events.data - 10) / 31);
        assert_eq!(events.block.used(), events.data + count * 31);

        let mut strings = batch();
        assert!(strings.section(EventType::Strings));
        let mut count = 0;
        while strings.string(count + 1, &[b'x'; 1024]) {
            count += 1;
        }
        let block = strings.finish();
        let Ok(Some((_, data))) = parse_frame(block.bytes()) else {
            panic!("no batch");
        };
        let read = Strings::new(&block.bytes()[data..]).unwrap();
        assert_eq!(read.map(|s| s.unwrap().id).max(), Some(count));
        assert!(count > 50);
    }
}
