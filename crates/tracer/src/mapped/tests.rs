//! What is in the memory is in the file.

use exectrace_mend::{
    layout::{BLOCK_HEADER_BYTES, Code, block, file, number},
    recover::Image,
};
use exectrace_wire::Generation;

use super::*;
use crate::sink::tests::{Folder, generations};

fn pool(mapped: &Mapped) -> &'static Pool {
    Box::leak(Box::new(Pool::with_source(
        usize::MAX,
        Box::new(mapped.memory()),
    )))
}

#[test]
fn blocks_are_in_the_file_and_come_back() {
    let folder = Folder::new();
    let path = folder.path().join("blocks");
    let mapped = Mapped::create(&path, 3 * BLOCK_BYTES - 5, None).unwrap();
    let pool = pool(&mapped);
    let mut blocks: Vec<Block> = (0..3)
        .map(|n| pool.take(Kind::Batch, 7, n).unwrap())
        .collect();
    assert!(pool.take(Kind::Batch, 7, 9).is_none());
    blocks[1].memory()[..3].copy_from_slice(b"abc");
    blocks[1].publish(2);
    // 1. The file has what memory has, without anybody writing it.
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.len(), 4 * BLOCK_BYTES);
    let second = &bytes[2 * BLOCK_BYTES..];
    assert_eq!(number(second, block::GENERATION), Some(7));
    assert_eq!(number(second, block::THREAD), Some(1));
    assert_eq!(number(second, block::USED), Some(2));
    assert_eq!(&second[BLOCK_HEADER_BYTES..][..3], b"abc");
    // 2. A block that comes back is free in the file, and can be taken again.
    drop(blocks.remove(1));
    let bytes = fs::read(&path).unwrap();
    assert_eq!(number(&bytes[2 * BLOCK_BYTES..], block::KIND), Some(0));
    assert!(pool.take(Kind::Batch, 8, 9).is_some());
    drop(blocks);
}

#[test]
fn the_header_says_who_and_where() {
    let folder = Folder::new();
    let path = folder.path().join("blocks");
    let output = folder.path().join("out.trace");
    let mapped = Mapped::create(&path, 1, Some(&output)).unwrap();
    let bytes = fs::read(&path).unwrap();
    let image = Image::parse(&bytes).unwrap();
    assert_eq!(image.process(), u64::from(std::process::id()));
    assert_eq!(image.output(), output.to_str());
    let program = std::env::current_exe().unwrap();
    assert_eq!(image.program(), program.to_str());
    let code: Vec<Code> = image.code().collect();
    let here = pool as fn(&Mapped) -> &'static Pool as usize as u64;
    let ours: Vec<&Code> = code
        .iter()
        .filter(|code| code.addresses.contains(&here))
        .collect();
    assert_eq!(ours.len(), 1);
    assert_eq!(ours[0].path, program.to_str().unwrap());
    assert_eq!(ours[0].build_id, build_id(&program));
    assert!(!image.is_closed());
    assert_eq!(
        number(&bytes, file::FREQUENCY),
        Some(clock::TICKS_PER_SECOND)
    );
    // Once closed, the file is gone, and the memory is not.
    let pool = pool(&mapped);
    let block = pool.take(Kind::Batch, 1, 1).unwrap();
    mapped.close().unwrap();
    assert!(!path.exists());
    drop(mapped);
    block.publish(9);
    assert_eq!(block.bytes().len(), 9);
}

#[test]
fn finished_generations_are_kept_until_all_have_let_go() {
    let folder = Folder::new();
    let path = folder.path().join("blocks");
    let mapped = Mapped::create(&path, 4 * BLOCK_BYTES, None).unwrap();
    let pool = pool(&mapped);
    let keeper = Keeper::new(pool);
    let mut generations = generations(6);
    for generation in &generations {
        keeper.keep(generation);
    }
    // 1. Each takes a block, and there are four.
    assert_eq!(keeper.refused(), 2);
    let recover = || {
        let mut trace = Vec::new();
        let recovered = crate::recover::recover(&path, None, &mut trace).unwrap();
        (recovered.report, trace)
    };
    let (report, trace) = recover();
    assert_eq!((report.finished, report.missing), (4, 0));
    assert_eq!(crate::sink::tests::losses(&trace), []);
    // 2. Two are let go of, and the next may stay.
    let last = generations.split_off(2);
    drop(generations);
    keeper.keep(&last[3]);
    let numbers: Vec<u64> = last.iter().map(|g| g.number.0).collect();
    assert_eq!(numbers, [3, 4, 5, 6]);
    let (report, trace) = recover();
    assert_eq!((report.finished, report.missing), (3, 1));
    assert_eq!(crate::sink::tests::losses(&trace)[0].generations, 1);
    assert_eq!(last[3].number, Generation(6));
}

#[test]
fn a_file_that_cannot_be_is_told() {
    let folder = Folder::new();
    let path = folder.path().join("no such folder/blocks");
    assert!(Mapped::create(&path, 1, None).is_err());
    // More than any disk has, and nothing stays behind.
    let path = folder.path().join("blocks");
    assert!(Mapped::create(&path, usize::MAX / 4, None).is_err());
    assert!(!path.exists());
}
