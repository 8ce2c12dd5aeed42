//! Go's own test vectors, where they are at hand: they are Go's and not copied here.
//!
//! `EXECTRACE_SHARED` names the folder that holds `go-testdata`; without it, `shared` beside the
//! workspace is tried.

mod support;

use std::{env, fs, path::PathBuf};

use exectrace_testkit::golden::Sections;
use support::{parsed_text, parsed_text_overlapped, parsed_text_visiting};

fn folder() -> PathBuf {
    env::var_os("EXECTRACE_SHARED")
        .map_or_else(
            || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
            PathBuf::from,
        )
        .join("go-testdata")
}

#[test]
fn go_vectors_hold() {
    let folder = folder();
    let Ok(entries) = fs::read_dir(&folder) else {
        skipped(&folder);
        return;
    };
    let mut checked = 0;
    for entry in entries {
        let path = entry.expect("an entry of the folder").path();
        if path.extension().is_none_or(|extension| extension != "test") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let file = fs::read_to_string(&path).expect("a vector");
        let sections = Sections::parse(&file);
        let text = sections.get("trace").expect("the trace");
        let bytes = exectrace_wire::text::parse(text.as_bytes())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let outcome = parsed_text(&bytes);
        match sections.get("expect").expect("the expectation").trim() {
            "SUCCESS" => assert_eq!(outcome.error, None, "{name}"),
            // Go's text for the one thing that its failing vectors do.
            failure if failure.contains("expected a proc but didn't have one") => {
                let error = outcome.error.as_deref().unwrap_or_default();
                assert!(
                    error.contains("expected the thread to hold a proc"),
                    "{name}: {error:?}"
                );
            }
            other => panic!("{name}: what is {other}?"),
        }
        assert_eq!(parsed_text_overlapped(&bytes), outcome, "{name}");
        assert_eq!(parsed_text_visiting(&bytes, 5), outcome, "{name}");
        checked += 1;
    }
    assert!(checked >= 22, "only {checked} vectors in {folder:?}");
}

#[expect(
    clippy::print_stderr,
    reason = "a test that checks nothing must say so"
)]
fn skipped(folder: &std::path::Path) {
    eprintln!(
        "SKIPPED: no Go test vectors in {}; set EXECTRACE_SHARED",
        folder.display()
    );
}
