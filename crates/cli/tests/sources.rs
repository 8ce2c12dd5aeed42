//! Sources that are not what they should be, and traces from running programs.

mod common;

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread::JoinHandle,
};

use common::{TempDir, exectrace, gzip, run, trace};

/// Runs both commands that read traces on a source; they must agree.
#[track_caller]
fn message(source: &str, status: i32) -> String {
    let info = run(["info", source]).message(status).to_owned();
    let dump = run(["dump", source]).message(status).to_owned();
    assert_eq!(info, dump);
    info.strip_prefix(&format!("{source}: "))
        .unwrap_or_else(|| panic!("{info:?} does not begin with {source:?}"))
        .to_owned()
}

#[test]
fn files_that_cannot_be_had() {
    let dir = TempDir::new();
    assert_eq!(
        message(&dir.path("nothing"), 2),
        "No such file or directory"
    );
    assert!(message(&dir.path("."), 2).contains("is a directory"));
}

#[cfg(unix)]
#[test]
fn files_that_must_not_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new();
    let path = dir.file("secret", &trace("go1.27-idle.trace"));
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).unwrap();
    // Root may read everything.
    if std::fs::File::open(&path).is_err() {
        assert!(message(&path, 2).contains("ermission denied"));
    }
}

#[test]
fn files_that_are_no_traces() {
    let dir = TempDir::new();
    let says = |bytes: &[u8], expected: &str| {
        let found = message(&dir.file("file", bytes), 1);
        assert!(found.contains(expected), "{found:?} lacks {expected:?}");
    };
    says(b"", "the input is empty");
    says(b"go 1.2", "ends after 6 bytes, inside the 16-byte header");
    says(b"hello, world\n", "not a Go execution trace");
    says(b"<!DOCTYPE html><html>", "not a Go execution trace");
    says(b"Trace Go1.26\n", "`exectrace assemble` turns it");
    says(b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4\x46", "xz -dc");
    says(b"go 1.27 trace\0\0\0", "unknown trace version 1.27");
    says(
        &gzip(b"\x0a\x04\x08\x01\x10\x02 pprof"),
        "check that the file is not a pprof profile",
    );
    says(&gzip(b""), "the input is empty");
    says(
        &gzip(&trace("go1.27-web.trace"))[..9],
        "the gzip data ends too early",
    );
}

#[test]
fn a_cut_compressed_trace_gives_what_it_has() {
    let dir = TempDir::new();
    let stored = gzip(&trace("go1.27-gens.trace"));
    let path = dir.file("cut.gz", &stored[..stored.len() * 3 / 4]);
    let ran = run(["info", &path]);
    assert_eq!((ran.status, &*ran.stderr), (1, ""), "{ran:?}");
    assert!(
        ran.stdout.contains("the gzip data ends too early"),
        "{}",
        ran.stdout
    );
}

#[test]
fn usage_errors_have_status_2() {
    for args in [
        &["info"][..],
        &["nonsense"],
        &["info", "--nonsense", "x"],
        &[],
    ] {
        let output = exectrace(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert_eq!(output.stdout, b"", "{args:?}");
        assert!(!output.stderr.is_empty());
    }
}

/// A program that answers one request.
struct Program {
    address: String,
    thread: JoinHandle<String>,
}

/// Answers one request with these bytes, head included, and yields the request.
fn program(answer: Vec<u8>) -> Program {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!(
        "http://{}/debug/pprof/trace?seconds=1",
        listener.local_addr().unwrap()
    );
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let request = read_request(&mut stream);
        // The other side may hang up on an answer that it does not like.
        let _ = stream.write_all(&answer);
        request
    });
    Program { address, thread }
}

fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
        request.push(byte[0]);
    }
    String::from_utf8(request).unwrap()
}

/// As `net/http/pprof` sends a trace: in chunks, of unknown length.
fn chunked(body: &[u8]) -> Vec<u8> {
    let mut answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\
        Transfer-Encoding: chunked\r\n\r\n"
        .to_vec();
    for chunk in body.chunks(1000) {
        answer.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        answer.extend_from_slice(chunk);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    answer
}

#[test]
fn a_running_programs_trace_is_read() {
    let bytes = trace("go1.27-web.trace");
    let program = program(chunked(&bytes));
    let ran = run(["dump", &program.address]);
    assert_eq!(ran.result(), run(["dump", "go1.27-web.trace"]).result());
    let request = program.thread.join().unwrap();
    assert!(
        request.starts_with("GET /debug/pprof/trace?seconds=1 HTTP/1.1\r\n"),
        "{request}"
    );
}

#[test]
fn a_running_programs_trace_is_kept_on_demand() {
    let dir = TempDir::new();
    let kept = dir.path("kept.trace");
    let bytes = trace("go1.27-web.trace");
    let program = program(chunked(&bytes));
    let ran = run(["info", "-o", &kept, &program.address]);
    let (title, _) = ran.result().split_once('\n').unwrap();
    assert!(
        title.starts_with(&format!("{}: trace of", program.address)),
        "{title}"
    );
    assert!(std::fs::read(&kept).unwrap() == bytes);
    assert_eq!(dir.names(), ["kept.trace"]);
}

#[test]
fn a_broken_connection_is_no_whole_trace() {
    let dir = TempDir::new();
    let bytes = trace("go1.27-web.trace");
    let answer = chunked(&bytes);
    let half = || answer[..answer.len() / 2].to_vec();

    let unkept = program(half());
    let ran = run(["dump", &unkept.address]);
    assert_eq!(ran.status, 2, "{}", ran.stderr);

    let kept = dir.path("kept.trace");
    let program = program(half());
    let ran = run(["info", "-o", &kept, &program.address]);
    assert!(ran.message(2).contains("kept.trace.partial"), "{ran:?}");
    assert_eq!(dir.names(), ["kept.trace.partial"]);
    let partial = std::fs::read(dir.path("kept.trace.partial")).unwrap();
    assert!(!partial.is_empty() && bytes.starts_with(&partial));
}

#[test]
fn a_program_that_refuses_is_quoted() {
    // What `net/http/pprof` says when a trace is being recorded already.
    let text = "Could not enable tracing: tracing is already enabled\n";
    let answer = format!(
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: {}\r\nX-Go-Pprof: 1\r\n\r\n{text}",
        text.len()
    );
    let dir = TempDir::new();
    let program = program(answer.into_bytes());
    let ran = run(["info", "-o", &dir.path("kept.trace"), &program.address]);
    let expected = format!(
        "{}: the program answers 500: Could not enable tracing: tracing is already enabled",
        program.address
    );
    assert_eq!(ran.message(2), expected);
    assert_eq!(dir.names(), [""; 0]);
}

#[test]
fn nobody_listens_there() {
    // Bound and closed again: nobody else gets this port so soon.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    assert!(message(&format!("http://127.0.0.1:{port}/"), 2).contains("refused"));
    assert!(message("https://127.0.0.1:1/", 2).contains("curl -fsS"));
    assert!(!message("http://", 2).is_empty());
}
