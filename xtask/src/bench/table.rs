//! The table of docs/benchmarks.md.

use std::fmt::Write as _;
use std::fs;

use super::measure::{Contender, Run};
use crate::Outcome;
use crate::run::Step;

/// The report: the machine, a table for each trace, how it was measured.
pub(super) fn report(
    contenders: &[Contender],
    runs: &[Run],
    load: Option<String>,
) -> Outcome<String> {
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(text);
        out.push('\n');
    };
    line("## Machine\n");
    for fact in machine(load)? {
        line(&format!("- {fact}"));
    }
    let mut traces: Vec<&str> = runs.iter().map(|run| run.trace.as_str()).collect();
    traces.dedup();
    for trace in traces {
        let runs: Vec<&Run> = runs.iter().filter(|run| run.trace == trace).collect();
        let bytes = runs.first().map_or(0, |run| run.bytes);
        line(&format!("\n## {trace}, {:.1} MB\n", bytes as f64 / 1e6));
        line(
            "| task | by | runs | s, median (range) | MB/s | times Go's speed | peak memory, MiB |",
        );
        line("|---|---|---:|---:|---:|---:|---:|");
        for contender in contenders {
            if let Some(row) = row(contender, &runs) {
                line(&row);
            }
        }
    }
    line(
        "\n## Method\n\n\
         `cargo xtask bench`: all programs in one go, one after another in each round. The traces are \
         made by `testdata/programs` with Go 1.27.3 and are in the page cache. Loops count events and \
         do nothing else; they time themselves, without the start of the process, and both sides must \
         count the same. Text goes to /dev/null and is timed from the start of the process to its \
         end. MB are 10^6 bytes of the trace. Peak memory is the high-water mark of resident memory, \
         of the worst run.",
    );
    Ok(out)
}

fn row(contender: &Contender, runs: &[&Run]) -> Option<String> {
    let of = |side: &str| {
        let runs = runs
            .iter()
            .filter(|run| run.task == contender.task && run.side == side);
        runs.copied().collect::<Vec<_>>()
    };
    let runs = of(contender.side);
    let seconds = sorted(&runs);
    let (first, last) = (seconds.first()?, seconds.last()?);
    let middle = median(&seconds)?;
    let speed = runs.first()?.bytes as f64 / 1e6 / middle;
    let ratio =
        median(&sorted(&of("Go"))).map_or("-".to_owned(), |go| format!("{:.1}", go / middle));
    let peak = runs.iter().filter_map(|run| run.peak_mib).reduce(f64::max);
    let peak = peak.map_or("-".to_owned(), |mib| format!("{mib:.0}"));
    Some(format!(
        "| {} | {} | {} | {middle:.3} ({first:.3} to {last:.3}) | {speed:.0} | {ratio} | {peak} |",
        contender.task,
        contender.side,
        runs.len(),
    ))
}

fn sorted(runs: &[&Run]) -> Vec<f64> {
    let mut seconds: Vec<f64> = runs.iter().map(|run| run.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    seconds
}

/// The middle of sorted numbers, or the mean of the two in the middle.
fn median(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        1 => sorted.get(middle).copied(),
        _ => Some((sorted.get(middle.checked_sub(1)?)? + sorted.get(middle)?) / 2.0),
    }
}

/// Every run, one a line.
pub(super) fn tsv(runs: &[Run]) -> String {
    let mut out = String::from("trace\tbytes\ttask\tby\tevents\tseconds\tpeak_mib\n");
    for Run {
        trace,
        bytes,
        task,
        side,
        events,
        seconds,
        peak_mib,
    } in runs
    {
        let events = events.map_or(String::new(), |n| n.to_string());
        let peak = peak_mib.map_or(String::new(), |mib| format!("{mib:.1}"));
        let _ = writeln!(
            out,
            "{trace}\t{bytes}\t{task}\t{side}\t{events}\t{seconds:.6}\t{peak}"
        );
    }
    out
}

/// What one must know of the machine and the programs to compare numbers.
fn machine(load: Option<String>) -> Outcome<Vec<String>> {
    let field = |file: &str, name: &str| {
        let text = fs::read_to_string(file).ok()?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let first = |text: String| text.lines().next().unwrap_or_default().to_owned();
    let cpu = field("/proc/cpuinfo", "model name").unwrap_or("an unknown processor".into());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = field("/proc/meminfo", "MemTotal")
        .and_then(|kib| kib.trim_end_matches(" kB").parse::<f64>().ok())
        .map_or("unknown".to_owned(), |kib| {
            format!("{:.1} GiB", kib / 1024.0 / 1024.0)
        });
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let go = Step::new("testdata/go-oracle")
        .args(["go", "version"])
        .output()?;
    let revision = Step::new("git")
        .args(["describe", "--always", "--dirty"])
        .output()?;
    Ok(vec![
        format!(
            "{cpu}, {cores} cores, {memory} of memory, Linux {}",
            kernel.trim()
        ),
        format!(
            "load before the first run: {}",
            load.unwrap_or("unknown".into())
        ),
        format!(
            "{}; {}",
            first(go),
            first(Step::new("rustc").args(["--version"]).output()?)
        ),
        format!("exectrace {}, built with --release", first(revision)),
    ])
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn medians() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[1.0, 2.0, 9.0]), Some(2.0));
        assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), Some(3.0));
    }
}
