//! From one generation to the next.

use super::*;

impl V2Reader<'_> {
    pub(super) fn deliver_sync(&mut self, time: i64, begins_generation: bool) -> usize {
        self.syncs += 1;
        let record = Record {
            time,
            thread: NONE,
            proc: NONE,
            goroutine: NONE,
            what: What::Sync,
            resource: NONE,
            args: [self.syncs, u64::from(begins_generation), 0, 0],
        };
        let at = self.order.enqueue_alone(record);
        self.deliver(at)
    }

    /// Goes on to the next generation: yields the sync that begins it, or the last one of the
    /// trace.
    #[cold]
    pub(super) fn next_generation(&mut self) -> Result<Option<usize>, Error> {
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Ended => return Ok(None),
            Phase::Failed(error) => return Err(error),
            Phase::Failing(error) => {
                self.phase = Phase::Failed(error);
                return Ok(Some(self.deliver_sync(self.last_time, false)));
            }
            Phase::Reading => {}
        }
        if self.stats.generations > 0
            && let Some(salvaging) = &mut self.salvaging
        {
            salvaging.end();
        }
        let next = match &mut self.input {
            Input::Inline { source, .. } => source.next(),
            Input::Overlapped(pipeline) => pipeline.next_generation(),
        };
        match next {
            Next::Generation(generation, behind) => {
                self.phase = behind.map_or(Phase::Reading, Phase::Failing);
                self.install(*generation).map(Some)
            }
            Next::End(losses) => {
                if let Some(salvaging) = &mut self.salvaging {
                    salvaging.finish(losses);
                }
                Ok(Some(self.deliver_sync(self.last_time, false)))
            }
            Next::Broken(error) => {
                self.phase = Phase::Failed(error);
                Ok(Some(self.deliver_sync(self.last_time, false)))
            }
        }
    }

    /// Makes a generation the current one.
    pub(super) fn install(&mut self, mut generation: LoadedGeneration) -> Result<usize, Error> {
        let number = generation.data.number.0;
        self.stats.generations += 1;
        if let Some(salvaging) = &mut self.salvaging
            && salvaging.begin(&mut generation)
        {
            self.order.forget_state();
            self.first_number = Some(number);
        }
        self.cursors.clear();
        self.cursors
            .extend(generation.streams.iter().map(|stream| Cursor {
                thread: stream.thread,
                slot: None,
                chunk: Chunk::default(),
                at: 0,
            }));
        self.samples = std::mem::take(&mut generation.samples).into_iter();
        self.next_sample = self
            .samples
            .as_slice()
            .first()
            .map_or(i64::MAX, |sample| sample.time);
        self.tables = Arc::clone(&generation.data.tables);
        self.generation = Arc::clone(&generation.data);
        match &mut self.input {
            Input::Inline { streams, .. } => *streams = std::mem::take(&mut generation.streams),
            Input::Overlapped(pipeline) => pipeline.begin(&mut generation),
        }
        self.decode_context = generation.decode;
        for at in 0..self.cursors.len() {
            if let Some(time) = self.load_chunk(at)? {
                self.frontier.push(Entry {
                    time,
                    cursor: at as u32,
                });
            }
        }
        if !self.frontier.is_empty() {
            let first = *self.first_number.get_or_insert(number);
            self.order.begin_generation(number, first);
            self.start_run();
        }
        Ok(self.deliver_sync(generation.start, true))
    }
}
