//! A generation's clock records.

use exectrace_wire::{EventType as E, SyncRecord, SyncRecords, Ticks, section::push_number};

use crate::{
    error::{MendError, MendErrorKind},
    walk::{Batch, VERSION},
};

/// Three clocks at one moment, and how fast the trace's goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clock {
    /// Clock units a second.
    pub(crate) frequency: u64,
    pub(crate) time: Ticks,
    /// The monotonic clock, in nanoseconds.
    pub(crate) monotonic: u64,
    /// The wall clock, in nanoseconds since the Unix epoch.
    pub(crate) wall: u128,
}

const SECOND: u128 = 1_000_000_000;

impl Clock {
    /// Reads a batch of clock records; none if it has not both of them.
    pub(crate) fn read(batch: &Batch<'_>) -> Result<Option<Self>, MendError> {
        let wrong = |error| MendErrorKind::Record(error).at(batch.offset);
        let mut frequency = None;
        let mut clock = None;
        let mut time = batch.header.time.0;
        for record in SyncRecords::new(VERSION, batch.data).map_err(wrong)? {
            match record.map_err(wrong)? {
                SyncRecord::Frequency(units) => frequency = Some(units),
                SyncRecord::ClockSnapshot {
                    dt,
                    mono,
                    sec,
                    nsec,
                } => {
                    time = time.saturating_add(dt);
                    clock = Some((mono, u128::from(sec) * SECOND + u128::from(nsec)));
                }
            }
        }
        let both = frequency.zip(clock);
        Ok(both.map(|(frequency, (monotonic, wall))| Self {
            frequency,
            time: Ticks(time),
            monotonic,
            wall,
        }))
    }

    /// Clock units that are at least a microsecond.
    pub(crate) const fn microsecond(self) -> u64 {
        self.frequency.div_ceil(1_000_000)
    }

    /// The clocks at another time, as far as can be told from here.
    pub(crate) fn at(self, time: Ticks) -> Self {
        let nanoseconds =
            |units: u64| u128::from(units) * SECOND / u128::from(self.frequency.max(1));
        let Some(later) = time.0.checked_sub(self.time.0) else {
            let earlier = nanoseconds(self.time.0 - time.0);
            return Self {
                time,
                monotonic: self.monotonic.saturating_sub(saturated(earlier)),
                wall: self.wall.saturating_sub(earlier),
                ..self
            };
        };
        let later = nanoseconds(later);
        Self {
            time,
            monotonic: self.monotonic.saturating_add(saturated(later)),
            wall: self.wall + later,
            ..self
        }
    }

    /// The data of a batch at [`Clock::time`].
    pub(crate) fn to_records(self) -> Vec<u8> {
        let mut data = vec![E::Sync.to_wire(), E::Frequency.to_wire()];
        push_number(&mut data, self.frequency);
        data.push(E::ClockSnapshot.to_wire());
        let (sec, nsec) = (self.wall / SECOND, self.wall % SECOND);
        for number in [0, self.monotonic, saturated(sec), saturated(nsec)] {
            push_number(&mut data, number);
        }
        data
    }
}

fn saturated(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_go_together() {
        let clock = Clock {
            frequency: 125_000_000,
            time: Ticks(1000),
            monotonic: 1 << 40,
            wall: 1_700_000_000 * SECOND,
        };
        let later = clock.at(Ticks(1000 + 125_000_000));
        assert_eq!(later.monotonic - clock.monotonic, 1_000_000_000);
        assert_eq!(later.wall - clock.wall, SECOND);
        assert_eq!(later.at(clock.time), clock);
    }
}
