//! Writes the golden files: each case's trace, and what Go's own parser makes of it.
//!
//! `cargo run -p exectrace-testkit --example golden -- [PART-OF-A-NAME]...`
//!
//! The text of our own errors is kept; `exectrace_testkit::cases` says how it gets there. Files of
//! cases that are no more are removed.

use std::{collections::BTreeSet, env, error::Error, fs};

use exectrace_testkit::{
    cases::{self, Case},
    go::{self, Question},
    golden::{Golden, Trace, files, folder},
};

#[expect(clippy::print_stdout, reason = "it is a command")]
fn main() -> Result<(), Box<dyn Error>> {
    let wanted: Vec<String> = env::args().skip(1).collect();
    fs::create_dir_all(folder())?;
    let names: BTreeSet<_> = cases::all().map(|case| case.file_name()).collect();
    for path in files()? {
        let name = path.file_name().and_then(|name| name.to_str());
        if !name.is_some_and(|name| names.contains(name)) {
            fs::remove_file(path)?;
        }
    }
    for case in cases::all() {
        let name = case.file_name();
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part)) {
            continue;
        }
        let path = folder().join(&name);
        let old = fs::read_to_string(&path).ok();
        let old = old.as_deref().map(Golden::parse).transpose()?;
        let golden = golden(&case, old.unwrap_or_default())?;
        fs::write(&path, golden.to_string())?;
        let outcome = golden.go_error.as_deref().unwrap_or("success");
        println!("{name}: {outcome}");
        if let Some(message) = golden.validator {
            println!("  validator: {message}");
        }
    }
    Ok(())
}

/// Asks Go about a case.
fn golden(case: &Case, old: Golden) -> Result<Golden, Box<dyn Error>> {
    let trace = Trace::new(&case.trace());
    let bytes = trace.bytes();
    let parsed = go::ask(Question::Parsed, &bytes)?;
    let validated = go::ask(Question::Validate, &bytes)?;
    let go_error = parsed.error;
    let our_error = old
        .our_error
        .filter(|_| go_error.is_some() || old.differs.is_some());
    let (success, events) = match old.differs {
        Some(_) => (old.success, old.events),
        None => (go_error.is_none(), parsed.output),
    };
    Ok(Golden {
        scenario: case.scenario().map(str::to_owned).collect(),
        success,
        validator: validated.error.filter(|_| go_error.is_none()),
        go_error,
        our_error,
        differs: old.differs,
        events,
        trace,
    })
}
