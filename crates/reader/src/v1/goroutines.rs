//! What is known of goroutines while events are ordered and checked.

use crate::dense::IdMap;

/// How far a goroutine is, as the ordering sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Status {
    /// Not created yet.
    #[default]
    Dead,
    Runnable,
    Running,
    Waiting,
}

/// A goroutine.
#[derive(Clone, Debug)]
pub(super) struct Goroutine {
    /// For the ordering: how many of its numbered transitions have happened.
    pub(super) seq: u64,
    pub(super) status: Status,
    /// The first proc whose next event waits for this goroutine; [`NOBODY`] if there is none.
    pub(super) waiter: u32,

    /// For the check: what it does. The ordering leaves it running when it ends.
    pub(super) state: Status,
    /// The trace has mentioned it.
    pub(super) exists: bool,
    /// The proc that it started on last.
    pub(super) proc: u32,
    /// It assists the mark phase.
    pub(super) assists: bool,

    /// When it last blocked in a system call, in clock units; 0 for never, as in Go.
    pub(super) blocked_at: i64,
    /// That is what it waits for now.
    pub(super) in_syscall: bool,
    /// The number of the system call that it entered last, if nothing has happened to it since.
    pub(super) syscall: Option<u64>,
}

/// No proc.
pub(super) const NOBODY: u32 = u32::MAX;

impl Default for Goroutine {
    fn default() -> Self {
        Self {
            seq: 0,
            status: Status::Dead,
            waiter: NOBODY,
            state: Status::Dead,
            exists: false,
            proc: NOBODY,
            assists: false,
            blocked_at: 0,
            in_syscall: false,
            syscall: None,
        }
    }
}

/// A goroutine in [`Goroutines`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(u32);

/// All goroutines of a trace.
#[derive(Debug, Default)]
pub(super) struct Goroutines {
    slots: IdMap<u32>,
    goroutines: Vec<Goroutine>,
}

impl Goroutines {
    pub(super) fn new() -> Self {
        let mut goroutines = Self::default();
        // Events on no goroutine are allowed where they are.
        let none = goroutines.slot(0);
        goroutines[none].state = Status::Running;
        goroutines[none].exists = true;
        goroutines
    }

    /// The slot of a goroutine.
    #[inline]
    pub(super) fn slot(&mut self, id: u64) -> Slot {
        match self.slots.get(id) {
            Some(slot) => Slot(slot),
            None => self.add(id),
        }
    }

    #[cold]
    fn add(&mut self, id: u64) -> Slot {
        let slot = self.goroutines.len() as u32;
        self.goroutines.push(Goroutine::default());
        self.slots.insert(id, slot);
        Slot(slot)
    }
}

impl std::ops::Index<Slot> for Goroutines {
    type Output = Goroutine;

    #[inline]
    fn index(&self, slot: Slot) -> &Goroutine {
        &self.goroutines[slot.0 as usize]
    }
}

impl std::ops::IndexMut<Slot> for Goroutines {
    #[inline]
    fn index_mut(&mut self, slot: Slot) -> &mut Goroutine {
        &mut self.goroutines[slot.0 as usize]
    }
}
