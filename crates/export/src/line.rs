//! A small fixed buffer in which the bounded part of a line is put together.
//!
//! Building a line in an array costs a bounds check for each piece; appending each piece to the
//! output vector costs a capacity check and a call of `memcpy`, which at twenty pieces a line is
//! what the time would go to. Numbers are written in place for the same reason: a crate such as
//! `itoa` formats into a buffer of its own, from which they would be copied once more.

/// Bytes that fit between two calls of [`Line::flush`].
const CAPACITY: usize = 512;

/// Bytes of the longest number, `-9223372036854775808` or `18446744073709551615`.
const MAX_DIGITS: usize = 20;

/// The bounded part of a line.
///
/// Writers MUST call [`Line::flush`] before they add more than [`CAPACITY`] bytes, otherwise it
/// panics: so whatever comes from the trace is a number here, and text goes to the output.
#[derive(Debug)]
pub(crate) struct Line {
    bytes: [u8; CAPACITY],
    len: usize,
}

/// Text padded to a constant length, so that copying it needs no call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Padded<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Padded<N> {
    /// Texts one after the other; they MUST fit, otherwise it panics: use it in constants.
    pub(crate) const fn new(texts: &[&str]) -> Self {
        let mut padded = Self {
            bytes: [b' '; N],
            len: 0,
        };
        let mut text = 0;
        while text < texts.len() {
            let bytes = texts[text].as_bytes();
            let mut at = 0;
            while at < bytes.len() {
                padded.bytes[padded.len] = bytes[at];
                padded.len += 1;
                at += 1;
            }
            text += 1;
        }
        padded
    }
}

impl Line {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; CAPACITY],
            len: 0,
        }
    }

    /// Adds text. Meant for literals: their length is known, so this becomes a few moves.
    #[inline(always)]
    pub(crate) fn text(&mut self, text: &str) {
        let end = self.len + text.len();
        self.bytes[self.len..end].copy_from_slice(text.as_bytes());
        self.len = end;
    }

    /// Adds padded text.
    #[inline(always)]
    pub(crate) fn padded<const N: usize>(&mut self, text: &Padded<N>) {
        self.bytes[self.len..self.len + N].copy_from_slice(&text.bytes);
        self.len += text.len;
    }

    /// Adds a number in decimal.
    #[inline]
    pub(crate) fn decimal(&mut self, number: u64) {
        if number < 10 {
            self.bytes[self.len] = b'0' + number as u8;
            self.len += 1;
            return;
        }
        let (digits, at) = digits(number);
        // A copy of constant length: the bytes after the number are overwritten by what follows.
        let mut shifted = [0; MAX_DIGITS];
        shifted[..MAX_DIGITS - at].copy_from_slice(&digits[at..]);
        self.bytes[self.len..self.len + MAX_DIGITS].copy_from_slice(&shifted);
        self.len += MAX_DIGITS - at;
    }

    /// Adds a number in decimal, with a minus if it is negative.
    #[inline]
    pub(crate) fn signed(&mut self, number: i64) {
        if number < 0 {
            self.text("-");
        }
        self.decimal(number.unsigned_abs());
    }

    /// Moves what was put together to the end of `out`.
    #[inline]
    pub(crate) fn flush(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes[..self.len]);
        self.len = 0;
    }
}

/// The digits of a number at the end of an array, and where they begin.
#[inline]
fn digits(number: u64) -> ([u8; MAX_DIGITS], usize) {
    let mut digits = [0; MAX_DIGITS];
    let mut at = MAX_DIGITS;
    let mut rest = number;
    while rest >= 10_000 {
        let four = (rest % 10_000) as usize;
        rest /= 10_000;
        at -= 4;
        digits[at..at + 2].copy_from_slice(&PAIRS[four / 100]);
        digits[at + 2..at + 4].copy_from_slice(&PAIRS[four % 100]);
    }
    let mut rest = rest as usize;
    if rest >= 100 {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[rest % 100]);
        rest /= 100;
    }
    if rest >= 10 {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[rest]);
    } else {
        at -= 1;
        digits[at] = b'0' + rest as u8;
    }
    (digits, at)
}

/// The numbers 00 to 99.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut n = 0;
    while n < 100 {
        pairs[n] = [b'0' + (n / 10) as u8, b'0' + (n % 10) as u8];
        n += 1;
    }
    pairs
};

/// Appends a number in decimal.
#[inline]
pub(crate) fn push_decimal(out: &mut Vec<u8>, number: u64) {
    let (digits, at) = digits(number);
    out.extend_from_slice(&digits[at..]);
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends a number in lower-case hexadecimal without leading zeros.
pub(crate) fn push_hex(out: &mut Vec<u8>, number: u64) {
    let digits = (u64::BITS - (number | 1).leading_zeros()).div_ceil(4);
    for digit in (0..digits).rev() {
        out.push(HEX[(number >> (4 * digit)) as usize % 16]);
    }
}

/// Appends bytes in lower-case hexadecimal, two digits each.
pub(crate) fn push_hex_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        out.push(HEX[usize::from(byte / 16)]);
        out.push(HEX[usize::from(byte % 16)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_those_of_the_standard_library() {
        let mut numbers = vec![0, u64::MAX, u64::MAX - 1, i64::MAX as u64];
        let mut power = 1u64;
        while let Some(next) = power.checked_mul(10) {
            numbers.extend([power - 1, power, power + 1, power * 7 + 3, next / 2 + 12]);
            power = next;
        }
        numbers.extend(0..=12_345);
        let mut line = Line::new();
        for number in numbers {
            let mut out = Vec::new();
            line.decimal(number);
            line.signed(number as i64);
            line.flush(&mut out);
            push_decimal(&mut out, number);
            assert_eq!(
                String::from_utf8(out).unwrap(),
                format!("{number}{}{number}", number as i64)
            );
        }
    }

    #[test]
    fn hexadecimal_is_that_of_the_standard_library() {
        for number in [0, 1, 15, 16, 255, 256, 0x47b443, u64::MAX, 1 << 63] {
            let mut out = Vec::new();
            push_hex(&mut out, number);
            assert_eq!(String::from_utf8(out).unwrap(), format!("{number:x}"));
        }
    }

    #[test]
    fn padding_leaves_no_trace() {
        let mut line = Line::new();
        let mut out = Vec::new();
        line.padded(&Padded::<16>::new(&["Idle", "->"]));
        line.padded(&Padded::<8>::new(&["Running"]));
        line.flush(&mut out);
        assert_eq!(out, b"Idle->Running");
    }
}
