//! `FORMAT.md` is what the table says.

use std::{fs, path::Path};

use exectrace_wire::{Class, SPECS, format_markdown, limits};

#[test]
fn format_md_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../FORMAT.md");
    let expected = format_markdown();
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        fs::write(&path, &expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "FORMAT.md and the table differ; if the table is right, run \
         UPDATE_GOLDEN=1 cargo test -p exectrace-wire --test format_doc"
    );
}

#[test]
fn every_event_argument_and_limit_is_described() {
    let text = format_markdown();
    for spec in SPECS {
        let row = text
            .lines()
            .find(|line| {
                let (id, name) = (spec.event_type.to_wire(), spec.name);
                line.starts_with(&format!("| {id} | `{name}` |"))
                    || spec.class == Class::Section
                        && line.starts_with(&format!("| {id} (`{name}`) |"))
            })
            .unwrap_or_else(|| panic!("no row for {}", spec.name));
        for arg in spec.args.iter().skip(usize::from(spec.is_timed())) {
            assert!(row.contains(&format!("`{}`", arg.name)), "{row}");
        }
    }
    assert!(text.contains(&format!(
        "| `MAX_BATCH_BYTES` | {} |",
        limits::MAX_BATCH_BYTES
    )));
}

#[test]
fn tables_are_well_formed() {
    let text = format_markdown();
    let mut columns = None;
    for line in text.lines() {
        if !line.starts_with('|') {
            assert!(!line.ends_with('|'), "{line}");
            columns = None;
            continue;
        }
        let count = line.replace("\\|", "").matches('|').count();
        assert_eq!(*columns.get_or_insert(count), count, "{line}");
    }
}
