//! Go's own parser, asked about a trace.
//!
//! Through `testdata/go-oracle`, which installs Go 1.27.3 when it is first used, or through the
//! program that `EXECTRACE_GO_ORACLE` names.

use std::{
    env, fs, io,
    path::PathBuf,
    process::{self, Command},
    sync::atomic::{AtomicU64, Ordering},
};

/// What Go says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it printed.
    pub output: String,
    /// The first line of its error, if it failed.
    pub error: Option<String>,
}

/// What Go can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// For the events, as `go tool trace -d=parsed` prints them.
    Parsed,
    /// For the records, as `go tool trace -d=wire` prints them.
    Wire,
    /// Whether Go's test validator objects.
    Validate,
}

/// Asks Go about a trace.
///
/// # Errors
///
/// If Go cannot be run. A trace that Go rejects is no error.
pub fn ask(question: Question, trace: &[u8]) -> io::Result<Answer> {
    static FILES: AtomicU64 = AtomicU64::new(0);
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    let name = format!("exectrace-{}-{number}.trace", process::id());
    let file = env::temp_dir().join(name);
    fs::write(&file, trace)?;
    let program = env::var_os("EXECTRACE_GO_ORACLE").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/go-oracle"),
        PathBuf::from,
    );
    let argument = match question {
        Question::Parsed => "parsed",
        Question::Wire => "wire",
        Question::Validate => "validate",
    };
    let output = Command::new(program).arg(argument).arg(&file).output();
    fs::remove_file(&file)?;
    let output = output?;
    let error = String::from_utf8_lossy(&output.stderr);
    let error = error.lines().next().unwrap_or_default().trim_end();
    Ok(Answer {
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        error: (!output.status.success()).then(|| error.to_owned()),
    })
}
