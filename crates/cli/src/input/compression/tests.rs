//! What decompresses, and how what does not is told apart.

use std::io::Write as _;

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn data() -> Vec<u8> {
    (0..300_000_u32)
        .flat_map(|i| (i / 3).to_le_bytes())
        .collect()
}

/// Reads all, as `open` would.
fn read(compressed: Vec<u8>, on_damage: OnDamage) -> (io::Result<Vec<u8>>, Cut) {
    let compression = Compression::of(&compressed).expect("recognized");
    let cut = Cut::default();
    let mut reader = compression.reader(io::Cursor::new(compressed), on_damage, cut.clone());
    let mut out = Vec::new();
    let result = reader.read_to_end(&mut out).map(|_| out);
    (result, cut)
}

#[test]
fn both_kinds_are_read() {
    for compress in [gzip, zstd] {
        let (out, cut) = read(compress(&data()), OnDamage::Fail);
        assert!(out.unwrap() == data());
        assert_eq!(cut.reason(), None);
    }
}

#[test]
fn several_members_or_frames_are_one_file() {
    for compress in [gzip, zstd] {
        let (first, second) = (data(), b"the rest".to_vec());
        let (out, _) = read(
            [compress(&first), compress(&second)].concat(),
            OnDamage::Fail,
        );
        assert!(out.unwrap() == [first, second].concat());
    }
}

#[test]
fn skippable_zstd_frames_are_skipped() {
    let skippable = [&[0x5e, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    let file = [skippable.clone(), zstd(b"data"), skippable].concat();
    let (out, _) = read(file, OnDamage::Fail);
    assert_eq!(out.unwrap(), b"data");
}

#[test]
fn a_cut_is_the_traces_fault_or_the_end() {
    for compress in [gzip, zstd] {
        let mut cut = compress(&data());
        cut.truncate(cut.len() / 2);
        let (out, _) = read(cut.clone(), OnDamage::Fail);
        let error = out.unwrap_err();
        assert!(error.get_ref().unwrap().is::<Corrupt>(), "{error:?}");
        assert!(
            error.to_string().ends_with("data ends too early"),
            "{error}"
        );

        let (out, note) = read(cut, OnDamage::Tolerate);
        assert!(data().starts_with(&out.unwrap()));
        assert!(note.reason().unwrap().ends_with("data ends too early"));
    }
}

#[test]
fn a_wrong_checksum_is_damage() {
    for compress in [gzip, zstd] {
        let mut file = compress(b"some data");
        // Gzip ends in the checksum and the length, zstd in the checksum.
        let at = file.len() - if file[0] == 0x1f { 8 } else { 1 };
        file[at] ^= 1;
        let (out, _) = read(file, OnDamage::Fail);
        let error = out.unwrap_err();
        assert!(error.get_ref().unwrap().is::<Corrupt>(), "{error:?}");
    }
}

#[test]
fn every_damaged_byte_ends_in_an_error_or_in_data_and_never_in_a_panic() {
    let original: Vec<u8> = data()[..3000].to_vec();
    for compress in [gzip, zstd] {
        let file = compress(&original);
        for at in 4..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 0xff;
            // Some bytes, such as gzip's modification time, mean nothing to the data.
            if let (Ok(out), _) = read(damaged, OnDamage::Fail) {
                assert!(out == original || out.is_empty(), "at {at}");
            }
        }
    }
}

#[test]
fn trouble_of_the_source_stays_trouble_of_the_source() {
    struct Unplugged;
    impl Read for Unplugged {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    for compress in [gzip, zstd] {
        let start = compress(&data())[..100].to_vec();
        let compression = Compression::of(&start).unwrap();
        let source = io::Cursor::new(start).chain(Unplugged);
        let mut reader = compression.reader(source, OnDamage::Tolerate, Cut::default());
        let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
        assert!(is_source_error(&error), "{error:?}");
    }
}

#[test]
fn a_zstd_frame_that_wants_too_much_memory_is_refused() {
    // A frame header with a window of 2^31 bytes, and an empty last block.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, (31 - 10) << 3, 1, 0, 0];
    let (out, _) = read(frame.to_vec(), OnDamage::Fail);
    assert!(out.unwrap_err().get_ref().unwrap().is::<Corrupt>());
}

#[test]
fn what_is_not_read_here_is_named() {
    let advice = |start: &[u8]| foreign(start, Expected::Binary).unwrap_or_default();
    assert!(advice(b"\xfd7zXZ\0\0\x04").contains("xz -dc"));
    assert!(advice(b"BZh91AY&SY").contains("bzip2 -dc"));
    assert!(advice(b"Trace Go1.26\n").contains("exectrace assemble"));
    assert_eq!(foreign(b"Trace Go1.26\n", Expected::Text), None);
    assert_eq!(foreign(b"go 1.26 trace\0\0\0", Expected::Binary), None);
    assert_eq!(foreign(b"", Expected::Binary), None);
}
