//! Processes that are killed at random moments: what `recover` makes of what they leave is valid, and
//! next to nothing is lost.
//!
//! `EXECTRACE_KILLS` says how many; continuous integration has time for the default.
#![cfg(target_os = "linux")]

mod support;
#[path = "support/work.rs"]
mod work;

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use exectrace::{
    FlightRecorder, Session, configure, mapped,
    recover::{Recovered, recover},
    sink::Sink,
};
use exectrace_reader::{EventKind, Reader};
use exectrace_testkit::{
    Rng,
    go::{Question, ask},
};
use exectrace_validate::{Severity, Validator};

const THREADS: u64 = 3;

/// Where the child finds what it is to do.
const CHILD: &str = "EXECTRACE_TEST_CHILD";

/// A folder of its own for a test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("exectrace-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What the child does until it is killed. Not a test of its own.
#[test]
#[ignore = "what the other tests kill"]
fn child() {
    let Ok(what) = env::var(CHILD) else { return };
    let (mode, folder) = what.split_once(' ').unwrap();
    let folder = Path::new(folder);
    let blocks = folder.join("blocks");
    let _keeps: Box<dyn std::any::Any> = match mode {
        "session" => {
            let session = Session::builder().map_memory(&blocks, 16 << 20);
            let session = session.start(Sink::path(folder.join("written"))).unwrap();
            Box::new(session)
        }
        "stuck" => {
            // Finished generations wait in mapped memory, for the sink takes nothing.
            let (reader, writer) = std::io::pipe().unwrap();
            std::mem::forget(reader);
            let session = Session::builder().map_memory(&blocks, 16 << 20);
            Box::new(
                session
                    .max_memory(1 << 20)
                    .start(Sink::writer(writer))
                    .unwrap(),
            )
        }
        "flight" => {
            let memory = mapped::install(&blocks, 16 << 20, None).unwrap();
            let recorder = FlightRecorder::builder().min_age(Duration::from_millis(50));
            Box::new((memory, recorder.start().unwrap()))
        }
        other => panic!("{other}"),
    };
    let mut settings = exectrace::Settings::default();
    settings.period = Duration::from_millis(3);
    settings.max_memory = 16 << 20;
    // Otherwise one generation may take all of the memory.
    settings.generation_bytes = 1 << 20;
    configure(&settings);
    fs::write(folder.join("ready"), "").unwrap();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut rounds = 0u32;
                work::work(|| {
                    rounds += 1;
                    if rounds.is_multiple_of(20) {
                        thread::sleep(Duration::from_micros(200));
                    }
                    true
                });
            });
        }
    });
}

fn start(mode: &str, folder: &Path) -> Child {
    for name in ["ready", "blocks", "written"] {
        let _ = fs::remove_file(folder.join(name));
    }
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env(CHILD, format!("{mode} {}", folder.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while !folder.join("ready").exists() {
        thread::sleep(Duration::from_millis(1));
    }
    child
}

/// What is found in a recovered trace.
#[derive(Debug, Default)]
struct Found {
    serials: BTreeSet<u64>,
    losses: u64,
    /// Events at which a stack has this test's own function.
    named: u64,
}

/// Reads a trace, which MUST be valid.
fn read(trace: &[u8], context: &str) -> Found {
    let mut found = Found::default();
    // Killed before anything was traced. Validators want a clock in a trace, and there is none.
    if trace == exectrace_wire::Version::Go126.header() {
        return found;
    }
    let mut reader = Reader::new(trace).unwrap();
    let mut validator = Validator::new(reader.version());
    loop {
        match reader.next_event() {
            Ok(Some(event)) => {
                found.named += u64::from(event.stack().is_some_and(|stack| {
                    let mut frames = stack.frames();
                    frames.any(|frame| frame.function.to_string().contains("work::work"))
                }));
                if let EventKind::Log(log) = event.kind() {
                    let message = log.message.to_string();
                    match message.parse::<u64>() {
                        Ok(serial) => found.serials.extend([serial]),
                        Err(_) => found.losses += 1,
                    }
                }
                validator.check(&event);
            }
            Ok(None) => break,
            Err(error) => {
                let path = env::temp_dir().join("exectrace-kill-failed.trace");
                fs::write(&path, trace).unwrap();
                panic!("{context}: {error} ({})", path.display());
            }
        }
    }
    // Stricter rules are broken where a task or a region began in a generation that is lost.
    let report = validator.finish();
    let limit = if found.losses > 0 {
        Severity::Go
    } else {
        Severity::Strict
    };
    assert!(report.worst() < Some(limit), "{context}: {report}");
    found
}

/// Go MUST read it, too, if it can be asked.
#[allow(
    clippy::print_stderr,
    reason = "a test that could not run has to say so"
)]
fn ask_go(trace: &[u8], context: &str) {
    for question in [Question::Parsed, Question::Validate] {
        match ask(question, trace) {
            Ok(answer) => assert_eq!(answer.error, None, "{context}: {}", answer.output),
            Err(error) if env::var_os("CI").is_none() => {
                eprintln!("SKIPPED: Go was not asked: {error}");
            }
            Err(error) => panic!("Go cannot be asked: {error}"),
        }
    }
}

/// Sums over all kills.
#[derive(Debug, Default)]
struct Sums {
    kills: u64,
    logs: u64,
    missing: u64,
    written: u64,
    finished: u64,
    rebuilt: u64,
    recovered_events: u64,
    lost_generations: u64,
    named_stacks: u64,
}

impl Sums {
    fn add(&mut self, recovered: &Recovered, found: &Found, missing: u64) {
        let report = &recovered.report;
        self.kills += 1;
        self.logs += found.serials.len() as u64;
        self.missing += missing;
        self.written += report.written;
        self.finished += report.finished;
        self.rebuilt += report.rebuilt;
        self.recovered_events += report.recovered_events;
        self.lost_generations += report.missing;
        self.named_stacks += found.named;
    }
}

#[allow(
    clippy::print_stderr,
    reason = "the sums are what one runs this by hand for"
)]
fn kill_many(mode: &str, default: u64, check: impl Fn(&Recovered, &Found) -> u64) {
    let kills = env::var("EXECTRACE_KILLS").map_or(default, |n| n.parse().unwrap());
    let folder = Folder::new(mode);
    let mut rng = Rng::new(kills);
    let mut sums = Sums::default();
    for kill in 0..kills {
        let mut child = start(mode, &folder.0);
        // The first generation takes longest, since it reads the program's debug information.
        let most = if rng.one_in(4) { 700_000 } else { 30_000 };
        thread::sleep(Duration::from_micros(rng.below(most)));
        child.kill().unwrap();
        child.wait().unwrap();
        let context = format!("{mode}, kill {kill}");
        let mut trace = Vec::new();
        let recovered = recover(&folder.0.join("blocks"), None, &mut trace).unwrap();
        let found = read(&trace, &context);
        if kill.is_multiple_of(10) && !found.serials.is_empty() {
            ask_go(&trace, &context);
        }
        let report = &recovered.report;
        assert_eq!(
            (report.lost_bytes, report.lost_strings, report.lost_stacks),
            (0, 0, 0),
            "{context}: {report}"
        );
        let missing = check(&recovered, &found);
        sums.add(&recovered, &found, missing);
    }
    eprintln!("{mode}: {sums:?}");
    assert!(sums.rebuilt >= kills / 2, "{sums:?}");
    assert!(sums.named_stacks > sums.logs, "{sums:?}");
    // A stuck sink is there to lose some.
    let may_lose = mode == "stuck";
    assert!(
        may_lose || sums.lost_generations <= kills / 10 + 1,
        "{sums:?}"
    );
}

/// Serial numbers below the largest that are not there, from `from` on.
fn gaps(found: &Found, from: u64) -> u64 {
    let end = found.serials.last().map_or(from, |last| last + 1);
    let there = found.serials.range(from..).count() as u64;
    end - from - there
}

#[test]
fn a_killed_session_has_all_up_to_the_kill() {
    kill_many("session", 40, |recovered, found| {
        // A number is taken before its log is written: each thread may have one.
        let missing = gaps(found, 0);
        // Generations are missing where trace memory ran out, and the trace says so.
        assert!(
            missing <= THREADS || found.losses > 0,
            "{missing} logs are missing"
        );
        assert!(recovered.report.missing == 0 || found.losses > 0);
        missing
    });
}

#[test]
fn a_killed_recorder_has_the_last_moments() {
    kill_many("flight", 15, |_, found| {
        let missing = gaps(found, found.serials.first().copied().unwrap_or(0));
        assert!(
            missing <= THREADS || found.losses > 0,
            "{missing} logs are missing"
        );
        missing
    });
}

#[test]
fn what_a_stuck_sink_has_not_taken_is_recovered() {
    kill_many("stuck", 15, |_, found| {
        // The oldest may have been dropped, and the trace says so; of the rest, all is there.
        let missing = gaps(found, found.serials.first().copied().unwrap_or(0));
        assert!(
            missing <= THREADS || found.losses > 0,
            "{missing} logs are missing"
        );
        missing
    });
}
