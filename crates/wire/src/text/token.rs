//! Words and numbers of a line, split as Go's text reader splits them.

use crate::quote::first_char;

/// The length of the white space (Unicode's) at the start of `bytes`, if they begin with some.
fn space(bytes: &[u8]) -> Option<usize> {
    match *bytes.first()? {
        b' ' | b'\t'..=b'\r' => Some(1),
        byte if byte.is_ascii() => None,
        _ => {
            let c = first_char(bytes)?;
            c.is_whitespace().then(|| c.len_utf8())
        }
    }
}

/// `bytes` without the white space at their start.
pub(super) fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let Some(n) = space(bytes) {
        bytes = &bytes[n..];
    }
    bytes
}

/// `bytes` without the white space at both ends.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    let bytes = trim_start(bytes);
    let mut end = 0;
    let mut at = 0;
    while at < bytes.len() {
        match space(&bytes[at..]) {
            Some(n) => at += n,
            None => {
                at += 1;
                end = at;
            }
        }
    }
    &bytes[..end]
}

/// The ASCII bytes that can stand in a word.
const WORD: [bool; 256] = {
    let mut word = [false; 256];
    let mut byte = 0;
    while byte < 0x80 {
        word[byte as usize] = !matches!(byte, b' ' | b'\t'..=b'\r' | b'#');
        byte += 1;
    }
    word
};

/// The first word of a line and what follows it. A `#` ends a word; a word that would begin with
/// one is empty and nothing follows it.
pub(super) fn word(line: &[u8]) -> (&[u8], &[u8]) {
    let line = trim_start(line);
    let mut end = 0;
    loop {
        // Nearly every byte of nearly every word.
        end += line[end..]
            .iter()
            .take_while(|byte| WORD[usize::from(**byte)])
            .count();
        match line.get(end) {
            Some(byte) if !byte.is_ascii() && space(&line[end..]).is_none() => end += 1,
            _ => break,
        }
    }
    if end == 0 {
        return (&[], &[]);
    }
    line.split_at(end)
}

/// A decimal number: digits only, below 2^64.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    let digit = |byte: u8| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then_some(u64::from(digit))
    };
    // 19 digits always fit.
    if digits.len() <= 19 {
        digits
            .iter()
            .try_fold(0u64, |n, byte| Some(n * 10 + digit(*byte)?))
    } else {
        digits.iter().try_fold(0u64, |n, byte| {
            n.checked_mul(10)?.checked_add(digit(*byte)?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_end_at_space_and_hash() {
        assert_eq!(word(b"  a=1\tb"), (&b"a=1"[..], &b"\tb"[..]));
        assert_eq!(word(b"a#b c"), (&b"a"[..], &b"#b c"[..]));
        assert_eq!(word(b" # a"), (&b""[..], &b""[..]));
        assert_eq!(word(b"\t "), (&b""[..], &b""[..]));
        assert_eq!(
            word("\u{a0}a\u{2003}b".as_bytes()),
            (&b"a"[..], "\u{2003}b".as_bytes())
        );
        assert_eq!(word(b"\xc2\xff x"), (&b"\xc2\xff"[..], &b" x"[..]));
    }

    #[test]
    fn trims_unicode_space_at_both_ends() {
        assert_eq!(trim("\u{3000} a b \u{85}".as_bytes()), b"a b");
        assert_eq!(trim(b" \t"), b"");
    }

    #[test]
    fn numbers_are_plain_decimal() {
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(number(b"18446744073709551616"), None);
        assert_eq!(number(b"0000000000000000000000007"), Some(7));
        for bad in ["", "+1", "-1", "1_0", "0x1", "1a", " 1"] {
            assert_eq!(number(bad.as_bytes()), None, "{bad}");
        }
    }
}
