//! Writes the golden files: each case's trace, and what Go's own parser makes of it.
//!
//! `cargo run -p exectrace-testkit --example golden -- [PART-OF-A-NAME]...`
//!
//! Go is asked through `testdata/go-oracle` or the program that `EXECTRACE_GO_ORACLE` names. The
//! text of our own errors is kept, and files of cases that are no more are removed; see `exectrace_testkit::cases` for how it gets there.

use std::{
    collections::BTreeSet,
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use exectrace_testkit::{
    cases::{self, Case},
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
    let file = env::temp_dir().join(format!("exectrace-golden-{}.trace", std::process::id()));
    fs::write(&file, trace.bytes())?;
    let parsed = oracle("parsed", &file)?;
    let validated = oracle("validate", &file)?;
    fs::remove_file(&file)?;

    let go_error = (!parsed.status.success()).then(|| first_line(&parsed.stderr));
    let our_error = old
        .our_error
        .filter(|_| go_error.is_some() || old.differs.is_some());
    let (success, events) = match old.differs {
        Some(_) => (old.success, old.events),
        None => (go_error.is_none(), String::from_utf8(parsed.stdout)?),
    };
    Ok(Golden {
        scenario: case.scenario().map(str::to_owned).collect(),
        success,
        validator: (go_error.is_none() && !validated.status.success())
            .then(|| first_line(&validated.stderr)),
        go_error,
        our_error,
        differs: old.differs,
        events,
        trace,
    })
}

fn oracle(what: &str, file: &Path) -> Result<Output, Box<dyn Error>> {
    let program = env::var_os("EXECTRACE_GO_ORACLE").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/go-oracle"),
        PathBuf::from,
    );
    let output = Command::new(&program).arg(what).arg(file).output();
    output.map_err(|error| format!("cannot run {}: {error}", program.display()).into())
}

fn first_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines()
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_owned()
}
