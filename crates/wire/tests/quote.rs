//! Quoting and unquoting against what Go 1.27.3 does.

use exectrace_wire::quote::{UnquoteErrorKind, quote, quote_into, unquote, unquote_into};

const GOLDEN: &str = include_str!("data/quote.golden");

/// The lines of one part of the golden file: bytes, and what Go makes of them.
fn golden(part: &str) -> Vec<(Vec<u8>, &'static str)> {
    let mut current = "";
    let mut lines = Vec::new();
    for line in GOLDEN.lines() {
        if let Some(comment) = line.strip_prefix('#') {
            current = comment.trim_start().split(':').next().unwrap();
        } else if current == part {
            let (input, expected) = line.split_once('\t').unwrap();
            lines.push((from_hex(input), expected));
        }
    }
    assert!(lines.len() > 50, "part {part} of the golden file is gone");
    lines
}

fn from_hex(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn quotes_as_go_does() {
    for (input, expected) in golden("quote") {
        assert_eq!(quote(&input).to_string(), expected, "{input:x?}");
        let (mut text, mut bytes) = (String::from("x"), b"x".to_vec());
        quote_into(&mut text, &input);
        quote_into(&mut bytes, &input);
        assert_eq!(text[1..], *expected);
        assert_eq!(bytes[1..], *expected.as_bytes());
        assert_eq!(text.as_bytes()[0], b'x');
    }
}

#[test]
fn quotes_every_character_as_go_does() {
    // FNV-1a over the quoted forms of all code points in order, which Go computed as well.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut text = String::new();
    for c in '\0'..=char::MAX {
        text.clear();
        quote_into(&mut text, c.encode_utf8(&mut [0; 4]).as_bytes());
        for byte in text.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    assert_eq!(hash, 0xf128_b4ef_b2ad_4ee8);
}

#[test]
fn unquotes_as_go_does() {
    for (literal, expected) in golden("unquote") {
        let found = unquote(&literal);
        match expected.strip_prefix('=') {
            Some(hex) => assert_eq!(found, Ok(from_hex(hex)), "{literal:x?}"),
            None => assert!(found.is_err(), "{literal:x?}: {found:x?}"),
        }
    }
}

#[test]
fn what_is_quoted_comes_back() {
    for (input, _) in golden("quote") {
        let mut quoted = Vec::new();
        quote_into(&mut quoted, &input);
        assert_eq!(unquote(&quoted), Ok(input));
    }
}

#[test]
fn errors_say_where_and_leave_the_output_alone() {
    use UnquoteErrorKind as Kind;
    for (literal, offset, kind) in [
        ("data", 0, Kind::NoQuote),
        ("", 0, Kind::NoQuote),
        (r#""abc"#, 4, Kind::Unterminated),
        ("`abc", 4, Kind::Unterminated),
        (r#""abc" "#, 5, Kind::Trailing),
        ("`abc`d", 5, Kind::Trailing),
        (r#""ab\q""#, 3, Kind::BadEscape),
        (r#""ab\x4""#, 3, Kind::BadEscape),
        (r#""ab\400""#, 3, Kind::BadEscape),
        ("\"ab\n\"", 3, Kind::Newline),
        ("'ab'", 2, Kind::NotOneCharacter),
    ] {
        let mut out = b"before".to_vec();
        let error = unquote_into(&mut out, literal.as_bytes()).unwrap_err();
        assert_eq!((error.offset, error.kind), (offset, kind), "{literal}");
        assert_eq!(out, b"before");
    }
}
