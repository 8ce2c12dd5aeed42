//! Wakeups in vain, which tracers before Go 1.8 tell of and the model has no place for.
//!
//! A goroutine is unblocked, starts, finds that it has to wait on, and blocks again. Go's tools leave
//! all of that out, and so do we (Go 1.21: `internal/trace`, `removeFutile`).

use std::collections::HashMap;

use exectrace_wire::v1::EventType as T;

use super::{index::Trace, order::Order, replay::Replay};

/// A goroutine that was woken.
#[derive(Default)]
struct Woken {
    in_vain: bool,
    /// The final places of what would be left out.
    places: Vec<u64>,
}

/// The final places of events that belong to wakeups in vain, in order.
pub(super) fn wakeups(trace: &Trace, order: &Order) -> Vec<u64> {
    let mut woken: HashMap<u64, Woken> = HashMap::new();
    let mut futile = Vec::new();
    let mut replay = Replay::new(trace, order);
    let mut place = 0;
    while let Some(placed) = replay.next(trace, order) {
        let event = &placed.event;
        match event.event_type {
            T::GoUnblock | T::GoUnblockLocal => {
                woken.entry(event.arg::<0>()).or_default().places = vec![place];
            }
            T::GoStart | T::GoStartLocal | T::GoPreempt | T::FutileWakeup => {
                let woken = woken.entry(event.goroutine).or_default();
                woken.places.push(place);
                woken.in_vain |= event.event_type == T::FutileWakeup;
            }
            T::GoBlock
            | T::GoBlockSend
            | T::GoBlockRecv
            | T::GoBlockSelect
            | T::GoBlockSync
            | T::GoBlockCond => {
                if let Some(woken) = woken.remove(&event.goroutine)
                    && woken.in_vain
                {
                    futile.extend(woken.places);
                    futile.push(place);
                }
            }
            _ => {}
        }
        place += 1;
    }
    futile.sort_unstable();
    futile.dedup();
    futile
}
