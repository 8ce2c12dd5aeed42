//! The examples of `docs/cli.md`, `docs/analyses.md` and `README.md` print what the page says.

mod common;

use std::path::Path;

use common::{exectrace, run};

const BEGIN: &str = "```console\n$ exectrace ";
const END: &str = "```\n";

#[test]
fn the_examples_print_what_the_page_says() {
    check_examples("docs/cli.md", 9);
    check_examples("docs/analyses.md", 13);
    check_examples("README.md", 1);
}

/// Runs the examples of a page, of which there are so many at least.
fn check_examples(page: &str, least: usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(page);
    let page = std::fs::read_to_string(&path).unwrap();
    let mut found = String::new();
    let mut rest = page.as_str();
    let mut examples = 0;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (command, after) = after.split_once('\n').unwrap();
        let (_, after) = after.split_once(END).unwrap();
        found += &format!("{before}{BEGIN}{command}\n{}{END}", output_of(command));
        rest = after;
        examples += 1;
    }
    found += rest;
    assert!(examples >= least, "only {examples} examples found");
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        std::fs::write(&path, &found).unwrap();
    }
    for (found, stated) in found.lines().zip(page.lines()) {
        assert_eq!(found, stated, "`cargo xtask golden` accepts it");
    }
    assert_eq!(found.lines().count(), page.lines().count());
}

#[test]
fn every_field_of_the_json_is_explained() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let page = std::fs::read_to_string(path).unwrap();
    let json = run(["info", "--json", "go1.27-allocfree.trace"]);
    let json: serde_json::Value = serde_json::from_str(json.result()).unwrap();
    let mut checked = 0;
    let mut check = |value: &serde_json::Value| {
        for field in value
            .as_object()
            .into_iter()
            .flat_map(|object| object.keys())
        {
            assert!(
                page.contains(&format!("`{field}`")),
                "{field} is not explained"
            );
            checked += 1;
        }
    };
    check(&json);
    for inner in ["contents", "/experiments/0", "/generations/0", "/types/0"] {
        check(json.get(inner).or(json.pointer(inner)).unwrap());
    }
    assert!(checked > 40, "checked only {checked}");
}

/// Runs a command line: words, single quotes, `| head -N` and `| tail -N`.
fn output_of(command: &str) -> String {
    let mut parts = command.split(" | ");
    let output = exectrace(words(parts.next().unwrap())).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    for part in parts {
        let (tool, count) = part.split_once(" -").unwrap();
        let count = lines.len().min(count.parse().unwrap());
        match tool {
            "head" => lines.truncate(count),
            "tail" => drop(lines.drain(..lines.len() - count)),
            _ => panic!("{tool}"),
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (i, piece) in command.split('\'').enumerate() {
        if i % 2 == 1 {
            words.push(piece.to_owned());
        } else {
            words.extend(piece.split_whitespace().map(str::to_owned));
        }
    }
    words
}
