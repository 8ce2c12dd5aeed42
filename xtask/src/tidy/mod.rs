//! Conventions that neither the compiler nor clippy checks.
//!
//! Each rule is a pure function over text, so that its tests can show that it finds what it is for.
//! `ARCHITECTURE.md` says why the rules about crates exist; its table is their input.

use std::fs;
use std::path::Path;

use crate::{Outcome, root};

mod crates;
mod files;
mod licences;
#[cfg(test)]
mod tests;

/// One breach: where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// A file of the workspace, with `/` between the parts of its path.
    pub path: String,
    /// The line, counted from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong, and what to do where that is not plain.
    pub message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            message: message.into(),
        }
    }
}

/// The task: prints every breach.
///
/// # Errors
///
/// When there is one.
pub fn run(_args: &[String]) -> Outcome {
    let findings = check(&root())?;
    for Finding {
        path,
        line,
        message,
    } in &findings
    {
        if *line == 0 {
            println!("{path}: {message}");
        } else {
            println!("{path}:{line}: {message}");
        }
    }
    if findings.is_empty() {
        println!("tidy: no findings");
        return Ok(());
    }
    Err(format!("{} findings", findings.len()))
}

/// Every breach in the workspace at `root`, in order of path and line.
///
/// # Errors
///
/// When files cannot be read or `cargo metadata` fails.
pub fn check(root: &Path) -> Outcome<Vec<Finding>> {
    let mut findings = Vec::new();
    let sources = files::sources(root)?;
    for source in &sources {
        files::check(source, &mut findings);
        crates::check_unsafe_file(&source.path, &source.text, &mut findings);
        files::check_links(root, source, &mut findings);
    }
    files::check_ratchet(files::RATCHET, &sources, &mut findings);
    let architecture = fs::read_to_string(root.join("ARCHITECTURE.md"))
        .map_err(|e| format!("ARCHITECTURE.md: {e}"))?;
    crates::check(root, &architecture, &mut findings)?;
    licences::check(&mut findings)?;
    findings.sort();
    Ok(findings)
}
