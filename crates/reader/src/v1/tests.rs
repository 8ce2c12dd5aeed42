//! The events of traces of Go 1.5 to 1.10, before they are converted, against Go 1.21's parser: the
//! last one that reads them.
//!
//! `testdata/v1` has traces and listings of what that parser makes of them: time in nanoseconds, name,
//! proc, goroutine and offset of each event. `EXECTRACE_V1` names another folder of the kind.

use std::{env, fs, path::PathBuf};

use exectrace_wire::v1::EventType as T;

use super::*;

/// The events as the listings have them.
fn listing(file: &[u8]) -> Result<Vec<String>, Error> {
    let version = exectrace_wire::parse_header(file).unwrap();
    let trace = Trace::index(version, file.to_vec(), None)?;
    let mut order = Merge::new(&trace, None).order()?;
    if order.has_futile {
        order.futile = futile::wakeups(&trace, &order);
    }
    if order.is_doubtful {
        order.blocked = recheck(&trace, &order, None)?;
    }
    let mut converter = Converter::new(&trace, &order, None);
    let mut replay = Replay::new(&trace, &order);
    let mut lines = Vec::new();
    while let Some(placed) = replay.next(&trace, &order) {
        let (nanos, proc, goroutine) = converter.listed(placed, &trace, &order);
        let event = &placed.event;
        // Go 1.21 says that these happen on no goroutine; later versions do not.
        let goroutine = match event.event_type {
            T::GCStart | T::GCDone | T::STWStart | T::STWDone => 0,
            _ => goroutine,
        };
        // The local forms only help to order.
        let name = event.event_type.name().trim_end_matches("Local");
        lines.push(format!(
            "{nanos} {name} p={proc} g={goroutine} off={}",
            event.at
        ));
    }
    Ok(lines)
}

/// Events at one time in order of text: Go takes them in that of a hash map.
fn normal(mut lines: Vec<String>) -> Vec<String> {
    let time = |line: &String| line.split(' ').next().unwrap().parse::<i64>().unwrap();
    lines.sort_by_cached_key(|line| (time(line), line.clone()));
    lines
}

#[test]
fn older_traces_read_as_go_1_21_reads_them() {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/v1");
    let folder = env::var_os("EXECTRACE_V1").map_or(own, PathBuf::from);
    let mut compared = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_none_or(|extension| extension != "trace")
        {
            continue;
        }
        let go = fs::read_to_string(path.with_extension("listing")).unwrap();
        let ours = match listing(&fs::read(&path).unwrap()) {
            Ok(lines) => normal(lines),
            Err(error) => {
                assert!(go.starts_with("ERR"), "{path:?}: {error}");
                compared += 1;
                continue;
            }
        };
        assert!(!go.starts_with("ERR"), "{path:?}: {go}");
        let go = normal(go.lines().map(str::to_owned).collect());
        if let Some((ours, go)) = ours.iter().zip(&go).find(|(ours, go)| ours != go) {
            panic!("{path:?}: ours {ours}, Go's {go}");
        }
        assert_eq!(ours.len(), go.len(), "{path:?}");
        compared += 1;
    }
    assert!(compared >= 3, "{compared} traces");
}
