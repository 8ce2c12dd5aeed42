//! Go's quoting: what `%q` and `strconv.Quote` print for raw bytes, and what `strconv.Unquote`
//! reads.
//!
//! Trace strings are bytes that need not be UTF-8 (a producer cuts them anywhere), and every text
//! form of Go shows them quoted. Quoting here is byte for byte Go's; unquoting accepts exactly the
//! literals that Go accepts, except that it reports what is wrong with the others.

use core::fmt;

use crate::printable::is_printable;

/// `bytes` as Go's `%q` prints them.
///
/// ```
/// use exectrace_wire::quote::quote;
/// assert_eq!(quote(b"a\tb\xff").to_string(), r#""a\tb\xff""#);
/// ```
#[must_use]
pub const fn quote(bytes: &[u8]) -> Quoted<'_> {
    Quoted(bytes)
}

/// Bytes that display as Go's `%q` prints them. Made by [`quote`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted<'a>(&'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        quote_pieces(self.0, |piece| f.write_str(piece))
    }
}

/// Appends `bytes`, quoted, to `out`: as [`quote`], without the cost of formatting.
pub fn quote_into<T: Append>(out: &mut T, bytes: &[u8]) {
    let result: Result<(), core::convert::Infallible> = quote_pieces(bytes, |piece| {
        out.append(piece);
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(never) => match never {},
    }
}

/// What [`quote_into`] can append to: `String` and `Vec<u8>`.
pub trait Append: sealed::Sealed {
    /// Appends `text` at the end.
    fn append(&mut self, text: &str);
}

impl Append for String {
    #[inline]
    fn append(&mut self, text: &str) {
        self.push_str(text);
    }
}

impl Append for Vec<u8> {
    #[inline]
    fn append(&mut self, text: &str) {
        self.extend_from_slice(text.as_bytes());
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for String {}
    impl Sealed for Vec<u8> {}
}

/// The bytes that stand for themselves in a quoted string: printable ASCII but `"` and `\`.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        plain[byte as usize] = byte != b'"' && byte != b'\\';
        byte += 1;
    }
    plain
};

/// Calls `emit` with the pieces of the quoted form, in order.
fn quote_pieces<E>(bytes: &[u8], mut emit: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
    emit("\"")?;
    match core::str::from_utf8(bytes) {
        // Nearly all strings; the check of the whole is much faster than the split below.
        Ok(text) => quote_text(text, &mut emit)?,
        Err(_) => {
            for chunk in bytes.utf8_chunks() {
                quote_text(chunk.valid(), &mut emit)?;
                for &byte in chunk.invalid() {
                    emit_hex(r"\x", u32::from(byte), 2, &mut emit)?;
                }
            }
        }
    }
    emit("\"")
}

fn quote_text<E>(text: &str, emit: &mut impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
    let mut rest = text;
    loop {
        let plain = rest
            .bytes()
            .take_while(|byte| PLAIN[usize::from(*byte)])
            .count();
        let (run, tail) = rest.split_at(plain);
        if !run.is_empty() {
            emit(run)?;
        }
        let Some(c) = tail.chars().next() else {
            return Ok(());
        };
        let (this, after) = tail.split_at(c.len_utf8());
        rest = after;
        match c {
            '"' => emit("\\\"")?,
            '\\' => emit(r"\\")?,
            c if is_printable(c) => emit(this)?,
            '\x07' => emit(r"\a")?,
            '\x08' => emit(r"\b")?,
            '\x0c' => emit(r"\f")?,
            '\n' => emit(r"\n")?,
            '\r' => emit(r"\r")?,
            '\t' => emit(r"\t")?,
            '\x0b' => emit(r"\v")?,
            '\0'..='\x7f' => emit_hex(r"\x", u32::from(c), 2, emit)?,
            '\u{80}'..='\u{ffff}' => emit_hex(r"\u", u32::from(c), 4, emit)?,
            _ => emit_hex(r"\U", u32::from(c), 8, emit)?,
        }
    }
}

/// Emits `prefix` and the last `digits` hexadecimal digits of `value`.
fn emit_hex<E>(
    prefix: &str,
    value: u32,
    digits: u32,
    emit: &mut impl FnMut(&str) -> Result<(), E>,
) -> Result<(), E> {
    const DIGITS: &str = "0123456789abcdef";
    emit(prefix)?;
    for digit in (0..digits).rev() {
        let at = (value >> (4 * digit)) as usize % 16;
        emit(&DIGITS[at..=at])?;
    }
    Ok(())
}

/// Why some text is no string literal of Go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnquoteError {
    /// Offset in the text at which it stops being a literal, in bytes.
    pub offset: usize,
    /// What is wrong there.
    pub kind: UnquoteErrorKind,
}

/// What is wrong with a string literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnquoteErrorKind {
    /// The text does not begin with a quote of any kind.
    NoQuote,
    /// The closing quote is missing.
    Unterminated,
    /// Something follows the closing quote.
    Trailing,
    /// A backslash with something after it that makes no escape sequence.
    BadEscape,
    /// A line break that is not written as `\n`.
    Newline,
    /// A literal in single quotes has more than one character.
    NotOneCharacter,
}

impl fmt::Display for UnquoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            UnquoteErrorKind::NoQuote => "expected a string literal in quotes",
            UnquoteErrorKind::Unterminated => "the closing quote is missing",
            UnquoteErrorKind::Trailing => "expected nothing after the closing quote",
            UnquoteErrorKind::BadEscape => {
                r#"expected an escape sequence of Go after the backslash; write \\ for a backslash"#
            }
            UnquoteErrorKind::Newline => r"line break in a string literal; write \n",
            UnquoteErrorKind::NotOneCharacter => {
                r#"more than one character in single quotes; write "..." for a string"#
            }
        };
        write!(f, "{what} (byte {} of the literal)", self.offset)
    }
}

impl core::error::Error for UnquoteError {}

/// The bytes that a Go literal (`"..."`, `` `...` `` or `'c'`) stands for.
///
/// # Errors
///
/// [`UnquoteError`] if `literal` is not exactly one literal.
///
/// ```
/// use exectrace_wire::quote::unquote;
/// assert_eq!(unquote(br#""\x01\101\u00e9""#).unwrap(), "\x01A\u{e9}".as_bytes());
/// ```
pub fn unquote(literal: &[u8]) -> Result<Vec<u8>, UnquoteError> {
    let mut out = Vec::new();
    unquote_into(&mut out, literal)?;
    Ok(out)
}

/// Appends the bytes that a Go literal stands for to `out`: at most three for each byte of the
/// literal, since Go turns each byte that is not UTF-8 into U+FFFD.
///
/// # Errors
///
/// [`UnquoteError`] if `literal` is not exactly one literal; `out` is then as it was.
pub fn unquote_into(out: &mut Vec<u8>, literal: &[u8]) -> Result<(), UnquoteError> {
    let before = out.len();
    let result = match literal.first() {
        Some(b'`') => unquote_raw(out, literal),
        Some(&quote @ (b'"' | b'\'')) => unquote_escaped(out, literal, quote),
        _ => Err(UnquoteError {
            offset: 0,
            kind: UnquoteErrorKind::NoQuote,
        }),
    };
    if result.is_err() {
        out.truncate(before);
    }
    result
}

/// No escapes, but Go drops carriage returns from its raw literals.
fn unquote_raw(out: &mut Vec<u8>, literal: &[u8]) -> Result<(), UnquoteError> {
    let body = &literal[1..];
    let end = body
        .iter()
        .position(|byte| *byte == b'`')
        .ok_or(UnquoteError {
            offset: literal.len(),
            kind: UnquoteErrorKind::Unterminated,
        })?;
    out.extend(body[..end].iter().filter(|byte| **byte != b'\r'));
    expect_end(literal, end + 2)
}

fn unquote_escaped(out: &mut Vec<u8>, literal: &[u8], quote: u8) -> Result<(), UnquoteError> {
    let mut at = 1;
    loop {
        let rest = &literal[at..];
        let plain = rest
            .iter()
            .take_while(|byte| PLAIN[usize::from(**byte)] && **byte != quote)
            .count();
        if quote == b'"' && plain > 0 {
            out.extend_from_slice(&rest[..plain]);
            at += plain;
            continue;
        }
        let fail = |kind| Err(UnquoteError { offset: at, kind });
        at += match *rest {
            [] => return fail(UnquoteErrorKind::Unterminated),
            [byte, ..] if byte == quote => return expect_end(literal, at + 1),
            // A character has been read already: the quote should have come.
            _ if quote == b'\'' && at > 1 => return fail(UnquoteErrorKind::NotOneCharacter),
            [b'\n', ..] => return fail(UnquoteErrorKind::Newline),
            [b'\\', ..] => match unescape(out, rest, quote) {
                Some(length) => length,
                None => return fail(UnquoteErrorKind::BadEscape),
            },
            [byte, ..] if byte.is_ascii() => {
                out.push(byte);
                1
            }
            _ => match first_char(rest) {
                Some(c) => {
                    push_char(out, c);
                    c.len_utf8()
                }
                None => {
                    push_char(out, char::REPLACEMENT_CHARACTER);
                    1
                }
            },
        };
    }
}

fn expect_end(literal: &[u8], end: usize) -> Result<(), UnquoteError> {
    if end == literal.len() {
        Ok(())
    } else {
        Err(UnquoteError {
            offset: end,
            kind: UnquoteErrorKind::Trailing,
        })
    }
}

/// Appends what the escape sequence at the start of `rest` stands for and returns its length.
fn unescape(out: &mut Vec<u8>, rest: &[u8], quote: u8) -> Option<usize> {
    let kind = *rest.get(1)?;
    let byte = match kind {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        b'\\' => b'\\',
        // Only the literal's own quote can be escaped.
        b'"' | b'\'' if kind == quote => kind,
        b'0'..=b'7' => {
            out.push(u8::try_from(number(rest.get(1..4)?, 8)?).ok()?);
            return Some(4);
        }
        b'x' => {
            out.push(number(rest.get(2..4)?, 16)? as u8);
            return Some(4);
        }
        b'u' => {
            push_char(out, char::from_u32(number(rest.get(2..6)?, 16)?)?);
            return Some(6);
        }
        b'U' => {
            push_char(out, char::from_u32(number(rest.get(2..10)?, 16)?)?);
            return Some(10);
        }
        _ => return None,
    };
    out.push(byte);
    Some(2)
}

/// The number that `digits`, at most eight, spell.
fn number(digits: &[u8], radix: u32) -> Option<u32> {
    digits.iter().try_fold(0u32, |n, digit| {
        Some(n * radix + char::from(*digit).to_digit(radix)?)
    })
}

fn push_char(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// The character at the start of `bytes`, or `None` if they do not begin with whole UTF-8.
pub(crate) fn first_char(bytes: &[u8]) -> Option<char> {
    let head = &bytes[..bytes.len().min(4)];
    head.utf8_chunks().next()?.valid().chars().next()
}
