//! The build id of a program or library: what tells one build of a file from another.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
};

/// The type of a program header of notes, and of the note with a build id.
const PT_NOTE: u64 = 4;
const NT_GNU_BUILD_ID: u64 = 3;

/// More than this, and it is no note.
const MAX_NOTES: u64 = 1 << 16;
const MAX_HEADERS: u64 = 1 << 10;

/// Reads the build id of an ELF file of 64 bits, in hexadecimal; none if it has none.
pub(crate) fn build_id(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let mut header = [0; 64];
    file.read_exact(&mut header).ok()?;
    // 64 bits, little-endian.
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let table = number(&header, 32, 8)?;
    let size = number(&header, 54, 2)?;
    let count = number(&header, 56, 2)?.min(MAX_HEADERS);
    for at in 0..count {
        let mut program_header = [0; 56];
        file.seek(SeekFrom::Start(table.checked_add(at * size)?))
            .ok()?;
        file.read_exact(&mut program_header).ok()?;
        if number(&program_header, 0, 4)? != PT_NOTE {
            continue;
        }
        let offset = number(&program_header, 8, 8)?;
        let length = number(&program_header, 32, 8)?.min(MAX_NOTES);
        let mut notes = vec![0; usize::try_from(length).ok()?];
        file.seek(SeekFrom::Start(offset)).ok()?;
        file.read_exact(&mut notes).ok()?;
        if let Some(id) = in_notes(&notes) {
            return Some(id);
        }
    }
    None
}

/// Finds the build id among notes: each has the lengths of its name and content, its type, and both,
/// padded to four bytes.
fn in_notes(mut notes: &[u8]) -> Option<String> {
    while notes.len() >= 12 {
        let length = |offset| usize::try_from(number(notes, offset, 4)?).ok();
        let (name, content) = (length(0)?, length(4)?);
        let start = 12 + name.next_multiple_of(4);
        let end = start.checked_add(content)?;
        let is_build_id = number(notes, 8, 4)? == NT_GNU_BUILD_ID;
        if is_build_id && notes.get(12..12 + name)? == b"GNU\0" {
            let id = notes.get(start..end)?;
            return Some(id.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        notes = notes.get(end.next_multiple_of(4)..)?;
    }
    None
}

fn number(bytes: &[u8], offset: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(offset..offset + length)?;
    let digits = bytes.iter().rev();
    Some(digits.fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_id_is_found_behind_other_notes() {
        let mut notes = Vec::new();
        for (name, kind, content) in [
            (&b"GNU\0"[..], 1u32, &b"abcde"[..]),
            (b"Go\0", 3, b"xyz"),
            (b"GNU\0", 3, b"\x01\xff\x20"),
        ] {
            for length in [name.len(), content.len()] {
                notes.extend((length as u32).to_le_bytes());
            }
            notes.extend(kind.to_le_bytes());
            for part in [name, content] {
                notes.extend(part);
                notes.resize(notes.len().next_multiple_of(4), 0);
            }
        }
        assert_eq!(in_notes(&notes).as_deref(), Some("01ff20"));
        for cut in 0..notes.len() - 1 {
            assert_eq!(in_notes(&notes[..cut]), None);
        }
    }

    #[test]
    fn what_is_no_program_has_none() {
        assert_eq!(build_id(Path::new("Cargo.toml")), None);
        assert_eq!(build_id(Path::new("no such file")), None);
    }
}
