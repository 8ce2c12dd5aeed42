//! From events of the v1 formats to those of the public model, as Go's parser converts them (format
//! specification, section 6.3).
//!
//! The trace becomes one generation. What exists when tracing starts is told by creations that are
//! none; up to the first event that says how many procs there are, these become statuses.

mod salvage;
mod texts;

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use exectrace_wire::{
    EventType as Out, Generation, GoStatus, ProcStatus, TaskId, Version,
    v1::{EventType as In, Payload, decode_record},
};

pub(super) use self::texts::add_own_strings;
use self::{
    salvage::Salvage,
    texts::{OwnString, block_reason, stw_reason},
};
use super::{
    V1Error,
    index::{NO_PROC, Trace},
    lane::Event,
    losses::Losses,
    order::Order,
    replay::{Placed, Replay},
};
use crate::{
    error::{Error, ErrorKind},
    generation::GenerationData,
    record::{NONE, Record, What},
    salvage::SalvageReport,
    state::{GoState, ProcState},
};

/// Procs that Go's parser makes up, for events that no proc can be said to have written.
mod made_up {
    pub(super) const TIMER: i32 = 1_000_001;
    pub(super) const NETPOLL: i32 = 1_000_002;
    pub(super) const SYSCALL: i32 = 1_000_003;
    pub(super) const COLLECTOR: i32 = 1_000_004;
}

/// Where the text of an event is that is not in its arguments.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kept {
    Nothing,
    /// A string of the table.
    String(u64),
    /// Bytes of the file.
    Bytes {
        start: usize,
        end: usize,
    },
}

/// An event of the public model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Converted {
    pub(super) record: Record,
    pub(super) kept: Kept,
}

impl Converted {
    pub(super) fn plain(record: Record) -> Self {
        Self {
            record,
            kept: Kept::Nothing,
        }
    }

    /// A sync.
    pub(super) fn sync(number: u64, time: i64, begins_generation: bool) -> Self {
        Self::plain(Record {
            goroutine: NONE,
            time,
            thread: NONE,
            proc: NONE,
            args: [number, u64::from(begins_generation), 0, 0],
            resource: NONE,
            what: What::Sync,
        })
    }
}

/// Converts the events of a trace, one after the other.
pub(super) struct Converter {
    pub(super) generation: Arc<GenerationData>,
    /// By the proc's place in the index.
    procs: Vec<ProcOut>,
    /// Whether the events tell what exists when tracing starts.
    starting: bool,
    /// Goroutines that exist when tracing starts and of which no more is known.
    unmentioned: BTreeSet<u64>,
    /// Goroutines that wait for the network.
    on_network: HashSet<u64>,
    /// The name and the parent of each task.
    tasks: HashMap<u64, (u64, u64)>,
    stw_reason: u64,
    system_calls: u64,
    /// What follows the last record.
    extra: VecDeque<Converted>,
    first_time: Option<i64>,
    nanos_per_tick: f64,
    is_salvaging: bool,
    /// In salvage mode, but for when it is in use.
    salvage: Option<Box<Salvage>>,
}

#[derive(Clone, Debug, Default)]
struct ProcOut {
    id: i32,
    is_known: bool,
    thread: Option<u64>,
}

impl Converter {
    pub(super) fn new(trace: &Trace, order: &Order, losses: Option<Losses>) -> Self {
        let proc = |proc: &super::index::Proc| ProcOut {
            id: proc.id,
            ..ProcOut::default()
        };
        Self {
            generation: Arc::new(GenerationData {
                number: Generation(1),
                frequency: trace.frequency as u64,
                clock: None,
                tables: Arc::clone(&trace.tables),
                bytes: trace.data.len() as u64,
                threads: order.threads.len(),
                experimental: Vec::new(),
            }),
            procs: trace.procs.iter().map(proc).collect(),
            starting: true,
            unmentioned: BTreeSet::new(),
            on_network: HashSet::new(),
            tasks: HashMap::new(),
            stw_reason: stw_reason(trace, u64::MAX),
            system_calls: 0,
            extra: VecDeque::new(),
            first_time: None,
            nanos_per_tick: 1e9 / trace.frequency as f64,
            is_salvaging: losses.is_some(),
            salvage: losses.map(|losses| Box::new(Salvage::new(trace, losses))),
        }
    }

    /// What salvage mode has lost; `None` in strict mode.
    pub(super) fn losses(&mut self) -> Option<&mut Losses> {
        self.salvage.as_mut().map(|salvage| &mut salvage.losses)
    }

    pub(super) fn report(&self) -> Option<&SalvageReport> {
        self.salvage.as_ref().map(|salvage| salvage.losses.report())
    }

    /// Makes `out` the next event; its time is not yet made to increase. False at the end.
    #[inline]
    pub(super) fn next(
        &mut self,
        replay: &mut Replay,
        trace: &Trace,
        order: &Order,
        out: &mut Converted,
    ) -> Result<bool, Error> {
        loop {
            if let Some(extra) = self.extra.pop_front() {
                *out = extra;
                return Ok(true);
            }
            let Some(placed) = replay.next(trace, order) else {
                return Ok(false);
            };
            if self.is_salvaging {
                self.convert_salvaging(placed, trace, order);
            } else if self.convert(placed, trace, order, out)? {
                return Ok(true);
            }
        }
    }

    /// Nanoseconds since the first event, bit for bit as in Go.
    #[inline(always)]
    fn nanos(&mut self, ticks: i64) -> i64 {
        let first = *self.first_time.get_or_insert(ticks);
        let nanos = ticks.wrapping_sub(first) as f64 * self.nanos_per_tick;
        // Beyond the range, Go on amd64 yields the smallest integer; Rust would saturate.
        const LIMIT: f64 = 9_223_372_036_854_775_808.0;
        if nanos < LIMIT {
            nanos as i64
        } else {
            i64::MIN
        }
    }

    /// Makes `out` of an event. False if nothing becomes of it; some leave more in [`Self::extra`].
    #[inline]
    fn convert(
        &mut self,
        placed: &Placed,
        trace: &Trace,
        order: &Order,
        out: &mut Converted,
    ) -> Result<bool, Error> {
        let event = &placed.event;
        let (a, mut b, c) = (event.arg::<0>(), event.arg::<1>(), event.arg::<2>());
        // 1. When and where.
        let time = self.nanos(event.time);
        let stack = match event.stack() {
            stack if trace.tables.stacks.contains(stack) => stack,
            _ => 0,
        };
        let proc = self.proc_of(placed, trace);
        let own = self.procs.get_mut(placed.proc);
        let (on_own_proc, thread) = match &own {
            Some(own) => (own.id == proc, own.thread),
            None => (false, None),
        };
        // Each field is written where it stays; see [`Event::BLANK`] for why.
        let Converted { record, kept } = out;
        record.goroutine = some_or_none(event.goroutine);
        record.time = time;
        record.thread = match thread {
            Some(thread) if on_own_proc && proc != NO_PROC => thread,
            _ => NONE,
        };
        record.proc = wire_proc(proc);
        record.resource = NONE;
        *kept = Kept::Nothing;
        let text = |own: OwnString| trace.own_strings + own as u64;

        // 2. What.
        use GoState::{NotExist, Runnable, Running, Syscall, Undetermined, Waiting};
        let running = event.goroutine;
        let mut go = |out, id, from, to, args| {
            record.what = What::Goroutine(out, from, to);
            record.resource = id;
            record.args = args;
        };
        let status = |id, status: GoStatus| [id, NONE, status.to_wire(), 0];
        match event.event_type {
            In::GoStart | In::GoStartLocal if self.starting => {
                self.unmentioned.remove(&a);
                let args = status(a, GoStatus::Running);
                go(Out::GoStatus, a, Undetermined, Running, args);
            }
            In::GoStart => go(Out::GoStart, a, Runnable, Running, [a, b, 0, 0]),
            In::GoStartLocal => go(Out::GoStart, a, Runnable, Running, [a, 0, 0, 0]),
            In::GoStartLabel => {
                go(Out::GoStart, a, Runnable, Running, [a, b, 0, 0]);
                // As in Go: thread 0 on a proc that was never started.
                record.thread = thread.unwrap_or(0);
                self.check_string(c, event, trace)?;
                let label = Record {
                    what: What::Plain(Out::GoLabel),
                    resource: NONE,
                    args: [c, 0, 0, 0],
                    ..*record
                };
                self.extra.push_back(Converted::plain(label));
            }
            In::GoEnd => go(Out::GoDestroy, running, Running, NotExist, [0; 4]),
            In::GoSched | In::GoPreempt => {
                let reason = match event.event_type {
                    In::GoSched => OwnString::Gosched,
                    _ => OwnString::Preempted,
                };
                let args = [text(reason), stack, 0, 0];
                go(Out::GoStop, running, Running, Runnable, args);
            }
            In::GoStop
            | In::GoSleep
            | In::GoBlock
            | In::GoBlockSend
            | In::GoBlockRecv
            | In::GoBlockSelect
            | In::GoBlockSync
            | In::GoBlockCond
            | In::GoBlockNet
            | In::GoBlockGC => {
                if event.event_type == In::GoBlockNet {
                    self.on_network.insert(running);
                }
                let args = [text(block_reason(event.event_type)), stack, 0, 0];
                go(Out::GoBlock, running, Running, Waiting, args);
            }
            In::GoUnblock => go(Out::GoUnblock, a, Waiting, Runnable, [a, b, stack, 0]),
            In::GoUnblockLocal => go(Out::GoUnblock, a, Waiting, Runnable, [a, 0, stack, 0]),
            In::GoCreate if self.starting => {
                self.unmentioned.insert(a);
                return Ok(false);
            }
            In::GoCreate => {
                if trace.version() == Version::Go105 {
                    b = start_stack(b);
                }
                if !trace.tables.stacks.contains(b) && !self.is_salvaging {
                    // Go crashes when the event is printed.
                    return Err(Error::at(event.at as u64, ErrorKind::MissingStack(b)));
                }
                go(Out::GoCreate, a, NotExist, Runnable, [a, b, stack, 0]);
            }
            In::GoWaiting => {
                self.unmentioned.remove(&a);
                let args = status(a, GoStatus::Waiting);
                go(Out::GoStatus, a, Undetermined, Waiting, args);
            }
            In::GoInSyscall => {
                self.unmentioned.remove(&a);
                let args = status(a, GoStatus::Syscall);
                go(Out::GoStatus, a, Undetermined, Syscall, args);
            }
            In::GoSysCall => {
                let args = [0, stack, 0, 0];
                go(Out::GoSyscallBegin, running, Running, Syscall, args);
                let call = self.system_calls;
                self.system_calls += 1;
                if !order.blocked.contains(call) {
                    record.thread = thread.unwrap_or(0);
                    let end = Record {
                        time: time.wrapping_add(1),
                        what: What::Goroutine(Out::GoSyscallEnd, Syscall, Running),
                        args: [0; 4],
                        ..*record
                    };
                    self.extra.push_back(Converted::plain(end));
                }
            }
            // Told when the call began.
            In::GoSysBlock => return Ok(false),
            // It has done its work when wakeups in vain were left out.
            In::FutileWakeup if trace.version() < Version::Go111 => return Ok(false),
            In::GoSysExit | In::GoSysExitLocal => {
                go(Out::GoSyscallEndBlocked, running, Syscall, Runnable, [0; 4]);
            }
            In::ProcStart | In::ProcStop => {
                let starts = event.event_type == In::ProcStart;
                if let Some(own) = own {
                    record.what = own.start_or_stop(starts);
                    record.resource = record.proc;
                    record.args = match record.what {
                        What::Proc(Out::ProcStatus, ..) => {
                            let status = if starts {
                                ProcStatus::Running
                            } else {
                                ProcStatus::Idle
                            };
                            [record.proc, status.to_wire(), 0, 0]
                        }
                        _ => [record.proc, 0, 0, 0],
                    };
                    if starts {
                        own.thread = Some(a);
                        record.thread = if proc == NO_PROC { NONE } else { a };
                    } else {
                        own.thread = None;
                    }
                }
            }
            In::Gomaxprocs if self.starting => {
                self.starting = false;
                self.tell_unmentioned(time);
                return Ok(false);
            }
            In::CPUSample => {
                record.what = What::CpuSample;
                record.thread = NONE;
                record.args = [stack, NONE, record.proc, event.goroutine];
            }
            In::STWStart => {
                self.stw_reason = stw_reason(trace, a);
                record.what = What::Plain(Out::STWBegin);
                record.args = [self.stw_reason, 0, 0, 0];
            }
            In::STWDone => {
                record.what = What::Kept(Out::STWEnd);
                *kept = Kept::String(self.stw_reason);
            }
            In::UserTaskCreate => {
                self.check_string(c, event, trace)?;
                self.tasks.insert(a, (c, b));
                let parent = if b == 0 { TaskId::NONE.0 } else { b };
                record.what = What::Plain(Out::UserTaskBegin);
                record.args = [a, parent, c, stack];
            }
            In::UserTaskEnd => {
                let (name, parent) = self.tasks.remove(&a).unwrap_or((0, TaskId::NONE.0));
                record.what = What::Kept(Out::UserTaskEnd);
                record.args = [a, stack, parent, 0];
                *kept = Kept::String(name);
            }
            In::UserRegion => {
                self.check_string(c, event, trace)?;
                record.what = What::Plain(match b {
                    0 => Out::UserRegionBegin,
                    _ => Out::UserRegionEnd,
                });
                record.args = [a, c, stack, 0];
            }
            In::UserLog => {
                self.check_string(b, event, trace)?;
                record.what = What::Kept(Out::UserLog);
                record.args = [a, b, 0, stack];
                *kept = message(event, trace);
            }
            other => {
                let (out, args) = plain(other, event, stack)
                    .ok_or_else(|| Error::at(event.at as u64, V1Error::Unexpected(other)))?;
                record.what = What::Plain(out);
                record.args = args;
            }
        }
        Ok(true)
    }

    /// The proc that an event is said to have happened on.
    #[inline(always)]
    fn proc_of(&mut self, placed: &Placed, trace: &Trace) -> i32 {
        let event = &placed.event;
        match event.event_type {
            In::GoUnblock | In::GoUnblockLocal => {
                let by_timer = trace.is_by_timer(event);
                let from_network =
                    !self.on_network.is_empty() && self.on_network.remove(&event.arg::<0>());
                // Go 1.27 and Go 1.21, which reads the older traces, differ here.
                if from_network && !(by_timer && trace.version() < Version::Go111) {
                    return made_up::NETPOLL;
                }
                if by_timer {
                    return made_up::TIMER;
                }
            }
            In::GoSysExit | In::GoSysExitLocal => return made_up::SYSCALL,
            In::GCStart => return made_up::COLLECTOR,
            In::CPUSample => return event.arg::<1>() as i32,
            _ => {}
        }
        self.procs.get(placed.proc).map_or(NO_PROC, |proc| proc.id)
    }

    /// Statuses of the goroutines of which nothing is known but that they exist. Go tells them in
    /// the order of a hash map; here it is that of their ids.
    fn tell_unmentioned(&mut self, time: i64) {
        let unmentioned = std::mem::take(&mut self.unmentioned);
        self.extra.extend(unmentioned.into_iter().map(|id| {
            let record = Record {
                goroutine: NONE,
                time,
                thread: NONE,
                proc: NONE,
                args: [id, NONE, GoStatus::Runnable.to_wire(), 0],
                resource: id,
                what: What::Goroutine(Out::GoStatus, GoState::Undetermined, GoState::Runnable),
            };
            Converted::plain(record)
        }));
    }

    fn check_string(&self, id: u64, event: &Event, trace: &Trace) -> Result<(), Error> {
        if trace.tables.strings.contains(id) || self.is_salvaging {
            return Ok(());
        }
        Err(Error::at(event.at as u64, V1Error::MissingString(id)))
    }
}

impl ProcOut {
    fn start_or_stop(&mut self, starts: bool) -> What {
        let is_known = std::mem::replace(&mut self.is_known, true);
        match (is_known, starts) {
            (true, true) => What::Proc(Out::ProcStart, ProcState::Idle, ProcState::Running),
            (true, false) => What::Proc(Out::ProcStop, ProcState::Running, ProcState::Idle),
            (false, true) => {
                What::Proc(Out::ProcStatus, ProcState::Undetermined, ProcState::Running)
            }
            (false, false) => What::Proc(Out::ProcStatus, ProcState::Undetermined, ProcState::Idle),
        }
    }
}

/// In Go 1.5, where a goroutine starts is told by a program counter: the id of the stack that is made
/// of it. Ids of the trace's own stacks have 32 bits.
pub(super) fn start_stack(pc: u64) -> u64 {
    pc | 1 << 63
}

/// Events that differ in their numbers only.
fn plain(event_type: In, event: &Event, stack: u64) -> Option<(Out, [u64; 4])> {
    let (a, b) = (event.arg::<0>(), event.arg::<1>());
    Some(match event_type {
        In::Gomaxprocs => (Out::ProcsChange, [a, stack, 0, 0]),
        In::GCStart => (Out::GCBegin, [a, stack, 0, 0]),
        In::GCDone => (Out::GCEnd, [0; 4]),
        In::GCSweepStart => (Out::GCSweepBegin, [stack, 0, 0, 0]),
        In::GCSweepDone => (Out::GCSweepEnd, [a, b, 0, 0]),
        In::GCMarkAssistStart => (Out::GCMarkAssistBegin, [stack, 0, 0, 0]),
        In::GCMarkAssistDone => (Out::GCMarkAssistEnd, [0; 4]),
        In::HeapAlloc => (Out::HeapAlloc, [a, 0, 0, 0]),
        In::HeapGoal => (Out::HeapGoal, [a, 0, 0, 0]),
        _ => return None,
    })
}

/// Where the message of a log event is.
fn message(event: &Event, trace: &Trace) -> Kept {
    let Ok(record) = decode_record(&trace.data[event.at..], trace.version()) else {
        return Kept::Nothing;
    };
    let Payload::Data(message) = record.payload() else {
        return Kept::Nothing;
    };
    let end = event.at + record.bytes().len();
    Kept::Bytes {
        start: end - message.len(),
        end,
    }
}

/// Goroutine 0 is none.
fn some_or_none(goroutine: u64) -> u64 {
    if goroutine == 0 { NONE } else { goroutine }
}

/// Procs have negative ids where there is none, and in hostile traces.
fn wire_proc(id: i32) -> u64 {
    i64::from(id) as u64
}

#[cfg(test)]
impl Converter {
    /// When and where an event happened: nanoseconds, proc, goroutine.
    pub(super) fn listed(
        &mut self,
        placed: &Placed,
        trace: &Trace,
        order: &Order,
    ) -> (i64, i32, u64) {
        let nanos = self.nanos(placed.event.time);
        let mut converted = Converted::sync(0, 0, false);
        // An event that becomes nothing has a proc all the same.
        let is_some = self.convert(placed, trace, order, &mut converted);
        let proc = match is_some {
            Ok(true) => converted.record.proc as i64 as i32,
            _ => self.procs.get(placed.proc).map_or(NO_PROC, |proc| proc.id),
        };
        self.extra.clear();
        (nanos, proc, placed.event.goroutine)
    }
}
