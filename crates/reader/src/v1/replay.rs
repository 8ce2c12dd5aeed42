//! The third pass: the events in their final order, decoded again.

use exectrace_wire::{Version, v1::EventType, varint};

use super::{
    index::Trace,
    lane::{Event, Lane},
    order::Order,
};

/// A place in the ordered events of a trace.
#[derive(Debug)]
pub(super) struct Replay {
    lanes: Vec<Lane>,
    next_sample: usize,
    /// The place in the order's runs.
    at: usize,
    /// Events left of the run.
    left: u64,
    /// Events of runs taken.
    index: u64,
    /// The next one of the order's exits, and its key; `i64::MAX` if there is none.
    next_exit: usize,
    exit_key: i64,
    /// Events have numbers that order them.
    is_numbered: bool,
    /// The final place of the next event, and the next one of those that are left out.
    place: u64,
    next_futile: usize,
    /// The next one of the order's exits that stay.
    next_unmoved: usize,
    /// The time of the last event; in salvage mode they may run backwards.
    time: i64,
    /// The last event that was written.
    written: Placed,
    /// It comes after exits, one of which was the last event.
    is_held: bool,
    /// The last end of a system call that was moved.
    exit: Placed,
}

/// An event in its final place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    /// The place of its proc in the index; past the end for a CPU sample, or the end of a system
    /// call that was moved.
    pub(super) proc: usize,
    pub(super) event: Event,
}

impl Placed {
    const BLANK: Self = Self {
        proc: 0,
        event: Event::BLANK,
    };
}

impl Replay {
    pub(super) fn new(trace: &Trace, order: &Order) -> Self {
        let lane = |proc: &super::index::Proc| Lane::new(proc.batches.clone());
        Self {
            lanes: trace.procs.iter().map(lane).collect(),
            next_sample: 0,
            at: 0,
            left: 0,
            index: 0,
            next_exit: 0,
            exit_key: order.exits.first().map_or(i64::MAX, |exit| exit.key),
            is_numbered: trace.version() == Version::Go105,
            place: 0,
            next_futile: 0,
            next_unmoved: 0,
            time: i64::MIN,
            written: Placed::BLANK,
            is_held: false,
            exit: Placed::BLANK,
        }
    }

    /// The next event:
    ///
    /// 1. the next one in the order of writing, but for the ends of system calls that are elsewhere;
    /// 2. before it, those that happened before it or, at the same time, were written before it.
    #[inline(always)]
    pub(super) fn next(&mut self, trace: &Trace, order: &Order) -> Option<&Placed> {
        loop {
            let is_exit = match self.next_placed(trace, order) {
                Next::Written => false,
                Next::Exit => true,
                Next::End => return None,
            };
            self.place += 1;
            if order.futile.get(self.next_futile) == Some(&(self.place - 1)) {
                self.next_futile += 1;
                continue;
            }
            return Some(if is_exit { &self.exit } else { &self.written });
        }
    }

    #[inline(always)]
    fn next_placed(&mut self, trace: &Trace, order: &Order) -> Next {
        if !std::mem::take(&mut self.is_held) {
            loop {
                if !self.next_written(trace, order) {
                    return self.next_exit(trace, order);
                }
                self.index += 1;
                let event = &mut self.written.event;
                if !self.is_numbered {
                    self.time = self.time.max(event.time);
                    event.time = self.time;
                }
                let is_moved = event.event_type == EventType::GoSysExit
                    && (event.arg::<2>() != 0 || self.is_numbered);
                if !is_moved || self.stays(order) {
                    break;
                }
            }
        }
        let event = &self.written.event;
        let key = if self.is_numbered {
            event.seq
        } else {
            event.time
        };
        if self.exit_key <= key
            && let Some(exit) = order.exits.get(self.next_exit)
            && (exit.key, exit.index) < (key, self.index - 1)
        {
            self.is_held = true;
            return self.next_exit(trace, order);
        }
        Next::Written
    }

    /// Whether the last event written, an end of a system call, stays where it is.
    #[inline]
    fn stays(&mut self, order: &Order) -> bool {
        let stays = order.unmoved.get(self.next_unmoved) == Some(&(self.index - 1));
        self.next_unmoved += usize::from(stays);
        stays
    }

    /// Decodes the next event that was written; false at the end.
    #[inline(always)]
    fn next_written(&mut self, trace: &Trace, order: &Order) -> bool {
        if self.left == 0 && self.next_run(order).is_none() {
            return false;
        }
        self.left -= 1;
        match self.lanes.get_mut(self.written.proc) {
            Some(lane) => lane.next(trace, &mut self.written.event),
            None => self.next_sample(trace),
        }
    }

    #[inline]
    fn next_run(&mut self, order: &Order) -> Option<()> {
        let (proc, n) = varint::read(&order.runs[self.at..]).ok()?;
        let (count, m) = varint::read(&order.runs[self.at + n..]).ok()?;
        self.at += n + m;
        self.written.proc = proc as usize;
        self.left = count;
        Some(())
    }

    #[cold]
    fn next_sample(&mut self, trace: &Trace) -> bool {
        let Some(sample) = trace.samples.get(self.next_sample) else {
            return false;
        };
        self.next_sample += 1;
        self.written.event = sample.event();
        true
    }

    fn next_exit(&mut self, trace: &Trace, order: &Order) -> Next {
        let Some(exit) = order.exits.get(self.next_exit) else {
            return Next::End;
        };
        self.next_exit += 1;
        self.exit_key = order
            .exits
            .get(self.next_exit)
            .map_or(i64::MAX, |exit| exit.key);
        self.exit = Placed {
            proc: trace.procs.len(),
            event: Event {
                time: exit.time,
                goroutine: exit.goroutine,
                event_type: EventType::GoSysExit,
                numbers: [0, exit.goroutine, 0, 0, 0],
                at: exit.at,
                ..Event::BLANK
            },
        };
        Next::Exit
    }
}

/// Where the next event is.
enum Next {
    Written,
    Exit,
    End,
}
