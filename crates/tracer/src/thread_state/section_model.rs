//! Every order of the steps of write sections: run by `cargo xtask loom`.
//!
//! The fences are the sequentially consistent ones of systems without membarrier(2); what the kernel's
//! barrier does in their place is said in `fence`. Loom itself checks that no half is touched by two
//! threads at once.

use std::collections::VecDeque;

use loom::{sync::Arc, thread};

use super::*;

type Log = Vec<(u64, u64)>;

/// A member that has events to write, and writes each into the phase that it finds.
fn write(member: &Member<u64, Log>, clockwork: &Clockwork) {
    // SAFETY: each model has one thread for a member.
    let mut section = unsafe { member.enter(clockwork) }.expect("not in a section");
    let phase = section.phase();
    section.with(|serial, half| {
        *serial += 1;
        if phase.is_on() {
            half.push((phase.number(), *serial));
        }
    });
}

fn member() -> Arc<Member<u64, Log>> {
    Arc::new(Member::new(0, [Vec::new(), Vec::new()]))
}

/// As `switch` in the parent module.
fn advance(clockwork: &Clockwork, number: u64, on: bool, members: &[&Member<u64, Log>]) -> Log {
    clockwork.set(Phase::new(number + 1, on));
    let mut taken = Vec::new();
    for member in members {
        if let Some(section) = member.section() {
            while !member.has_left(section) {
                thread::yield_now();
            }
        }
        // SAFETY: the sections are over, and there is one caller.
        unsafe { member.take(number, |half| taken.append(half)) };
    }
    assert!(taken.iter().all(|(phase, _)| *phase == number), "{taken:?}");
    taken
}

fn bounded(preemptions: usize) -> loom::model::Builder {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder
}

/// Starting, going on twice, and stopping, while one member writes: nothing is lost between phases.
#[test]
fn every_event_is_in_its_generation() {
    bounded(3).check(|| {
        let clockwork = Arc::new(Clockwork::new(Phase::new(1, true)));
        let writer = member();
        let theirs = {
            let (clockwork, writer) = (clockwork.clone(), writer.clone());
            thread::spawn(move || {
                for _ in 0..3 {
                    write(&writer, &clockwork);
                }
            })
        };
        let mut all = VecDeque::new();
        all.extend(advance(&clockwork, 1, true, &[&writer]));
        all.extend(advance(&clockwork, 2, true, &[&writer]));
        theirs.join().unwrap();
        all.extend(advance(&clockwork, 3, false, &[&writer]));
        let serials: Vec<u64> = all.into_iter().map(|(_, serial)| serial).collect();
        assert_eq!(serials, [1, 2, 3]);
    });
}

/// Tracing starts and stops while two members write: what is written is a run of each one's events.
#[test]
fn starting_and_stopping_cut_no_holes() {
    bounded(2).check(|| {
        let clockwork = Arc::new(Clockwork::new(Phase::new(1, false)));
        let members = [member(), member()];
        let theirs: Vec<_> = members
            .iter()
            .map(|member| {
                let (clockwork, member) = (clockwork.clone(), member.clone());
                thread::spawn(move || {
                    for _ in 0..2 {
                        write(&member, &clockwork);
                    }
                })
            })
            .collect();
        let [one, other] = &members;
        assert!(advance(&clockwork, 1, true, &[one, other]).is_empty());
        let taken = advance(&clockwork, 2, false, &[one, other]);
        for member in theirs {
            member.join().unwrap();
        }
        assert!(advance(&clockwork, 3, false, &[one, other]).is_empty());
        assert!(taken.len() <= 4);
    });
}

/// What one member did before it told another is never in a later generation than what the other does
/// next: invariant 5.
#[test]
fn causes_are_not_later_than_effects() {
    bounded(3).check(|| {
        let clockwork = Arc::new(Clockwork::new(Phase::new(1, true)));
        let told = Arc::new(AtomicU64::new(0));
        let (one, other) = (member(), member());
        let cause = {
            let (clockwork, one, told) = (clockwork.clone(), one.clone(), told.clone());
            thread::spawn(move || {
                write(&one, &clockwork);
                told.store(1, Ordering::Release);
            })
        };
        let effect = {
            let (clockwork, other) = (clockwork.clone(), other.clone());
            thread::spawn(move || {
                // Looked at before the section.
                let is_told = told.load(Ordering::Acquire) == 1;
                if is_told {
                    write(&other, &clockwork);
                }
                is_told
            })
        };
        let causes = advance(&clockwork, 1, true, &[&one]);
        cause.join().unwrap();
        if effect.join().unwrap() && causes.is_empty() {
            // SAFETY: all members have ended.
            unsafe { other.take(1, |half| assert!(half.is_empty())) };
        }
    });
}

/// A member that ends flushes its half of the phase in which it ends; the one before is taken as ever.
#[test]
fn a_member_that_ends_leaves_nothing_behind() {
    bounded(3).check(|| {
        let clockwork = Arc::new(Clockwork::new(Phase::new(1, true)));
        let writer = member();
        let flushed = Arc::new(loom::sync::Mutex::new(Vec::new()));
        let theirs = {
            let (clockwork, writer) = (clockwork.clone(), writer.clone());
            let flushed = flushed.clone();
            thread::spawn(move || {
                write(&writer, &clockwork);
                write(&writer, &clockwork);
                // SAFETY: as in `write`.
                let mut section = unsafe { writer.enter(&clockwork) }.expect("not in a section");
                section.with(|_, half| flushed.lock().unwrap().append(half));
            })
        };
        let mut all = advance(&clockwork, 1, true, &[&writer]);
        theirs.join().unwrap();
        all.extend(advance(&clockwork, 2, true, &[&writer]));
        all.append(&mut flushed.lock().unwrap());
        all.sort_unstable();
        let serials: Vec<u64> = all.into_iter().map(|(_, serial)| serial).collect();
        assert_eq!(serials, [1, 2]);
    });
}

/// An event inside a section, as from a signal handler, finds no section.
#[test]
fn sections_do_not_nest() {
    bounded(2).check(|| {
        let clockwork = Clockwork::new(Phase::new(1, true));
        let member = member();
        // SAFETY: there is one thread.
        let section = unsafe { member.enter(&clockwork) };
        assert!(section.is_some());
        // SAFETY: as above.
        assert!(unsafe { member.enter(&clockwork) }.is_none());
        drop(section);
        // SAFETY: as above.
        assert!(unsafe { member.enter(&clockwork) }.is_some());
    });
}
