//! Numbers for people: bytes, counts and durations.

/// A size with a decimal prefix and three significant digits: `812 B`, `10.2 MB`.
pub(crate) fn bytes(n: u64) -> String {
    const PREFIXES: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    if n < 1000 {
        return format!("{n} B");
    }
    let mut scaled = n as f64;
    let mut prefix = 0;
    // 999.5 would print as 1000.
    while scaled >= 999.5 && prefix + 1 < PREFIXES.len() {
        scaled /= 1000.0;
        prefix += 1;
    }
    format!("{} {}", three_digits(scaled), PREFIXES[prefix])
}

/// A count with its thousands separated: `1,234,567`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count and its noun: `1 event`, `2 events`, `1,000 batches` (given `batch`, `batches`).
pub(crate) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// A duration given in nanoseconds: `640 ns`, `12.3 ms`, `3.20 s`, `2m 03s`, `1h 02m 03s`.
pub(crate) fn duration(nanos: i64) -> String {
    const MINUTE: u64 = 60_000_000_000;
    let sign = if nanos < 0 { "-" } else { "" };
    let n = nanos.unsigned_abs();
    if n < 1000 {
        return format!("{sign}{n} ns");
    }
    // Below this, seconds still print with three digits and less than 60.
    if n < MINUTE - 50_000_000 {
        let mut scaled = n as f64;
        let mut unit = 0;
        while scaled >= 999.5 && unit < 3 {
            scaled /= 1000.0;
            unit += 1;
        }
        let unit = ["ns", "µs", "ms", "s"][unit];
        return format!("{sign}{} {unit}", three_digits(scaled));
    }
    let seconds = (n + 500_000_000) / 1_000_000_000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours == 0 {
        format!("{sign}{minutes}m {seconds:02}s")
    } else {
        format!("{sign}{}h {minutes:02}m {seconds:02}s", count(hours))
    }
}

/// A share of a whole: `12.3 %`; `–` of nothing.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    format!("{:.1} %", part as f64 * 100.0 / whole as f64)
}

/// `scaled` is less than 1000.
fn three_digits(scaled: f64) -> String {
    let decimals = if scaled < 9.995 {
        2
    } else if scaled < 99.95 {
        1
    } else {
        0
    };
    format!("{scaled:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_keep_three_digits_and_never_print_1000() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.00 kB"),
            (9_994, "9.99 kB"),
            (9_995, "10.0 kB"),
            (99_949, "99.9 kB"),
            (99_950, "100 kB"),
            (999_499, "999 kB"),
            (999_500, "1.00 MB"),
            (512_926_122, "513 MB"),
            (u64::MAX, "18.4 EB"),
        ];
        for (n, expected) in cases {
            assert_eq!(bytes(n), expected, "{n}");
        }
    }

    #[test]
    fn counts_are_grouped() {
        for (n, expected) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(count(n), expected);
        }
        assert_eq!(counted(1, "batch", "batches"), "1 batch");
        assert_eq!(counted(0, "batch", "batches"), "0 batches");
    }

    #[test]
    fn durations_change_units_without_gaps() {
        let cases = [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (999_499, "999 µs"),
            (999_500, "1.00 ms"),
            (-12_340_000, "-12.3 ms"),
            (3_204_000_000, "3.20 s"),
            (59_949_999_999, "59.9 s"),
            (59_950_000_000, "1m 00s"),
            (123_000_000_000, "2m 03s"),
            (3_723_400_000_000, "1h 02m 03s"),
            (i64::MIN, "-2,562,047h 47m 17s"),
        ];
        for (nanos, expected) in cases {
            assert_eq!(duration(nanos), expected, "{nanos}");
        }
    }
}
