//! Generations that wait for the sink: a queue of bounded bytes that drops its oldest.

use std::{collections::VecDeque, sync::Arc};

use exectrace_mend::{Gap, MendError};

use crate::generation::{EncodedGeneration, LostGeneration};

/// What waits for the sink, oldest first.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: VecDeque<Entry>,
    /// What was dropped after the last one that waits.
    trailing: Option<Gap>,
    /// The newest that was not lost: what comes after one that nobody has begins where this ends. It
    /// may be gone from the queue, and is not counted.
    last: Option<Arc<EncodedGeneration>>,
    /// Bytes that wait or are being written.
    bytes: usize,
    max_bytes: usize,
}

/// A generation, and what was dropped right before it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) gap: Option<Gap>,
    pub(super) generation: Arc<EncodedGeneration>,
}

/// What the queue had to drop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Dropped {
    pub(super) generations: u64,
    pub(super) events: u64,
    pub(super) bytes: u64,
}

impl Dropped {
    pub(super) fn add(&mut self, generation: &EncodedGeneration) {
        self.generations += 1;
        self.events += generation.events;
        self.bytes += generation.bytes.len() as u64;
    }
}

impl Queue {
    pub(super) const fn new(max_bytes: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            trailing: None,
            last: None,
            bytes: 0,
            max_bytes,
        }
    }

    /// Adds the newest generation, and drops the oldest until the rest may stay.
    ///
    /// # Errors
    ///
    /// If a dropped generation is malformed: then nothing that comes after it can be written.
    pub(super) fn push(
        &mut self,
        generation: Arc<EncodedGeneration>,
    ) -> (Dropped, Result<(), MendError>) {
        self.bytes += generation.bytes.len();
        self.last = Some(Arc::clone(&generation));
        self.waiting.push_back(Entry {
            gap: self.trailing.take(),
            generation,
        });
        let mut dropped = Dropped::default();
        while self.bytes > self.max_bytes {
            let Some(Entry { gap, generation }) = self.waiting.pop_front() else {
                break;
            };
            self.bytes -= generation.bytes.len();
            dropped.add(&generation);
            if let Err(error) = self.widen(gap, &generation) {
                return (dropped, Err(error));
            }
        }
        (dropped, Ok(()))
    }

    /// Notes that a generation in front of all that wait is lost.
    fn widen(&mut self, gap: Option<Gap>, lost: &EncodedGeneration) -> Result<(), MendError> {
        let mut gap = match gap {
            None => Gap::new(&lost.bytes)?,
            Some(mut gap) => {
                gap.widen(&lost.bytes)?;
                gap
            }
        };
        let next = match self.waiting.front_mut() {
            Some(next) => &mut next.gap,
            None => &mut self.trailing,
        };
        if let Some(next) = next.take() {
            gap.join(next);
        }
        *next = Some(gap);
        Ok(())
    }

    /// Notes that the newest generation is one that nobody has.
    ///
    /// # Errors
    ///
    /// If the generation before it is malformed.
    pub(super) fn push_unseen(&mut self, lost: &LostGeneration) -> Result<(), MendError> {
        match &mut self.trailing {
            Some(gap) => gap.widen_unseen(1, lost.events),
            None => {
                let last = self.last.as_ref().map(|last| &*last.bytes);
                self.trailing = Some(Gap::unseen(last, 1, lost.events)?);
            }
        }
        Ok(())
    }

    /// Takes the oldest out, which counts as waiting until it is [`Queue::settle`]d.
    pub(super) fn pop(&mut self) -> Option<Entry> {
        self.waiting.pop_front()
    }

    /// What was dropped at the very end.
    pub(super) const fn take_trailing(&mut self) -> Option<Gap> {
        self.trailing.take()
    }

    /// Gives the memory of a generation back that was taken out.
    pub(super) fn settle(&mut self, generation: &EncodedGeneration) {
        self.bytes -= generation.bytes.len();
    }

    /// Puts what could not be written back as lost, in front of all that wait.
    pub(super) fn lose(&mut self, entry: Entry) -> (Dropped, Result<(), MendError>) {
        let Entry { gap, generation } = entry;
        let mut dropped = Dropped::default();
        dropped.add(&generation);
        (dropped, self.widen(gap, &generation))
    }

    /// Drops all that waits, for nobody will take it.
    pub(super) fn abandon(&mut self) -> Dropped {
        let mut dropped = Dropped::default();
        for Entry { generation, .. } in self.waiting.drain(..) {
            self.bytes -= generation.bytes.len();
            dropped.add(&generation);
        }
        self.trailing = None;
        self.last = None;
        dropped
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}
