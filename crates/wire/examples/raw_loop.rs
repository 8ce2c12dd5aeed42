//! Measures the raw record loop: every record of a trace decoded, from a reader with a reusable
//! buffer, on one thread; and the text form both ways.
//!
//! `cargo run --release -p exectrace-wire --example raw_loop -- FILE [ROUNDS]`

use std::{
    error::Error,
    io::{Cursor, Read},
    time::Instant,
};

use exectrace_wire::{
    HEADER_LEN, RawRecord, Version, decode_record,
    limits::MAX_RAW_RECORD_BYTES,
    parse_header,
    text::{Style, Writer, parse},
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("usage: raw_loop FILE [ROUNDS]")?;
    let rounds: u32 = args.next().map_or(Ok(5), |n| n.parse())?;
    let file = std::fs::read(path)?;
    measure("count records", rounds, &file, |input| {
        let mut records = 0;
        each_record(input, |_| records += 1)?;
        Ok(records)
    })?;
    measure("sum all numbers", rounds, &file, |input| {
        let mut sum = 0u64;
        each_record(input, |record| {
            let [a, b, c, d, e] = record.event().padded_args();
            sum = sum.wrapping_add(a ^ b ^ c ^ d ^ e);
        })?;
        Ok(sum)
    })?;
    measure("print as text", rounds, &file, |input| {
        let mut writer = Writer::new(Style::Go);
        let mut bytes = 0;
        let mut out = Vec::new();
        each_record(input, |record| {
            writer.record(record, &mut out);
            if out.len() >= 1 << 16 {
                bytes += out.len() as u64;
                out.clear();
            }
        })?;
        Ok(bytes + out.len() as u64)
    })?;
    let mut text = Vec::new();
    let mut writer = Writer::new(Style::Go);
    writer.header(parse_header(&file)?, &mut text);
    each_record(&mut &file[..], |record| writer.record(record, &mut text))?;
    measure("parse the text", rounds.min(2), &text, |input| {
        let mut text = Vec::new();
        input.read_to_end(&mut text)?;
        Ok(parse(&text)?.len() as u64)
    })?;
    Ok(())
}

/// Runs `work` over the file and prints the best round.
#[expect(clippy::print_stdout, reason = "the result of a measurement")]
fn measure(
    what: &str,
    rounds: u32,
    file: &[u8],
    work: impl Fn(&mut dyn Read) -> Result<u64, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let mut best = f64::INFINITY;
    let mut result = 0;
    for _ in 0..rounds {
        let start = Instant::now();
        result = work(&mut Cursor::new(file))?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    let speed = file.len() as f64 / best / 1e6;
    println!("{what}: {result}, {best:.4} s, {speed:.0} MB/s");
    Ok(())
}

/// Calls `visit` for each record of the trace that `input` reads.
#[inline(always)]
fn each_record(
    input: &mut dyn Read,
    mut visit: impl FnMut(&RawRecord<'_>),
) -> Result<(), Box<dyn Error>> {
    let mut header = [0; HEADER_LEN];
    input.read_exact(&mut header)?;
    let version: Version = parse_header(&header)?;
    let mut buffer = vec![0; 4 * MAX_RAW_RECORD_BYTES];
    let (mut start, mut end) = (0, 0);
    loop {
        // 1. Every record that the buffer holds whole.
        while let Some(record) = decode_record(&buffer[start..end], version)? {
            visit(&record);
            start += record.bytes().len();
        }
        // 2. Keep the cut one and fill up.
        buffer.copy_within(start..end, 0);
        end -= start;
        start = 0;
        match input.read(&mut buffer[end..])? {
            0 if end == 0 => return Ok(()),
            0 => return Err("the file ends inside a record".into()),
            n => end += n,
        }
    }
}
