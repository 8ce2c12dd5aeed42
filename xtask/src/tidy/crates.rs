//! Rules about crates: which may use which, what they forbid, why they depend on what.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::Finding;
use crate::Outcome;
use crate::run::Step;

/// Files that may have unsafe code, and why. Their crates deny it elsewhere, and all deny
/// `undocumented_unsafe_blocks`. A path that ends in `/` is a folder.
const UNSAFE_ALLOWED: &[(&str, &str)] = &[
    (
        "crates/tracer/src/block.rs",
        "memory that a thread fills while others look on",
    ),
    (
        "crates/tracer/src/buffer.rs",
        "numbers are written into a block without a check for each byte",
    ),
    (
        "crates/tracer/src/clock/counter.rs",
        "instructions that read the processor's counter",
    ),
    (
        "crates/tracer/src/clock/os.rs",
        "the system's clock, which the standard library has without its zero",
    ),
    (
        "crates/tracer/src/iter.rs",
        "the bounds of a coroutine's stack, and moving it to another thread",
    ),
    (
        "crates/tracer/src/os.rs",
        "system calls that the standard library does not have",
    ),
    (
        "crates/tracer/src/thread_state/",
        "a thread and the advancing thread take turns at the same memory",
    ),
    (
        "crates/tracer/src/crash/signal.rs",
        "signal handlers, and pipes that they may write to",
    ),
    (
        "crates/tracer/src/mapped/mapping.rs",
        "memory that is a file, so that it outlives the process",
    ),
    (
        "crates/tracer/src/stack/",
        "reads the stack that it is on, and shares memory without locks",
    ),
];

/// The crate that tests use and nothing else may.
const TEST_CRATE: &str = "testkit";

/// All rules about the crates of the workspace.
pub(super) fn check(root: &Path, architecture: &str, findings: &mut Vec<Finding>) -> Outcome {
    let table = allowed_dependencies(architecture);
    let metadata = Step::new("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1", "--locked"])
        .output()?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|e| e.to_string())?;
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let package = Package::new(root, package);
        check_direction(&package, &table, findings);
        check_unsafe_roots(root, &package, findings)?;
        let manifest = fs::read_to_string(root.join(&package.manifest))
            .map_err(|e| format!("{}: {e}", package.manifest))?;
        check_reasons(&package.manifest, &manifest, findings);
    }
    Ok(())
}

/// What the rules need of a package in `cargo metadata`.
#[derive(Debug)]
pub(super) struct Package {
    /// As the table of `ARCHITECTURE.md` calls it: without `exectrace-`.
    pub(super) name: String,
    pub(super) manifest: String,
    /// Crates of the workspace that it depends on, and whether for tests only.
    pub(super) dependencies: Vec<(String, bool)>,
    /// The root files of its library and its programs.
    pub(super) roots: Vec<String>,
}

impl Package {
    fn new(root: &Path, package: &Value) -> Self {
        let short = |name: &str| name.trim_start_matches("exectrace-").to_owned();
        let relative = |path: &Value| {
            let path = Path::new(path.as_str().unwrap_or_default());
            path.strip_prefix(root)
                .unwrap_or(path)
                .to_string_lossy()
                .into_owned()
        };
        let list = |key: &str| package[key].as_array().into_iter().flatten();
        Self {
            name: short(package["name"].as_str().unwrap_or_default()),
            manifest: relative(&package["manifest_path"]),
            dependencies: list("dependencies")
                .filter(|d| d["path"].is_string())
                .map(|d| {
                    (
                        short(d["name"].as_str().unwrap_or_default()),
                        d["kind"] == "dev",
                    )
                })
                .collect(),
            roots: list("targets")
                .filter(|t| {
                    t["kind"]
                        .as_array()
                        .is_some_and(|k| k.iter().any(is_product))
                })
                .map(|t| relative(&t["src_path"]))
                .collect(),
        }
    }
}

fn is_product(kind: &Value) -> bool {
    matches!(
        kind.as_str(),
        Some("lib" | "bin" | "cdylib" | "staticlib" | "proc-macro")
    )
}

/// The table of crates in `ARCHITECTURE.md`: a crate's name in backquotes in the first column, those
/// that it may use in the second.
pub(super) fn allowed_dependencies(architecture: &str) -> BTreeMap<String, Vec<String>> {
    let quoted = |cell: &str| {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let mut table = BTreeMap::new();
    let mut lines = architecture
        .lines()
        .skip_while(|l| !l.starts_with("| crate | may use |"));
    for line in lines.by_ref().skip(2).take_while(|l| l.starts_with('|')) {
        let mut cells = line.split('|').skip(1);
        if let (Some(name), Some(uses)) = (cells.next(), cells.next())
            && let Some(name) = quoted(name).into_iter().next()
        {
            table.insert(name, quoted(uses));
        }
    }
    table
}

/// Dependencies point one way, and only tests use the test crate.
pub(super) fn check_direction(
    package: &Package,
    table: &BTreeMap<String, Vec<String>>,
    findings: &mut Vec<Finding>,
) {
    let Package {
        name,
        manifest,
        dependencies,
        ..
    } = package;
    let Some(allowed) = table.get(name) else {
        let message = format!("`{name}` is not in the table of crates in ARCHITECTURE.md");
        findings.push(Finding::new(manifest, 0, message));
        return;
    };
    for (dependency, for_tests) in dependencies {
        if *for_tests || allowed.contains(dependency) {
            continue;
        }
        let message = if dependency == TEST_CRATE {
            format!("`{TEST_CRATE}` is for tests: make it a dev-dependency")
        } else {
            format!("`{name}` must not use `{dependency}` (table of crates in ARCHITECTURE.md)")
        };
        findings.push(Finding::new(manifest, 0, message));
    }
}

/// A crate without a reason to have unsafe code forbids it, the others deny it but in named files.
fn check_unsafe_roots(root: &Path, package: &Package, findings: &mut Vec<Finding>) -> Outcome {
    let folder = package.manifest.trim_end_matches("Cargo.toml");
    let level = if UNSAFE_ALLOWED
        .iter()
        .any(|(path, _)| path.starts_with(folder))
    {
        "deny"
    } else {
        "forbid"
    };
    for path in &package.roots {
        let text = fs::read_to_string(root.join(path)).map_err(|e| format!("{path}: {e}"))?;
        if !text
            .lines()
            .any(|line| line == format!("#![{level}(unsafe_code)]"))
        {
            findings.push(Finding::new(
                path,
                0,
                format!("no `#![{level}(unsafe_code)]`"),
            ));
        }
    }
    Ok(())
}

/// Where a crate only denies unsafe code, nothing but the named files allows it again.
pub(super) fn check_unsafe_file(path: &str, text: &str, findings: &mut Vec<Finding>) {
    let named = |(allowed, _): &(&str, &str)| {
        path == *allowed || (allowed.ends_with('/') && path.starts_with(allowed))
    };
    if !path.ends_with(".rs") || UNSAFE_ALLOWED.iter().any(named) {
        return;
    }
    for (line, at) in text.lines().zip(1..) {
        let line = line.trim_start();
        if line.starts_with('#') && line.contains("allow(unsafe_code") {
            let message = "unsafe code, and no reason for it in xtask/src/tidy/crates.rs";
            findings.push(Finding::new(path, at, message));
        }
    }
}

/// Each dependency from outside the workspace has a comment, above it or beside it, that argues it.
pub(super) fn check_reasons(path: &str, manifest: &str, findings: &mut Vec<Finding>) {
    let mut in_dependencies = false;
    let mut previous = "";
    for (line, at) in manifest.lines().zip(1..) {
        let line = line.trim();
        if line.starts_with('[') {
            in_dependencies = line.ends_with("dependencies]");
        } else if in_dependencies && line.contains('=') && !line.starts_with('#') {
            let ours = line.starts_with("exectrace-");
            if !ours && !line.contains('#') && !previous.starts_with('#') {
                let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
                let message = format!("a comment must argue the dependency on {name}");
                findings.push(Finding::new(path, at, message));
            }
        }
        previous = line;
    }
}
