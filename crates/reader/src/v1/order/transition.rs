//! What events need of goroutines to come next, and what they make of them.

use exectrace_wire::v1::EventType;

use super::super::{
    goroutines::{Goroutine, Status},
    lane::Event,
};

/// What a goroutine must be like for an event to come next, and what the event makes of it.
pub(super) struct Transition {
    pub(super) goroutine: u64,
    pub(super) seq: u64,
    pub(super) status: Status,
    next_seq: u64,
    next: Status,
}

/// The event needs no particular number of transitions, and leaves it.
pub(super) const ANY: u64 = u64::MAX;
/// The event adds one to it.
const ONE_MORE: u64 = u64::MAX - 1;
/// Garbage collections are ordered among each other like transitions of a goroutine.
const COLLECTOR: u64 = u64::MAX - 1;
/// An id that no goroutine has, as in Go.
const NO_GOROUTINE: u64 = u64::MAX;

impl Transition {
    /// `None` for events that can always come next.
    #[inline(always)]
    pub(super) fn of(event: &Event) -> Option<Self> {
        use EventType as T;
        let (id, seq) = (event.arg::<0>(), event.arg::<1>());
        let transition = |goroutine, (seq, status), (next_seq, next)| Self {
            goroutine,
            seq,
            status,
            next_seq,
            next,
        };
        let g = event.goroutine;
        let transition = match event.event_type {
            T::GoCreate => transition(id, (0, Status::Dead), (1, Status::Runnable)),
            T::GoWaiting | T::GoInSyscall => {
                transition(g, (1, Status::Runnable), (2, Status::Waiting))
            }
            T::GoStart | T::GoStartLabel => transition(
                g,
                (seq, Status::Runnable),
                (seq.wrapping_add(1), Status::Running),
            ),
            // Written on the proc that made the goroutine runnable: that comes before in any case.
            T::GoStartLocal => transition(g, (ANY, Status::Runnable), (ONE_MORE, Status::Running)),
            T::GoBlock
            | T::GoBlockSend
            | T::GoBlockRecv
            | T::GoBlockSelect
            | T::GoBlockSync
            | T::GoBlockCond
            | T::GoBlockNet
            | T::GoBlockGC
            | T::GoSleep
            | T::GoSysBlock => transition(g, (ANY, Status::Running), (ANY, Status::Waiting)),
            T::GoSched | T::GoPreempt => {
                transition(g, (ANY, Status::Running), (ANY, Status::Runnable))
            }
            T::GoUnblock | T::GoSysExit => transition(
                id,
                (seq, Status::Waiting),
                (seq.wrapping_add(1), Status::Runnable),
            ),
            T::GoUnblockLocal | T::GoSysExitLocal => {
                transition(id, (ANY, Status::Waiting), (ONE_MORE, Status::Runnable))
            }
            T::GCStart => transition(
                COLLECTOR,
                (id, Status::Dead),
                (id.wrapping_add(1), Status::Dead),
            ),
            _ => return None,
        };
        (transition.goroutine != NO_GOROUTINE).then_some(transition)
    }

    #[inline(always)]
    pub(super) fn can_happen(&self, g: &Goroutine) -> bool {
        (self.seq == ANY || self.seq == g.seq) && self.status == g.status
    }

    #[inline(always)]
    pub(super) fn happen(&self, g: &mut Goroutine) {
        g.seq = match self.next_seq {
            ANY => g.seq,
            ONE_MORE => g.seq.wrapping_add(1),
            seq => seq,
        };
        g.status = self.next;
    }
}
