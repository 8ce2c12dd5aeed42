//! Finds the traces that tests compare with Go's outputs.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::{
    env, fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use exectrace_wire::{Family, parse_header};

/// A trace, and the file beside it that says what Go makes of it.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) trace: Vec<u8>,
    pub(crate) golden: PathBuf,
}

/// The folder with the workspace's own traces.
pub(crate) fn selection() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

/// The folder with traces: the large collection if it is there (`EXECTRACE_SHARED`, or `shared`
/// beside the workspace), else the selection of it that the workspace has.
pub(crate) fn traces() -> PathBuf {
    let shared = env::var_os("EXECTRACE_SHARED")
        .map_or_else(|| selection().join("../../shared"), PathBuf::from);
    if shared.join("corpus").is_dir() {
        return shared;
    }
    // Not with a macro: the test harness hides what a passing test prints with one.
    let message = format!(
        "skipped: traces outside testdata, since there are none in {}; set EXECTRACE_SHARED\n",
        shared.display()
    );
    io::stderr().write_all(message.as_bytes()).unwrap();
    selection()
}

/// The traces of the v2 family in `folder`, by name, with their goldens.
pub(crate) fn cases(folder: &Path, golden_suffix: &str) -> Vec<Case> {
    let cases = cases_of(Family::V2, folder, golden_suffix);
    assert!(cases.len() > 20, "only {} traces", cases.len());
    cases
}

/// The same for a family; at least a few.
pub(crate) fn cases_of(family: Family, folder: &Path, golden_suffix: &str) -> Vec<Case> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "trace")
        })
        .collect();
    paths.sort();
    let cases: Vec<Case> = paths
        .into_iter()
        .filter_map(|path| {
            let trace = fs::read(&path).unwrap();
            // Headers that are none are for the tests of headers.
            let fits = parse_header(&trace).is_ok_and(|version| version.family() == family);
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let golden = folder.join(format!("{name}{golden_suffix}"));
            fits.then_some(Case {
                name,
                trace,
                golden,
            })
        })
        .collect();
    assert!(cases.len() >= 4, "only {} traces", cases.len());
    cases
}

/// A file's bytes, without gzip if its name ends so.
pub(crate) fn read(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    if path.extension().is_none_or(|extension| extension != "gz") {
        return bytes;
    }
    let mut text = Vec::new();
    flate2::read::MultiGzDecoder::new(&bytes[..])
        .read_to_end(&mut text)
        .unwrap();
    text
}

/// Where two texts part: the line's number from 1 and both lines.
pub(crate) fn first_difference(ours: &[u8], go: &[u8]) -> Option<String> {
    let mut ours = ours.split_inclusive(|byte| *byte == b'\n');
    let mut go = go.split_inclusive(|byte| *byte == b'\n');
    for line in 1.. {
        match (ours.next(), go.next()) {
            (None, None) => return None,
            (a, b) if a == b => {}
            (a, b) => {
                let show = |line: Option<&[u8]>| match line {
                    Some(line) => String::from_utf8_lossy(line).into_owned(),
                    None => "the end\n".to_owned(),
                };
                return Some(format!(
                    "line {line}: ours {}         Go's {}",
                    show(a),
                    show(b)
                ));
            }
        }
    }
    None
}
