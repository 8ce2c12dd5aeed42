//! Each rule finds what it is for, and nothing in text that keeps it.

use super::Finding;
use super::crates::{
    Package, allowed_dependencies, check_direction, check_reasons, check_unsafe_file,
};
use super::files::{self, Source, link_targets};
use super::licences::is_allowed;

fn findings(path: &str, text: &str) -> Vec<(usize, String)> {
    let source = Source {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let mut findings = Vec::new();
    files::check(&source, &mut findings);
    findings
        .into_iter()
        .map(|Finding { line, message, .. }| (line, message))
        .collect()
}

fn lines(path: &str, text: &str) -> Vec<usize> {
    findings(path, text)
        .into_iter()
        .map(|(line, _)| line)
        .collect()
}

#[test]
fn a_clean_file_has_no_findings() {
    assert_eq!(findings("a.rs", "//! What it is.\n\nfn f() {}\n"), []);
    assert_eq!(
        findings(
            "a.sh",
            "#!/usr/bin/env bash\nset -euo pipefail\ncd target\n"
        ),
        []
    );
}

#[test]
fn layout() {
    assert_eq!(lines("a.rs", "fn f() {}\n"), [1]);
    assert_eq!(lines("a.rs", "//! A.\nfn f() {} \n\t\n"), [2, 3]);
    assert_eq!(lines("a.md", "A"), [0]);
    assert_eq!(lines("a.md", "A\n\n"), [0]);
    assert_eq!(lines("a.sh", "#!/bin/bash\nfalse\n"), [1]);
}

#[test]
fn length() {
    let text = |n: usize| "//! A.\n".repeat(n);
    assert_eq!(findings("a.rs", &text(600)), []);
    assert_eq!(lines("a.rs", &text(601)), [0]);
    assert_eq!(findings("a/tests.rs", &text(1000)), []);
    assert_eq!(lines("a/tests/b.rs", &text(1001)), [0]);
}

#[test]
fn an_entry_of_the_ratchet_that_is_not_needed_is_found() {
    let mut findings = Vec::new();
    files::check_ratchet(&[("short.rs", 700, "none")], &[], &mut findings);
    assert!(!findings.is_empty());
}

#[test]
fn machine_paths() {
    assert_eq!(lines("a.md", "see `/home/me/x`\n"), [1]);
    assert_eq!(lines("a.rs", "//! A.\nlet x = \"/tmp/x\";\n"), [2]);
    assert_eq!(
        findings("a.md", "see docs/home/x and $X/tmp/y and target/work/z\n"),
        []
    );
}

#[test]
fn line_numbers() {
    assert_eq!(lines("a.md", "see order.go:12\n"), [1]);
    assert_eq!(lines("a.rs", "//! A.\n    // see reader.rs:7\n"), [2]);
    assert_eq!(findings("a.rs", "//! A.\nlet x = \"main.go:12\";\n"), []);
}

#[test]
fn links() {
    let targets: Vec<&str> = link_targets("![a](b.svg) and [c](d.md#e), f(g)").collect();
    assert_eq!(targets, ["b.svg", "d.md#e"]);
}

const TABLE: &str = "# A\n\n| crate | may use | what |\n|---|---|---|\n| `wire` | | `x` |\n\
    | `reader` | `wire` | x |\n| `cli` | `wire`, `reader` | x |\n\n| `other` | `table` |\n";

#[test]
fn direction_of_dependencies() {
    let table = allowed_dependencies(TABLE);
    assert_eq!(table.len(), 3);
    assert_eq!(table["cli"], ["wire", "reader"]);

    let messages = |name: &str, dependencies: &[(&str, bool)]| {
        let package = Package {
            name: name.to_owned(),
            manifest: "Cargo.toml".to_owned(),
            dependencies: dependencies
                .iter()
                .map(|(n, t)| ((*n).to_owned(), *t))
                .collect(),
            roots: Vec::new(),
        };
        let mut findings = Vec::new();
        check_direction(&package, &table, &mut findings);
        findings.into_iter().map(|f| f.message).collect::<Vec<_>>()
    };
    assert_eq!(
        messages("reader", &[("wire", false), ("testkit", true)]),
        [""; 0]
    );
    assert!(messages("wire", &[("reader", false)])[0].contains("must not use"));
    assert!(messages("reader", &[("testkit", false)])[0].contains("dev-dependency"));
    assert!(messages("new", &[])[0].contains("not in the table"));
}

#[test]
fn dependencies_are_argued() {
    let mut findings = Vec::new();
    let manifest = "[package]\nname = \"a\"\n[dependencies]\nexectrace-wire.workspace = true\n\
        b.workspace = true # why\n# why\nc.workspace = true\nd.workspace = true\n\
        [target.'cfg(unix)'.dev-dependencies]\ne = \"1\"\n[lints]\nworkspace = true\n";
    check_reasons("Cargo.toml", manifest, &mut findings);
    let found: Vec<_> = findings.iter().map(|f| f.line).collect();
    assert_eq!(found, [8, 10]);
}

#[test]
fn unsafe_code_is_in_named_files() {
    let found = |path: &str| {
        let mut findings = Vec::new();
        let text = "//! A.\n#![allow(unsafe_code, reason = \"r\")]\n";
        check_unsafe_file(path, text, &mut findings);
        findings.len()
    };
    assert_eq!(found("crates/tracer/src/block.rs"), 0);
    assert_eq!(found("crates/tracer/src/blocks.rs"), 1);
}

#[test]
fn licence_expressions() {
    for allowed in [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-3.0-only OR MIT",
        "(MIT OR GPL-3.0-only) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception OR GPL-2.0-only",
    ] {
        assert!(is_allowed(allowed), "{allowed}");
    }
    for refused in [
        "",
        "GPL-3.0-only",
        "MIT AND GPL-3.0-only",
        "(MIT",
        "MIT MIT",
        "MIT WITH Other-exception",
    ] {
        assert!(!is_allowed(refused), "{refused}");
    }
}
