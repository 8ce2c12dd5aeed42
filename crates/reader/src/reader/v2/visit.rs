//! All events in one loop, faster than one after the other.

use std::ops::ControlFlow;

use super::{DeliveryClock, V2Reader};
use crate::{error::Error, event::Event};

impl V2Reader<'_> {
    /// See [`crate::Reader::try_for_each`].
    #[inline(always)]
    pub(crate) fn try_for_each<B>(
        &mut self,
        mut visit: impl FnMut(Event<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, Error> {
        loop {
            // 1. Run after run, as far as that goes.
            if let ControlFlow::Break(broken) = self.visit_runs(&mut visit) {
                return Ok(ControlFlow::Break(broken));
            }
            // 2. One event with all the care that it may need.
            let Some(event) = self.next_event()? else {
                return Ok(ControlFlow::Continue(()));
            };
            if let ControlFlow::Break(broken) = visit(event) {
                return Ok(ControlFlow::Break(broken));
            }
        }
    }

    /// Visits events up to the first that is not for this loop: one that is refused or leaves more
    /// than one record, and what [`crate::stream::Chunk::plain_events`] excludes.
    #[inline(always)]
    fn visit_runs<B>(
        &mut self,
        visit: &mut impl FnMut(Event<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if !self.order.has_delivered_all() {
            return ControlFlow::Continue(());
        }
        let mut clock = DeliveryClock::new(self.last_time);
        let mut delivered = 0;
        let result = loop {
            let Some(cursor) = self.cursors.get_mut(self.run.cursor) else {
                break ControlFlow::Continue(());
            };
            let (slot, until) = (self.run.slot, self.run.until);
            let mut later = None;
            let mut events = cursor.chunk.plain_events(cursor.at).iter();
            let all = events.len();
            let result = 'run: loop {
                // 1. Transitions, nearly all there is.
                let mut transitions = self.order.transitions(slot);
                let other = loop {
                    let Some(event) = events.as_slice().first() else {
                        break 'run ControlFlow::Continue(());
                    };
                    if event.time() > until {
                        later = Some(event.time());
                        break 'run ControlFlow::Continue(());
                    }
                    if !transitions.advance(event) {
                        break event;
                    }
                    events.next();
                    clock.deliver(transitions.record);
                    let result = visit(Event::new(
                        transitions.record,
                        event.args_in_place(),
                        &self.generation,
                        transitions.kept,
                    ));
                    if result.is_break() {
                        break 'run result;
                    }
                };
                // 2. An event that has a rule of its own.
                let advanced = self.order.advance_by_rule(slot, other, &self.tables);
                if advanced.is_err() {
                    // Once more, with what can be done about it.
                    break ControlFlow::Continue(());
                }
                events.next();
                clock.deliver(self.order.record(0));
                let (record, kept) = self.order.delivered(0);
                let result = visit(Event::new(record, &record.args, &self.generation, kept));
                if result.is_break() || !self.order.has_delivered_all() {
                    break result;
                }
            };
            let visited = all - events.len();
            cursor.at += visited;
            delivered += visited as u64;
            // 3. The next run.
            match later {
                Some(time) if self.switch_run(time) => {}
                _ => break result,
            }
        };
        self.last_time = clock.last;
        self.stats.raised_times += clock.raised;
        self.stats.events += delivered;
        result
    }
}
