//! A small fixed buffer in which the bounded part of a line is put together.
//!
//! Building a line in an array costs a bounds check for each piece; appending each piece to the
//! output vector costs a capacity check and a call of `memcpy`, which at twenty pieces a line is
//! what the time would go to. Numbers are written in place for the same reason: a crate such as
//! `itoa` formats into a buffer of its own, from which they would be copied once more.

/// Room for the longest number, of 20 digits, where eight are stored at a time.
const MAX_DIGITS: usize = 24;

/// The bounded part of a line.
///
/// Writers MUST call [`Line::flush`] before they add more than `CAPACITY` bytes, otherwise it
/// panics: so whatever comes from the trace is a number here, and text goes to the output.
#[derive(Debug)]
pub(crate) struct Line<const CAPACITY: usize = 512> {
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

impl<const CAPACITY: usize> Line<CAPACITY> {
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
    #[inline(always)]
    pub(crate) fn decimal(&mut self, number: u64) {
        if number < CHUNK {
            let (digits, len) = trimmed(number as u32);
            self.chunk(digits, len);
        } else {
            self.long_decimal(number);
        }
    }

    fn long_decimal(&mut self, number: u64) {
        let (high, low) = (number / CHUNK, (number % CHUNK) as u32);
        // At most 20 digits: two chunks and a rest.
        if high < CHUNK {
            let (digits, len) = trimmed(high as u32);
            self.chunk(digits, len);
        } else {
            let (digits, len) = trimmed((high / CHUNK) as u32);
            self.chunk(digits, len);
            self.chunk(eight_digits((high % CHUNK) as u32) | ASCII_ZEROS, 8);
        }
        self.chunk(eight_digits(low) | ASCII_ZEROS, 8);
    }

    /// Adds the first `len` bytes of a little-endian word. All eight are stored, since a copy of
    /// constant length is one instruction: what follows overwrites the rest.
    #[inline(always)]
    fn chunk(&mut self, word: u64, len: usize) {
        self.bytes[self.len..self.len + 8].copy_from_slice(&word.to_le_bytes());
        self.len += len;
    }

    /// Adds a number in decimal, with a minus if it is negative.
    #[inline(always)]
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

/// One more than the largest number of eight digits.
const CHUNK: u64 = 100_000_000;

/// Eight times the digit zero.
const ASCII_ZEROS: u64 = 0x3030_3030_3030_3030;

/// The eight decimal digits of a number below [`CHUNK`], most significant in the lowest byte.
///
/// All digits are found at once, in lanes of one word: two of four digits, four of two, eight of
/// one. A lane's quotient is a multiplication and a shift (exact for numbers of that size, as a
/// test shows for all), its remainder what is left.
#[inline(always)]
fn eight_digits(number: u32) -> u64 {
    let (high, low) = (u64::from(number / 10_000), u64::from(number % 10_000));
    let fours = high | (low << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = hundreds | ((fours - hundreds * 100) << 16);
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | ((twos - tens * 10) << 8)
}

/// The digits of a number below [`CHUNK`] in ASCII without leading zeros, and how many.
#[inline(always)]
fn trimmed(number: u32) -> (u64, usize) {
    let digits = eight_digits(number);
    // The last digit stays, so that zero has one.
    let zeros = (digits | (1 << 56)).trailing_zeros() / 8;
    ((digits | ASCII_ZEROS) >> (8 * zeros), 8 - zeros as usize)
}

/// Appends a number in decimal.
#[inline]
pub(crate) fn push_decimal(out: &mut Vec<u8>, number: u64) {
    let mut line = Line::<MAX_DIGITS>::new();
    line.decimal(number);
    line.flush(out);
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
        let mut line = Line::<512>::new();
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
    fn quotients_of_lanes_are_exact() {
        for four in 0..10_000u64 {
            assert_eq!((four * 10_486) >> 20, four / 100);
        }
        for two in 0..100u64 {
            assert_eq!((two * 103) >> 10, two / 10);
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
        let mut line = Line::<512>::new();
        let mut out = Vec::new();
        line.padded(&Padded::<16>::new(&["Idle", "->"]));
        line.padded(&Padded::<8>::new(&["Running"]));
        line.flush(&mut out);
        assert_eq!(out, b"Idle->Running");
    }
}
