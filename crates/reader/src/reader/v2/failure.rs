//! Errors with their places.

use super::*;

impl V2Reader<'_> {
    #[cold]
    pub(super) fn fail(&mut self, error: Error) -> Error {
        self.run = Run::NONE;
        self.frontier.clear();
        self.next_sample = i64::MAX;
        self.samples = Vec::new().into_iter();
        self.order.clear_queue();
        self.phase = Phase::Failed(error.clone());
        error
    }

    #[cold]
    pub(super) fn place_of(&self, at: usize, before: usize) -> Place {
        let cursor = &self.cursors[at];
        let event = cursor
            .at
            .checked_sub(before)
            .and_then(|at| cursor.chunk.events.get(at));
        Place {
            offset: event.map(|event| cursor.chunk.data_offset + u64::from(event.at)),
            generation: Some(self.generation.number),
            thread: cursor.thread,
            event: event.map(|event| event.event_type),
        }
    }

    #[cold]
    pub(super) fn error_at(&self, at: usize, kind: impl Into<ErrorKind>) -> Error {
        Error::new(kind, self.place_of(at, 0))
    }

    /// An event that has advanced names a string or stack that is not there.
    #[cold]
    pub(super) fn note_dangling(&mut self, at: usize) -> Result<(), Error> {
        match &mut self.salvaging {
            Some(salvaging) => {
                salvaging.count_nameless();
                Ok(())
            }
            None => Err(self.dangling_error(at)),
        }
    }

    #[cold]
    pub(super) fn dangling_error(&self, at: usize) -> Error {
        let (record, _) = self.order.delivered(0);
        let kind = record
            .what
            .event_type()
            .and_then(|event_type| find_dangling(event_type, &record.args, &self.tables))
            .unwrap_or(ErrorKind::MissingString(0));
        Error::new(kind, self.place_of(at, 1))
    }

    #[cold]
    pub(super) fn stuck_error(&self) -> Error {
        let mut stalled = Vec::new();
        let mut place = Place {
            generation: Some(self.generation.number),
            ..Place::default()
        };
        for entry in self.frontier.iter() {
            let cursor = &self.cursors[entry.cursor as usize];
            let Some(event) = cursor.chunk.events.get(cursor.at) else {
                continue;
            };
            if stalled.is_empty() {
                place = self.place_of(entry.cursor as usize, 0);
            }
            let arity = event.event_type.spec().args.len() - 1;
            stalled.push(Stalled {
                thread: cursor.thread,
                event: event.event_type,
                time: event.time(),
                args: event.args()[..arity].to_vec(),
            });
        }
        Error::new(ErrorKind::Stuck(stalled), place)
    }
}
