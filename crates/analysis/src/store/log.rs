//! The table of goroutines' states: what most of a trace consists of.
//!
//! There is a row for each start of an interval, in order of time. It ends where the next row of the
//! same goroutine begins. A row takes 13 to 17 bytes: see [`Column`] and [`TimeColumn`].

use std::collections::HashMap;

use exectrace_reader::Time;

use crate::{
    column::{Column, TimeColumn},
    ids::{GoroutineIx, PlaceIx, RowIx, StackIx, StringIx},
    state::State,
};

/// What a row says beside when, who and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Code {
    /// The state that begins; `None` if the goroutine ends.
    pub(crate) state: Option<State>,
    /// The state before; `None` if the goroutine was created or was not known before.
    pub(crate) before: Option<State>,
    /// Why it stopped or blocked; the empty string if it did neither.
    pub(crate) reason: StringIx,
}

/// Who or what changed a goroutine's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Another goroutine: it created, woke or switched to this one.
    Goroutine(GoroutineIx),
    /// Something on this thread: the goroutine itself, or the scheduler.
    Place(PlaceIx),
}

impl Cause {
    fn pack(self) -> u32 {
        match self {
            Self::Goroutine(goroutine) => goroutine.0 << 1,
            Self::Place(place) => place.0 << 1 | 1,
        }
    }

    fn unpack(packed: u32) -> Self {
        match packed & 1 {
            0 => Self::Goroutine(GoroutineIx(packed >> 1)),
            _ => Self::Place(PlaceIx(packed >> 1)),
        }
    }
}

/// A row before it is stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewRow {
    pub(crate) goroutine: GoroutineIx,
    pub(crate) code: Code,
    pub(crate) stack: Option<StackIx>,
    pub(crate) cause: Cause,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct GoroutineLog {
    times: TimeColumn,
    goroutines: Column,
    /// Indices into `code_list`.
    codes: Column,
    stacks: Column,
    causes: Column,
    code_list: Vec<Code>,
    code_numbers: HashMap<Code, u32>,
    /// The codes that were used last, by a few of their bits, and their numbers.
    recent: RecentCodes,
}

#[derive(Clone, Debug)]
struct RecentCodes(Box<[Option<(Code, u32)>]>);

/// A power of two. Reasons are among the first strings of a trace, so that they rarely share a place.
const RECENT: usize = 1 << 12;

impl Default for RecentCodes {
    fn default() -> Self {
        Self(vec![None; RECENT].into_boxed_slice())
    }
}

impl GoroutineLog {
    #[inline]
    pub(crate) fn push(&mut self, time: Time, row: NewRow) {
        let code = self.number_of(row.code);
        self.times.push(time);
        self.goroutines.push(row.goroutine.0);
        self.codes.push(code);
        self.stacks.push(StackIx::pack(row.stack));
        self.causes.push(row.cause.pack());
    }

    /// Begins an epoch of time, at which rows can be inserted later.
    pub(crate) fn begin_epoch(&mut self, time: Time) {
        self.times.begin_epoch(time);
    }

    /// Inserts rows at the start of an epoch, which began at this index. No row that follows may be
    /// known by its index already.
    pub(crate) fn insert(&mut self, at: usize, rows: &[NewRow]) {
        let codes: Vec<u32> = rows.iter().map(|row| self.number_of(row.code)).collect();
        self.times.insert_at_epoch(at, rows.len());
        self.goroutines
            .insert(at, rows.iter().map(|row| row.goroutine.0));
        self.codes.insert(at, codes.into_iter());
        self.stacks
            .insert(at, rows.iter().map(|row| StackIx::pack(row.stack)));
        self.causes
            .insert(at, rows.iter().map(|row| row.cause.pack()));
    }

    #[inline]
    fn number_of(&mut self, code: Code) -> u32 {
        let state = |state: Option<State>| state.map_or(7, |state| state as usize);
        let slot =
            (code.reason.index() << 6 | state(code.state) << 3 | state(code.before)) % RECENT;
        if let Some((recent, number)) = self.recent.0[slot]
            && recent == code
        {
            return number;
        }
        let number = *self.code_numbers.entry(code).or_insert_with(|| {
            self.code_list.push(code);
            (self.code_list.len() - 1) as u32
        });
        self.recent.0[slot] = Some((code, number));
        number
    }

    /// As [`TimeColumn::seal`].
    pub(crate) fn seal(&mut self) {
        self.times.seal();
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.goroutines.len()
    }

    #[inline]
    pub(crate) fn time(&self, row: RowIx) -> Time {
        self.times.get(row.index())
    }

    #[inline]
    pub(crate) fn goroutine(&self, row: RowIx) -> GoroutineIx {
        GoroutineIx(self.goroutines.get(row.index()))
    }

    #[inline]
    pub(crate) fn code(&self, row: RowIx) -> Code {
        self.code_list[self.codes.get(row.index()) as usize]
    }

    #[inline]
    pub(crate) fn stack(&self, row: RowIx) -> Option<StackIx> {
        StackIx::unpack(self.stacks.get(row.index()))
    }

    #[inline]
    pub(crate) fn cause(&self, row: RowIx) -> Cause {
        Cause::unpack(self.causes.get(row.index()))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.times.bytes()
            + self.goroutines.bytes()
            + self.codes.bytes()
            + self.stacks.bytes()
            + self.causes.bytes()
            + size_of_val(&self.code_list[..])
    }
}

/// The rows of each goroutine, in order of time.
#[derive(Clone, Debug)]
pub(crate) struct Histories {
    /// Where each goroutine's rows end in `rows`.
    ends: Vec<u32>,
    rows: Vec<RowIx>,
}

impl Histories {
    /// Time and memory linear in the rows.
    pub(crate) fn new(log: &GoroutineLog, goroutines: usize) -> Self {
        // 1. How many rows each goroutine has, which gives the place where they start.
        let mut next = vec![0u32; goroutines];
        for row in 0..log.len() {
            next[log.goroutine(RowIx::new(row)).index()] += 1;
        }
        let mut total = 0;
        for count in &mut next {
            total += std::mem::replace(count, total);
        }
        // 2. Each row to its place: then each goroutine's next place is where its rows end.
        let mut rows = vec![RowIx(0); log.len()];
        for row in 0..log.len() {
            let row = RowIx::new(row);
            let place = &mut next[log.goroutine(row).index()];
            rows[*place as usize] = row;
            *place += 1;
        }
        Self { ends: next, rows }
    }

    pub(crate) fn of(&self, goroutine: GoroutineIx) -> &[RowIx] {
        let at = goroutine.index();
        let start = match at {
            0 => 0,
            at => self.ends[at - 1],
        };
        &self.rows[start as usize..self.ends[at] as usize]
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&self.ends[..]) + size_of_val(&self.rows[..])
    }
}
