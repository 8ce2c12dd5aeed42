//! Checks the simulator against Go: Go must read each simulated trace, its validator must not
//! object, and it must find the truth.
//!
//! `cargo run -p exectrace-testkit --example simulate -- [FIRST-SEED [COUNT]]`

use std::{collections::BTreeMap, env, error::Error, fs, io, process::ExitCode};

use exectrace_testkit::{
    go::{self, Question},
    sim::{Fact, Size, histories, simulate},
};
use exectrace_wire::Version;

#[expect(clippy::print_stdout, reason = "it is a command")]
fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let first: u64 = args.next().map_or(Ok(0), |arg| arg.parse())?;
    let count: u64 = args.next().map_or(Ok(10), |arg| arg.parse())?;
    let mut events = BTreeMap::new();
    for seed in first..first + count {
        for version in Version::V2 {
            for skew in [0, 30] {
                let size = Size {
                    skew,
                    ..Size::small(version)
                };
                match objection(seed, size)? {
                    Ok(count) => *events.entry((version, skew)).or_insert(0) += count,
                    Err(_) => {
                        let size = size.shrunk(|size| matches!(objection(seed, size), Ok(Err(_))));
                        let objection = objection(seed, size)?.expect_err("it still fails");
                        let bytes = simulate(seed, size).layout.to_bytes();
                        let file = env::temp_dir().join("simulated.trace");
                        fs::write(&file, bytes)?;
                        println!("seed {seed}, {size:?}, in {}:\n{objection}", file.display());
                        return Ok(ExitCode::FAILURE);
                    }
                }
            }
        }
    }
    println!("Go agrees with {count} seeds; facts by version and skew: {events:?}");
    Ok(ExitCode::SUCCESS)
}

/// The number of facts, or what is wrong.
fn objection(seed: u64, size: Size) -> io::Result<Result<usize, String>> {
    let simulated = simulate(seed, size);
    let bytes = simulated.layout.to_bytes();
    let parsed = go::ask(Question::Parsed, &bytes)?;
    if let Some(error) = parsed.error {
        return Ok(Err(format!("Go cannot read it: {error}")));
    }
    if let Some(error) = go::ask(Question::Validate, &bytes)?.error {
        return Ok(Err(format!("Go's validator objects: {error}")));
    }
    let found = Fact::parse(&parsed.output);
    if size.skew == 0 && found != simulated.facts {
        return Ok(Err(difference(&simulated.facts, &found)));
    }
    let (expected, found) = (histories(&simulated.facts), histories(&found));
    for (subject, expected) in &expected {
        let found = found.get(subject).map_or(&[][..], |found| found);
        if found != expected {
            return Ok(Err(format!("{subject:?}: {}", difference(expected, found))));
        }
    }
    Ok(if expected.len() == found.len() {
        Ok(simulated.facts.len())
    } else {
        Err("Go finds more subjects".to_owned())
    })
}

fn difference<T: PartialEq + std::fmt::Debug>(expected: &[T], found: &[T]) -> String {
    let at = std::iter::zip(expected, found)
        .take_while(|(a, b)| a == b)
        .count();
    format!(
        "after {at} equal facts expected {:#?}, found {:#?}",
        expected.get(at),
        found.get(at)
    )
}
