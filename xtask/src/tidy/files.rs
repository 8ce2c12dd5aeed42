//! Rules about single files.

use std::fs;
use std::path::{Path, PathBuf};

use super::Finding;
use crate::Outcome;

/// Folders that are not ours to keep tidy: products, data, and what tools keep for themselves.
const SKIPPED_FOLDERS: &[&str] = &[
    ".git",
    "bench/out",
    "fuzz/artifacts",
    "fuzz/corpus",
    "fuzz/grown",
    "fuzz/target",
    "node_modules",
    "target",
    "testdata/corpus",
    "testdata/edge",
];

/// Files of these kinds are read; other files, goldens among them, are data. A file without an
/// extension is read when it is a script.
const EXTENSIONS: &[&str] = &[
    "rs", "md", "toml", "sh", "go", "yml", "ts", "js", "css", "html",
];

/// The most lines that a Rust file may have, and a file of tests.
const MAX_LINES: usize = 600;
const MAX_TEST_LINES: usize = 1000;

/// Files, their lengths and reasons.
pub(super) type Ratchet = &'static [(&'static str, usize, &'static str)];

/// Files that are longer, with the length that they MUST NOT exceed and why they are not split.
/// An entry goes when its file fits again.
pub(super) const RATCHET: Ratchet = &[];

/// Beginnings of paths that exist on one person's machine only.
const MACHINE_PATHS: &[&str] = &["/root/", "/home/", "/work/", "/tmp/", "/Users/"];

/// Files that must spell such a path, and why.
const MACHINE_PATHS_ALLOWED: &[(&str, &str)] = &[
    ("xtask/src/tidy/files.rs", "the rule itself"),
    ("xtask/src/tidy/tests.rs", "its test"),
];

/// A text file of the workspace.
#[derive(Debug)]
pub(super) struct Source {
    /// Relative to the workspace, with `/` between its parts.
    pub(super) path: String,
    pub(super) text: String,
}

/// Every file that the rules apply to, in order of path.
pub(super) fn sources(root: &Path) -> Outcome<Vec<Source>> {
    let mut sources = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        for entry in entries {
            let entry = entry.map_err(|e| format!("{}: {e}", folder.display()))?;
            let path = relative(root, &entry.path());
            let kind = entry.file_type().map_err(|e| format!("{path}: {e}"))?;
            if kind.is_dir() {
                let name = entry.file_name();
                let name = name.to_str();
                if !SKIPPED_FOLDERS
                    .iter()
                    .any(|s| path == *s || name == Some(*s))
                {
                    folders.push(entry.path());
                }
            } else if kind.is_file() && is_text(&entry.path()) {
                let text = fs::read_to_string(entry.path()).map_err(|e| format!("{path}: {e}"))?;
                sources.push(Source { path, text });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

fn relative(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    path.iter()
        .map(|part| part.to_string_lossy())
        .collect::<Vec<_>>()
        .join("/")
}

fn is_text(path: &Path) -> bool {
    match path.extension() {
        Some(extension) => EXTENSIONS.iter().any(|e| extension == *e),
        None => fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"#!")),
    }
}

/// The rules that need nothing but the file.
pub(super) fn check(source: &Source, findings: &mut Vec<Finding>) {
    check_layout(source, findings);
    check_length(source, findings);
    check_mentions(source, findings);
}

/// How a file begins and ends, and what its lines end in.
fn check_layout(Source { path, text }: &Source, findings: &mut Vec<Finding>) {
    if path.ends_with(".rs") && !text.starts_with("//!") {
        findings.push(Finding::new(
            path,
            1,
            "begin with a `//!` comment that says what this is",
        ));
    }
    if text.starts_with("#!") && text.contains("bash") && !text.contains("\nset -euo pipefail\n") {
        findings.push(Finding::new(
            path,
            1,
            "a script that goes on after an error: `set -euo pipefail`",
        ));
    }
    for (line, at) in text.lines().zip(1..) {
        if line.ends_with([' ', '\t', '\r']) {
            findings.push(Finding::new(path, at, "white space at the end of the line"));
        }
    }
    if !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
        findings.push(Finding::new(path, 0, "end with exactly one line break"));
    }
}

fn check_length(Source { path, text }: &Source, findings: &mut Vec<Finding>) {
    if !path.ends_with(".rs") {
        return;
    }
    let ratchet = RATCHET.iter().find(|(file, ..)| file == path);
    let most = match ratchet {
        Some((_, most, _)) => *most,
        None if is_test(path) => MAX_TEST_LINES,
        None => MAX_LINES,
    };
    let lines = text.lines().count();
    if lines > most {
        findings.push(Finding::new(
            path,
            0,
            format!("{lines} lines, at most {most}: split it"),
        ));
    }
}

fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// The ratchet only ever tightens.
pub(super) fn check_ratchet(ratchet: Ratchet, sources: &[Source], findings: &mut Vec<Finding>) {
    for (path, ..) in ratchet {
        let lines = sources
            .iter()
            .find(|s| s.path == *path)
            .map(|s| s.text.lines().count());
        if lines.is_none_or(|lines| lines <= MAX_LINES) {
            let message = "needs no place in the ratchet list of xtask/src/tidy/files.rs any more";
            findings.push(Finding::new(path, 0, message));
        }
    }
}

/// What text must not mention: places that only one machine has, and lines of files, which move.
fn check_mentions(Source { path, text }: &Source, findings: &mut Vec<Finding>) {
    let machine_paths = !MACHINE_PATHS_ALLOWED.iter().any(|(file, _)| file == path);
    for (line, at) in text.lines().zip(1..) {
        if machine_paths && MACHINE_PATHS.iter().any(|p| mentions_path(line, p)) {
            findings.push(Finding::new(path, at, "a path of somebody's machine"));
        }
        let is_prose = path.ends_with(".md") || line.trim_start().starts_with("//");
        if is_prose && mentions_line_number(line) {
            findings.push(Finding::new(
                path,
                at,
                "a line number: it will be wrong; name the item",
            ));
        }
    }
}

/// Whether `prefix` begins an absolute path in `line`, rather than continuing a longer one.
fn mentions_path(line: &str, prefix: &str) -> bool {
    line.match_indices(prefix)
        .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-}*".contains(c)))
}

fn mentions_line_number(line: &str) -> bool {
    [".rs:", ".go:"].iter().any(|extension| {
        line.match_indices(extension)
            .any(|(at, _)| line[at + extension.len()..].starts_with(|c: char| c.is_ascii_digit()))
    })
}

/// Every relative link of a Markdown file leads to a file.
pub(super) fn check_links(
    root: &Path,
    Source { path, text }: &Source,
    findings: &mut Vec<Finding>,
) {
    if !path.ends_with(".md") {
        return;
    }
    let folder: PathBuf = root.join(path).parent().unwrap_or(root).to_path_buf();
    for (line, at) in text.lines().zip(1..) {
        for target in link_targets(line) {
            let file = target.split('#').next().unwrap_or_default();
            if !file.is_empty() && !target.contains("://") && !folder.join(file).exists() {
                findings.push(Finding::new(
                    path,
                    at,
                    format!("a link to nowhere: {target}"),
                ));
            }
        }
    }
}

/// The targets of the inline links and images in a line of Markdown.
pub(super) fn link_targets(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("](")
        .filter_map(|(at, open)| line[at + open.len()..].split(')').next())
}
