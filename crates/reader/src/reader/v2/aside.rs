//! What is not simply the next event of the run: CPU samples, events that wait, chunks that end.

use super::*;

impl V2Reader<'_> {
    /// What is not simply the run's next event:
    ///
    /// 1. a CPU sample;
    /// 2. when nothing is left of the generation, the sync that begins the next;
    /// 3. the first event that can advance, in order of time, when the run's cannot.
    #[cold]
    pub(super) fn step_aside(&mut self) -> Result<Option<usize>, Error> {
        let time = self.run_event().map(Decoded::time);
        if time.is_none_or(|time| self.next_sample < time)
            && let Some(sample) = self.take_sample()
        {
            return self.deliver_sample(sample).map(Some);
        }
        if time.is_none() {
            return self.next_generation();
        }
        if self.advance_any()? {
            return Ok(Some(self.deliver(0)));
        }
        // Salvage mode has dropped all that was left of the generation.
        match self.take_sample() {
            Some(sample) => self.deliver_sample(sample).map(Some),
            None => self.next_generation(),
        }
    }

    pub(super) fn run_event(&self) -> Option<&Decoded> {
        let cursor = self.cursors.get(self.run.cursor)?;
        cursor.chunk.events.get(cursor.at)
    }

    /// Tries the thread at the top of the frontier, then the others in order of time. Returns
    /// whether an event has advanced: in salvage mode perhaps none is left.
    pub(super) fn advance_any(&mut self) -> Result<bool, Error> {
        if let Some(time) = self.run_event().map(Decoded::time) {
            // The frontier still has the time with which the run began.
            self.frontier.set_first(time);
        }
        let mut advanced = false;
        while !advanced && !self.frontier.is_empty() {
            match self.advance_first_ready() {
                Ok(()) => advanced = true,
                Err(error) => self.drop_event(error)?,
            }
        }
        self.start_run();
        Ok(advanced)
    }

    pub(super) fn advance_first_ready(&mut self) -> Result<(), Error> {
        if self.try_advance(0)? {
            return Ok(());
        }
        self.tries += self.frontier.len() as u64;
        if self.tries > FREE_TRIES + TRIES_PER_EVENT * self.stats.events {
            self.culprit = 0;
            let first = self
                .frontier
                .first()
                .map_or(0, |entry| entry.cursor as usize);
            return Err(self.error_at(first, ErrorKind::TooManyStalls));
        }
        self.frontier.sort();
        for place in 1..self.frontier.len() {
            if self.try_advance(place)? {
                return Ok(());
            }
        }
        self.culprit = 0;
        Err(self.stuck_error())
    }

    /// In salvage mode, drops the event that an error is about.
    pub(super) fn drop_event(&mut self, error: Error) -> Result<(), Error> {
        let Some(salvaging) = &mut self.salvaging else {
            return Err(error);
        };
        let Some(entry) = self.frontier.get(self.culprit) else {
            return Err(error);
        };
        let cursor = &mut self.cursors[entry.cursor as usize];
        let Some(event) = cursor.chunk.events.get(cursor.at) else {
            return Err(error);
        };
        if !Salvaging::can_drop(&error) {
            return Err(error);
        }
        let slot = cursor.slot.unwrap_or(ThreadSlot::NONE);
        salvaging.drop_event(
            &mut self.order,
            cursor.thread,
            slot,
            event.event_type,
            &error,
        );
        cursor.at += 1;
        self.move_on(self.culprit, entry.cursor as usize)
    }

    /// Tries the next event of the thread at a place in the frontier, and on success moves the
    /// thread on. Returns whether the event has advanced.
    pub(super) fn try_advance(&mut self, place: usize) -> Result<bool, Error> {
        let Some(entry) = self.frontier.get(place) else {
            return Ok(false);
        };
        let at = entry.cursor as usize;
        let slot = self.slot_of(at);
        let cursor = &mut self.cursors[at];
        let Some(event) = cursor.chunk.events.get(cursor.at) else {
            return Ok(false);
        };
        match self.order.advance(slot, event, &self.tables) {
            Err(Refusal::NotYet) => return Ok(false),
            Ok(()) => {}
            Err(Refusal::Wrong(error)) => {
                self.culprit = place;
                return Err(self.error_at(at, error));
            }
        }
        let dangling = event.dangling;
        cursor.at += 1;
        self.move_on(place, at)?;
        if dangling {
            self.note_dangling(at)?;
        }
        Ok(true)
    }

    /// Gives a thread that has advanced its new place in the frontier.
    pub(super) fn move_on(&mut self, place: usize, at: usize) -> Result<(), Error> {
        let cursor = &self.cursors[at];
        let time = match cursor.chunk.events.get(cursor.at) {
            Some(next) => Some(next.time()),
            None => self.load_chunk(at)?,
        };
        match time {
            Some(time) => self.frontier.update(place, time),
            None => self.frontier.remove(place),
        }
        Ok(())
    }

    /// The time of a thread's next event after its chunk is used up; `None` if that was the last.
    pub(super) fn load_chunk(&mut self, at: usize) -> Result<Option<i64>, Error> {
        loop {
            let cursor = &mut self.cursors[at];
            if let Some((offset, error)) = cursor.chunk.error {
                let offset = cursor.chunk.data_offset + u64::from(offset);
                let place = Place {
                    offset: Some(offset),
                    generation: Some(self.generation.number),
                    thread: cursor.thread,
                    event: None,
                };
                let Some(salvaging) = &mut self.salvaging else {
                    return Err(Error::new(error, place));
                };
                salvaging.note(
                    offset,
                    LossKind::DroppedRecord {
                        cause: error.into(),
                    },
                );
            }
            match &mut self.input {
                Input::Inline { streams, .. } => {
                    streams[at].decode(&mut cursor.chunk, &self.decode_context);
                }
                Input::Overlapped(pipeline) => pipeline.next_chunk(at, &mut cursor.chunk)?,
            }
            cursor.at = 0;
            if cursor.chunk.after_gap
                && let Some(slot) = cursor.slot
            {
                self.order.forget_context(slot);
            }
            if let Some(event) = cursor.chunk.events.first() {
                return Ok(Some(event.time()));
            }
            if cursor.chunk.error.is_none() {
                return Ok(None);
            }
        }
    }

    pub(super) fn take_sample(&mut self) -> Option<CpuSample> {
        let sample = self.samples.next()?;
        self.next_sample = self
            .samples
            .as_slice()
            .first()
            .map_or(i64::MAX, |next| next.time);
        self.limit_run();
        Some(sample)
    }

    #[cold]
    pub(super) fn deliver_sample(&mut self, sample: CpuSample) -> Result<usize, Error> {
        if let Some(salvaging) = &mut self.salvaging {
            if !self.tables.stacks.contains(sample.stack) {
                salvaging.count_nameless();
            }
        } else if !self.tables.stacks.contains(sample.stack) {
            let place = Place {
                generation: Some(self.generation.number),
                thread: ThreadId::from_wire(sample.thread),
                ..Place::default()
            };
            return Err(Error::new(ErrorKind::MissingStack(sample.stack), place));
        }
        let record = Record {
            time: sample.time,
            thread: sample.thread,
            proc: sample.proc,
            goroutine: sample.goroutine,
            what: What::CpuSample,
            resource: NONE,
            args: [sample.stack, 0, 0, 0],
        };
        let at = self.order.enqueue_alone(record);
        Ok(self.deliver(at))
    }
}
