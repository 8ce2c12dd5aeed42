//! One run of one program.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::name;
use crate::Outcome;

/// How often the memory of a running program is looked at.
const SAMPLE_EVERY: Duration = Duration::from_millis(3);

/// A program that does a task.
#[derive(Debug)]
pub(super) struct Contender {
    pub(super) task: &'static str,
    /// Who does it.
    pub(super) side: &'static str,
    /// Whether its output is the task, and it is timed from outside.
    pub(super) is_dump: bool,
    command: Vec<String>,
}

impl Contender {
    /// A loop that times itself and prints JSON.
    pub(super) fn loop_of(task: &'static str, side: &'static str, command: &[&str]) -> Self {
        let command = command.iter().map(|&word| word.to_owned()).collect();
        Self {
            task,
            side,
            is_dump: false,
            command,
        }
    }

    pub(super) fn dump(task: &'static str, side: &'static str, command: &[&str]) -> Self {
        Self {
            is_dump: true,
            ..Self::loop_of(task, side, command)
        }
    }

    pub(super) fn name(&self) -> String {
        format!("{}, {}", self.task, self.side)
    }
}

/// What a run came to.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) trace: String,
    pub(super) bytes: u64,
    pub(super) task: &'static str,
    pub(super) side: &'static str,
    /// As the loop counted them.
    pub(super) events: Option<u64>,
    pub(super) seconds: f64,
    /// `None` where the system does not tell.
    pub(super) peak_mib: Option<f64>,
}

pub(super) fn measure(contender: &Contender, trace: &Path, bytes: u64) -> Outcome<Run> {
    let failed = |what: &dyn std::fmt::Display| format!("{}: {what}", contender.name());
    let (program, options) = contender.command.split_first().ok_or("an empty command")?;
    let stdout = if contender.is_dump {
        Stdio::null()
    } else {
        Stdio::piped()
    };
    let start = Instant::now();
    let mut child = Command::new(program)
        .args(options)
        .arg(trace)
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .stdout(stdout)
        .spawn()
        .map_err(|e| failed(&e))?;
    let peak_mib = watch(&mut child).map_err(|e| failed(&e))?;
    let elapsed = start.elapsed().as_secs_f64();
    let output = child.wait_with_output().map_err(|e| failed(&e))?;
    if !output.status.success() {
        return Err(failed(&output.status));
    }

    let mut run = Run {
        trace: name(trace),
        bytes,
        task: contender.task,
        side: contender.side,
        events: None,
        seconds: elapsed,
        peak_mib,
    };
    if !contender.is_dump {
        let json: Value = serde_json::from_slice(&output.stdout).map_err(|e| failed(&e))?;
        if let Some(error) = json["error"].as_str() {
            return Err(failed(&error));
        }
        run.events = json["events"].as_u64();
        run.seconds = json["seconds"]
            .as_f64()
            .ok_or_else(|| failed(&"it printed no seconds"))?;
    }
    Ok(run)
}

/// Waits for a program to end and returns the most memory that it had resident.
fn watch(child: &mut Child) -> std::io::Result<Option<f64>> {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = None;
    while child.try_wait()?.is_none() {
        // The high-water mark only grows, so the last look is the one that counts.
        peak = high_water_mib(&status).or(peak);
        thread::sleep(SAMPLE_EVERY);
    }
    Ok(peak)
}

fn high_water_mib(status: &str) -> Option<f64> {
    let status = fs::read_to_string(status).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib / 1024.0)
}
