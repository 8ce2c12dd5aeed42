//! Processes that end without stopping their trace: it is whole, and has everything up to the end.
#![cfg(target_os = "linux")]

mod support;

use std::{
    env, fs,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    thread,
};

use exectrace::{
    FlightRecorder, Session, SessionError,
    flight::Destination,
    is_enabled,
    raw::{self, Proc},
    sink::{Sink, SinkErrorKind},
};
use exectrace_wire::TaskId;
use support::checked;

/// Where the child finds what it is to do.
const CHILD: &str = "EXECTRACE_TEST_CHILD";

/// Logs, with what it takes for that.
fn log(message: &str) {
    let proc = Proc::new().start();
    let goroutine = proc.create();
    let running = proc.run(goroutine);
    raw::log(TaskId::BACKGROUND, "test", message);
    drop(running.exit().stop());
}

/// What the child does. Not a test of its own.
#[test]
#[ignore = "what the other tests start"]
fn child() {
    let Ok(what) = env::var(CHILD) else { return };
    let (end, folder) = what.split_once(' ').unwrap();
    let folder = Path::new(folder);
    let recorder = FlightRecorder::builder()
        .on_panic(Destination::path(folder.join("panic.trace")))
        .start()
        .unwrap();
    std::mem::forget(recorder);
    let session = Session::start(Sink::path(folder.join("out.trace"))).unwrap();
    log("first words");
    // Threads that work or wait, as in any program.
    for _ in 0..3 {
        thread::spawn(|| {
            loop {
                log("meanwhile");
                thread::sleep(std::time::Duration::from_millis(1));
            }
        });
    }
    log("last words");
    die(end, session);
}

#[allow(unconditional_recursion, reason = "that is how one overflows a stack")]
fn overflow(depth: u64) -> u64 {
    std::hint::black_box([depth; 100]).iter().sum::<u64>() + overflow(depth + 1)
}

fn die(end: &str, session: Session) {
    match end {
        "exit" => {
            // Dropped it would be if `main` returned; `exit` drops nothing.
            std::process::exit(3);
        }
        "panic" => {
            assert!(thread::spawn(|| panic!("on purpose")).join().is_err());
            // Nothing else happens at this one.
            // SAFETY: ends the process at once.
            unsafe { libc::_exit(4) };
        }
        "abort" => std::process::abort(),
        "fault" => {
            let nowhere = std::hint::black_box(8) as *const u8;
            // SAFETY: none: it is to fault.
            unsafe { nowhere.read_volatile() };
        }
        "overflow" => {
            overflow(0);
        }
        "terminate" => {
            // SAFETY: sends a signal.
            unsafe { libc::raise(libc::SIGTERM) };
        }
        "fork" => fork(session),
        other => panic!("{other}"),
    }
}

fn fork(session: Session) {
    // SAFETY: what the child does takes no lock that another thread may hold, but for the allocator's,
    // which is sound after a fork.
    let child = unsafe { libc::fork() };
    if child == 0 {
        log("in the child");
        let is_off = !is_enabled();
        let is_foreign = matches!(
            session.stop(),
            Err(SessionError::Control(_))
                | Err(SessionError::Sink(exectrace::sink::SinkError {
                    kind: SinkErrorKind::Forked,
                    ..
                }))
        );
        let refused = Session::start(Sink::memory().0).is_err();
        std::process::exit(i32::from(!(is_off && is_foreign && refused)));
    }
    let mut status = 0;
    // SAFETY: waits for our child.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "the child found something wrong");
    log("after the child");
    session.stop().unwrap();
    std::process::exit(5);
}

/// What is left of a child.
struct Left {
    status: ExitStatus,
    events: Vec<String>,
    folder: PathBuf,
}

impl Drop for Left {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Left {
    fn has(&self, message: &str) -> bool {
        let wanted = format!("Message={message:?}");
        self.events.iter().any(|event| event.contains(&wanted))
    }
}

fn end(how: &str) -> Left {
    let folder = env::temp_dir().join(format!("exectrace-ends-{how}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let status = Command::new(env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env(CHILD, format!("{how} {}", folder.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    let trace = fs::read(folder.join("out.trace")).unwrap();
    let left = Left {
        status,
        events: checked(&trace),
        folder,
    };
    assert!(left.has("first words"), "{how}");
    assert!(left.has("last words"), "{how}");
    left
}

#[test]
fn an_exit() {
    assert_eq!(end("exit").status.code(), Some(3));
}

#[test]
fn a_panic_and_nothing_else() {
    let left = end("panic");
    assert_eq!(left.status.code(), Some(4));
    // And there is what the recorder's trigger wrote.
    let snapshot = checked(&fs::read(left.folder.join("panic.trace")).unwrap());
    assert!(snapshot.iter().any(|event| event.contains("last words")));
}

#[test]
fn an_abort() {
    assert_eq!(end("abort").status.signal(), Some(libc::SIGABRT));
}

#[test]
fn a_fault() {
    assert_eq!(end("fault").status.signal(), Some(libc::SIGSEGV));
}

#[test]
fn a_stack_overflow() {
    // The standard library's handler says so, and aborts.
    assert_eq!(end("overflow").status.signal(), Some(libc::SIGABRT));
}

#[test]
fn a_request_to_end() {
    assert_eq!(end("terminate").status.signal(), Some(libc::SIGTERM));
}

#[test]
fn a_forked_child_leaves_its_parents_trace_alone() {
    let left = end("fork");
    assert_eq!(left.status.code(), Some(5));
    assert!(left.has("after the child"));
    assert!(!left.has("in the child"));
}
