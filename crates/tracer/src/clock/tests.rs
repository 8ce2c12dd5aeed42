//! The clock against the OS's, before, during and after it is calibrated and corrected.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// What trace time may differ from the OS's clock by: what `Discipline` steers away rather than jumps.
const SLACK_NS: u64 = 1_000_000;

#[test]
fn time_follows_the_monotonic_clock_and_never_goes_back() {
    let check = || {
        let before = os::monotonic_ns();
        let time = now().0 * UNIT_NS;
        let after = os::monotonic_ns();
        assert!(time + SLACK_NS >= before && time <= after + SLACK_NS);
        time
    };
    check();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut last = 0;
                while !done.load(Ordering::Relaxed) {
                    let time = check();
                    assert!(time >= last, "{time} after {last}");
                    last = time;
                }
            });
        }
        let source = start();
        assert_eq!(start(), source);
        for _ in 0..2_000 {
            refine();
        }
        for _ in 0..20 {
            std::thread::sleep(Duration::from_millis(2));
            refine();
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_snapshot_is_one_moment_on_three_clocks() {
    start();
    let (mono, wall, time) = (os::monotonic_ns(), os::wall(), now());
    let first = snapshot();
    let second = snapshot();
    assert!(first.monotonic_ns >= mono && second.monotonic_ns > first.monotonic_ns);
    assert!(first.time >= time && second.time > first.time);
    assert!(first.wall >= wall && second.wall > first.wall);
    let error = (first.time.0 * UNIT_NS).abs_diff(first.monotonic_ns);
    assert!(error <= SLACK_NS, "{error} ns");
}

/// A reader's arithmetic (format specification, section 2.4) has nothing to cut off.
#[test]
fn readers_convert_without_loss() {
    let factor = 1.0 / (TICKS_PER_SECOND as f64 / 1e9);
    assert_eq!(factor, UNIT_NS as f64);
}
