//! Simulated counters: any rate, drift, jumps and resets.

use super::*;

/// A counter and a monotonic clock that the test moves.
struct Machine {
    hz: f64,
    raw: f64,
    ns: f64,
}

impl Machine {
    fn new(hz: f64) -> Self {
        Self {
            hz,
            raw: 1e12,
            ns: 5e12,
        }
    }

    /// Lets time pass; the monotonic clock runs at `rate` of true time.
    fn pass(&mut self, seconds: f64, rate: f64) -> Reading {
        self.raw += seconds * self.hz;
        self.ns += seconds * rate * 1e9;
        self.read()
    }

    fn read(&self) -> Reading {
        Reading {
            raw: self.raw as u64,
            monotonic_ns: self.ns as u64,
        }
    }

    /// What the mapping is ahead of the monotonic clock by now, in nanoseconds.
    fn error(&self, discipline: &Discipline) -> f64 {
        discipline.mapping().at(self.raw as u64) as f64 * UNIT_NS as f64 - self.ns
    }
}

/// The rates of real counters: ARM boards, ARM servers, TSCs.
const RATES: [f64; 5] = [19.2e6, 54e6, 1e9, 2.6e9, 5.7e9];

fn started(hz: f64) -> (Machine, Discipline) {
    let mut machine = Machine::new(hz);
    let first = machine.read();
    let last = machine.pass(0.002, 1.0);
    let discipline = Discipline::new(first, last).unwrap();
    (machine, discipline)
}

#[test]
fn an_exact_counter_is_followed_exactly() {
    for hz in RATES {
        let (mut machine, mut discipline) = started(hz);
        for _ in 0..100 {
            let reading = machine.pass(1.0, 1.0);
            discipline.refine(reading);
            // One count of the slowest counter is 52 ns.
            assert!(machine.error(&discipline).abs() < 150.0, "{hz}");
        }
    }
}

#[test]
fn a_wrong_first_measurement_is_steered_away_without_a_step() {
    let (mut machine, mut discipline) = started(2.6e9);
    discipline.mapping.slope += discipline.mapping.slope / 10_000;
    let mut errors = vec![];
    let mut last = 0;
    for _ in 0..20 {
        let reading = machine.pass(1.0, 1.0);
        let before = discipline.mapping().at(reading.raw);
        errors.push(machine.error(&discipline).abs());
        let mapping = discipline.refine(reading);
        assert_eq!(mapping.at(reading.raw), before, "a step");
        assert!(before > last);
        last = before;
    }
    assert!(errors[0] > 90_000.0, "{errors:?}");
    assert!(errors[19] < 100.0, "{errors:?}");
}

#[test]
fn ntp_changes_the_rate_and_the_clock_follows() {
    let (mut machine, mut discipline) = started(2.6e9);
    for _ in 0..20 {
        discipline.refine(machine.pass(1.0, 1.0));
    }
    for _ in 0..60 {
        discipline.refine(machine.pass(1.0, 1.0005));
    }
    assert!(machine.error(&discipline).abs() < 100.0);
}

#[test]
fn corrections_at_uneven_times_do_not_overshoot() {
    let (mut machine, mut discipline) = started(2.6e9);
    discipline.mapping.slope += discipline.mapping.slope / 100_000;
    for seconds in [0.001, 0.01, 1.0, 30.0, 0.005, 60.0, 0.001, 0.002, 1.0, 1.0] {
        discipline.refine(machine.pass(seconds, 1.0));
        assert!(machine.error(&discipline).abs() < 50_000.0);
    }
}

#[test]
fn a_counter_that_was_reset_stops_time_until_the_next_correction() {
    let (mut machine, mut discipline) = started(2.6e9);
    discipline.refine(machine.pass(1.0, 1.0));
    let before = discipline.mapping().at(machine.raw as u64);
    machine.raw = 1000.0;
    assert_eq!(discipline.mapping().at(machine.raw as u64), before);
    let reading = machine.pass(0.5, 1.0);
    let after = discipline.refine(reading).at(reading.raw);
    assert!(after > before);
    assert!(machine.error(&discipline).abs() < 10.0);
    discipline.refine(machine.pass(1.0, 1.0));
    assert!(machine.error(&discipline).abs() < 10.0);
}

#[test]
fn a_counter_that_jumped_ahead_keeps_its_distance() {
    let (mut machine, mut discipline) = started(2.6e9);
    discipline.refine(machine.pass(1.0, 1.0));
    machine.raw += 3600.0 * machine.hz;
    let mut last = discipline.mapping().at(machine.raw as u64);
    let mut distances = vec![];
    for _ in 0..5 {
        let reading = machine.pass(1.0, 1.0);
        let time = discipline.refine(reading).at(reading.raw);
        assert!(time > last);
        last = time;
        distances.push(machine.error(&discipline));
    }
    // An hour of the counter, whose rate was known from a second.
    assert!((distances[0] - 3600e9).abs() < 1e5, "{distances:?}");
    assert!(distances.iter().all(|d| (d - distances[0]).abs() < 100.0));
}

#[test]
fn clocks_that_do_not_move_give_no_line() {
    let reading = Reading {
        raw: 5,
        monotonic_ns: 7,
    };
    let back = Reading {
        raw: 4,
        monotonic_ns: 6,
    };
    assert!(Discipline::new(reading, reading).is_none());
    assert!(Discipline::new(reading, back).is_none());
}

#[test]
fn nothing_overflows_at_the_ends_of_the_ranges() {
    let (_, mut discipline) = started(2.6e9);
    for raw in [0, u64::MAX, 1, u64::MAX / 2] {
        let monotonic_ns = raw / 2;
        let mapping = discipline.refine(Reading { raw, monotonic_ns });
        let _ = mapping.at(u64::MAX);
    }
}
