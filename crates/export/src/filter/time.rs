//! Times, as a user writes them.

use core::{fmt, str::FromStr};

use exectrace_reader::{Time, WallTime};

/// A time at which a window of a trace begins or ends. Parsed from one of:
///
/// * `1.5s`, `200ms`, `1m30s`: after the first event of the trace (units: h, m, s, ms, us or µs,
///   ns; what is finer than a nanosecond is dropped);
/// * `2029860738368`: nanoseconds on the trace clock, as `Time=` in the text form;
/// * `2026-11-22T00:43:01.5Z`, `2026-11-22T01:43:01+01:00`: wall clock, RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeBound {
    /// Nanoseconds after the first event of the trace.
    Relative(u64),
    /// On the trace clock.
    Absolute(Time),
    /// On the wall clock.
    Wall(WallTime),
}

impl FromStr for TimeBound {
    type Err = TimeBoundError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let trimmed = text.trim();
        let digits = trimmed.strip_prefix('-').unwrap_or(trimmed);
        let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let bound = if all_digits {
            trimmed
                .parse()
                .map(|nanos| Self::Absolute(Time(nanos)))
                .map_err(|_| TimeBoundErrorKind::OutOfRange)
        } else if looks_like_wall(trimmed) {
            wall(trimmed).map(Self::Wall)
        } else {
            duration(trimmed).map(Self::Relative)
        };
        bound.map_err(|kind| TimeBoundError {
            text: text.to_owned(),
            kind,
        })
    }
}

/// A year and a hyphen begin nothing else that is accepted.
fn looks_like_wall(text: &str) -> bool {
    matches!(text.as_bytes(), [a, b, c, d, b'-', ..]
        if [a, b, c, d].iter().all(|byte| byte.is_ascii_digit()))
}

const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),  // micro sign
    ("\u{3bc}s", 1_000), // Greek mu
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// A duration as Go writes them: numbers with units, one after the other.
fn duration(text: &str) -> Result<u64, TimeBoundErrorKind> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest.starts_with('-') {
        return Err(TimeBoundErrorKind::Negative);
    }
    if rest.is_empty() {
        return Err(TimeBoundErrorKind::Form);
    }
    let mut total = 0u64;
    while !rest.is_empty() {
        let length = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or(TimeBoundErrorKind::NoUnit)?;
        let (number, tail) = rest.split_at(length);
        let length = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(length);
        let (_, nanos) = UNITS
            .into_iter()
            .find(|(name, _)| *name == unit)
            .ok_or(TimeBoundErrorKind::Form)?;
        total = total
            .checked_add(scaled(number, nanos)?)
            .ok_or(TimeBoundErrorKind::OutOfRange)?;
        rest = tail;
    }
    Ok(total)
}

/// A decimal fraction times a unit, rounded down.
fn scaled(number: &str, unit: u64) -> Result<u64, TimeBoundErrorKind> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err(TimeBoundErrorKind::Form);
    }
    let whole: u64 = match whole {
        "" => 0,
        whole => whole.parse().map_err(|_| TimeBoundErrorKind::OutOfRange)?,
    };
    // Digit by digit, each worth a tenth of the last, so that no number of them overflows. On a
    // scale finer than nanoseconds, since the digits of an hour do not end at one.
    const FINER: u128 = 1_000_000_000_000;
    let mut worth = u128::from(unit) * FINER;
    let mut part = 0;
    for digit in fraction.bytes() {
        worth /= 10;
        part += worth * u128::from(digit - b'0');
    }
    let part = u64::try_from(part / FINER).map_err(|_| TimeBoundErrorKind::OutOfRange)?;
    whole
        .checked_mul(unit)
        .and_then(|whole| whole.checked_add(part))
        .ok_or(TimeBoundErrorKind::OutOfRange)
}

/// RFC 3339, section 5.6; a space is allowed for the T, as the section's note permits.
fn wall(text: &str) -> Result<WallTime, TimeBoundErrorKind> {
    const FORM: TimeBoundErrorKind = TimeBoundErrorKind::Form;
    let mut fields = Fields(text.as_bytes());
    let year = fields.number(4)?;
    fields.one_of(b"-")?;
    let month = fields.number(2)?;
    fields.one_of(b"-")?;
    let day = fields.number(2)?;
    fields.one_of(b"Tt ")?;
    let hour = fields.number(2)?;
    fields.one_of(b":")?;
    let minute = fields.number(2)?;
    fields.one_of(b":")?;
    let second = fields.number(2)?;
    let nanos = fields.fraction()?;
    let offset = match fields.one_of(b"Zz+-")? {
        sign @ (b'+' | b'-') => {
            let hours = fields.number(2)?;
            fields.one_of(b":")?;
            let minutes = fields.number(2)?;
            if hours > 23 || minutes > 59 {
                return Err(TimeBoundErrorKind::NoSuchDate);
            }
            let seconds = (hours * 60 + minutes) * 60;
            if sign == b'-' { -seconds } else { seconds }
        }
        _ => 0,
    };
    if !fields.0.is_empty() {
        return Err(FORM);
    }
    if hour > 23 || minute > 59 || second > 59 {
        return Err(TimeBoundErrorKind::NoSuchDate);
    }
    let days = days_from_civil(year, month, day).ok_or(TimeBoundErrorKind::NoSuchDate)?;
    let seconds = days * 86_400 + (hour * 60 + minute) * 60 + second - offset;
    Ok(WallTime::new(seconds, nanos))
}

/// What is left of a wall time.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    /// A number of exactly `digits` digits.
    fn number(&mut self, digits: usize) -> Result<i64, TimeBoundErrorKind> {
        let (field, rest) = self
            .0
            .split_at_checked(digits)
            .ok_or(TimeBoundErrorKind::Form)?;
        self.0 = rest;
        field.iter().try_fold(0, |number, byte| {
            if byte.is_ascii_digit() {
                Ok(number * 10 + i64::from(byte - b'0'))
            } else {
                Err(TimeBoundErrorKind::Form)
            }
        })
    }

    /// One byte of several.
    fn one_of(&mut self, bytes: &[u8]) -> Result<u8, TimeBoundErrorKind> {
        match self.0.split_first() {
            Some((byte, rest)) if bytes.contains(byte) => {
                self.0 = rest;
                Ok(*byte)
            }
            _ => Err(TimeBoundErrorKind::Form),
        }
    }

    /// A fraction of a second, if there is one, in nanoseconds.
    fn fraction(&mut self) -> Result<i64, TimeBoundErrorKind> {
        let Some(rest) = self.0.strip_prefix(b".") else {
            return Ok(0);
        };
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length == 0 {
            return Err(TimeBoundErrorKind::Form);
        }
        let mut nanos = 0;
        let mut worth = 1_000_000_000;
        for digit in &rest[..length] {
            worth /= 10;
            nanos += worth * i64::from(digit - b'0');
        }
        self.0 = &rest[length..];
        Ok(nanos)
    }
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar, if there is such a date
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// Text that is no time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeBoundError {
    /// What is wrong.
    pub kind: TimeBoundErrorKind,
    text: String,
}

/// What is wrong with a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeBoundErrorKind {
    /// It has none of the forms.
    Form,
    /// A fraction without a unit.
    NoUnit,
    /// A time before the first event.
    Negative,
    /// A number that is too large.
    OutOfRange,
    /// A wall time whose fields are not those of any instant.
    NoSuchDate,
}

impl fmt::Display for TimeBoundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            TimeBoundErrorKind::Form => "it has another form",
            TimeBoundErrorKind::NoUnit => "a number with a fraction needs a unit",
            TimeBoundErrorKind::Negative => "nothing precedes the first event",
            TimeBoundErrorKind::OutOfRange => "the number is too large",
            TimeBoundErrorKind::NoSuchDate => "there is no such date, time or offset",
        };
        write!(
            f,
            "expected a time after the trace's first event such as 1.5s, 200ms or 1m30s, \
             nanoseconds on the trace clock such as 2029860738368, or a wall time such as \
             2026-11-22T00:43:01.5Z; found {:?}: {what}",
            self.text
        )
    }
}

impl std::error::Error for TimeBoundError {}
