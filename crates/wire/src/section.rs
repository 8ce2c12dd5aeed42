//! Batches as byte vectors, for those who write a generation outside a running program.

use crate::{
    BatchHeader, EventType as E, Generation, ThreadId, Ticks,
    limits::{MAX_BATCH_BYTES, MAX_BATCH_HEADER_BYTES},
    varint,
};

/// Records of one section, cut into batches.
#[derive(Clone, Debug)]
pub struct Section {
    marker: E,
    full: Vec<Vec<u8>>,
    data: Vec<u8>,
}

impl Section {
    /// A section without records; `marker` is the event that begins it, such as `Strings`.
    #[must_use]
    pub const fn new(marker: E) -> Self {
        Self {
            marker,
            full: Vec::new(),
            data: Vec::new(),
        }
    }

    /// Adds a record: its type, numbers and payload. A record MUST fit a batch, see [`crate::limits`].
    pub fn push(&mut self, record: E, numbers: &[u64], payload: &[u8]) {
        let mut bytes = vec![record.to_wire()];
        for number in numbers {
            push_number(&mut bytes, *number);
        }
        bytes.extend_from_slice(payload);
        if self.data.len() + bytes.len() > MAX_BATCH_BYTES {
            self.full.push(core::mem::take(&mut self.data));
        }
        if self.data.is_empty() {
            self.data.push(self.marker.to_wire());
        }
        self.data.extend(bytes);
    }

    /// The data of the batches; none if there is no record.
    #[must_use]
    pub fn finish(mut self) -> Vec<Vec<u8>> {
        if !self.data.is_empty() {
            self.full.push(self.data);
        }
        self.full
    }
}

/// Appends a number.
pub fn push_number(out: &mut Vec<u8>, number: u64) {
    let mut buffer = [0; 10];
    // Ten bytes hold any number.
    let n = varint::write(&mut buffer, number).unwrap_or(0);
    out.extend_from_slice(&buffer[..n]);
}

/// Appends a batch: header and data. `time` is in clock units.
pub fn push_batch(
    out: &mut Vec<u8>,
    generation: Generation,
    thread: Option<ThreadId>,
    time: u64,
    data: &[u8],
) {
    let header = BatchHeader {
        experiment: 0,
        generation,
        thread,
        time: Ticks(time),
        size: data.len(),
    };
    push_header(out, &header);
    out.extend_from_slice(data);
}

/// Appends a batch's header; its data is to follow.
pub fn push_header(out: &mut Vec<u8>, header: &BatchHeader) {
    let mut buffer = [0; MAX_BATCH_HEADER_BYTES];
    // The buffer holds any header.
    let n = header.write(&mut buffer).unwrap_or(0);
    out.extend_from_slice(&buffer[..n]);
}
