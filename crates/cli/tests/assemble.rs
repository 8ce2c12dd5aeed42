//! `exectrace assemble`: round trips, errors, and files that appear whole or not at all.

mod common;

use common::{Ran, TempDir, exectrace, gzip, run, trace, with_stdin};

const TRACES: [&str; 5] = [
    "go1.22-uni.trace",
    "go1.23-allocfree.trace",
    "go1.25-zoo.trace",
    "go1.26-cpu.trace",
    "go1.27-gens.trace",
];

fn lossless(name: &str) -> String {
    run(["dump", "--format", "wire", "--lossless", name])
        .result()
        .to_owned()
}

#[test]
fn lossless_text_gives_the_same_bytes() {
    let dir = TempDir::new();
    for name in TRACES {
        let text = dir.file("text", lossless(name).as_bytes());
        let out = dir.path("again.trace");
        assert_eq!(run(["assemble", &text, "-o", &out]).result(), "");
        assert!(std::fs::read(&out).unwrap() == trace(name), "{name}");
    }
    assert_eq!(dir.names(), ["again.trace", "text"]);
}

#[test]
fn text_may_be_compressed_and_come_through_a_pipe() {
    let dir = TempDir::new();
    let out = dir.path("again.trace");
    let text = gzip(lossless("go1.27-gens.trace").as_bytes());
    let ran: Ran = with_stdin(exectrace(["assemble", "-", "-o", &out]), &text).into();
    assert_eq!(ran.result(), "");
    assert!(std::fs::read(&out).unwrap() == trace("go1.27-gens.trace"));
}

#[test]
fn gos_text_needs_its_version() {
    let dir = TempDir::new();
    let wire = run(["dump", "--format", "wire", "go1.27-web.trace"]);
    let text = dir.file("text", wire.result().as_bytes());
    let out = dir.path("again.trace");
    let ran = run(["assemble", &text, "-o", &out]);
    assert!(
        ran.message(1).contains("line 1: expected the header"),
        "{ran:?}"
    );

    let ran = run(["assemble", "--trace-version", "1.26", &text, "-o", &out]);
    assert_eq!(ran.result(), "");
    // The padding of numbers is lost, the events are not.
    let again = run(["dump", &out]);
    assert_eq!(again.result(), run(["dump", "go1.27-web.trace"]).result());

    let ran = run(["assemble", "--trace-version", "1.21", &text, "-o", &out]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("1.22, 1.23, 1.25 or 1.26"), "{ran:?}");
}

#[test]
fn an_error_leaves_what_was_there() {
    let dir = TempDir::new();
    let text = dir.file(
        "text",
        b"Trace Go1.26\nGoStart dt=1 g=2 g_seq=3\nGoStart dt=1 g=two\n",
    );
    let out = dir.file("precious", b"do not touch");
    let ran = run(["assemble", &text, "-o", &out]);
    let message = ran.message(1);
    assert!(
        message.contains(": line 3: ") && message.contains("two"),
        "{message}"
    );
    assert_eq!(std::fs::read(&out).unwrap(), b"do not touch");
    assert_eq!(dir.names(), ["precious", "text"]);
}

#[test]
fn a_line_without_end_is_refused_in_bounded_memory() {
    let dir = TempDir::new();
    let text = dir.file(
        "text",
        &[
            b"Trace Go1.26\nString id=1\n\tdata=\"".as_slice(),
            &[b'x'; 3 << 20],
        ]
        .concat(),
    );
    let ran = run(["assemble", &text, "-o", &dir.path("out")]);
    assert!(ran.message(1).contains("line 3"), "{ran:?}");
    assert_eq!(dir.names(), ["text"]);
}

#[test]
fn outputs_that_cannot_be_are_refused() {
    let dir = TempDir::new();
    let text = dir.file("text", b"Trace Go1.26\n");
    let ran = run(["assemble", &text, "-o", &dir.path("")]);
    assert!(ran.message(2).contains("directory"), "{ran:?}");
    let ran = run(["assemble", &text, "-o", &dir.path("no/such/place")]);
    assert!(ran.message(2).contains("cannot write"), "{ran:?}");
}

#[cfg(unix)]
#[test]
fn links_permissions_and_devices_are_respected() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let dir = TempDir::new();
    let text = dir.file("text", lossless("go1.27-gens.trace").as_bytes());
    let real = dir.file("real", b"old");
    std::fs::set_permissions(&real, PermissionsExt::from_mode(0o640)).unwrap();
    symlink("real", dir.path("link")).unwrap();
    assert_eq!(
        run(["assemble", &text, "-o", &dir.path("link")]).result(),
        ""
    );
    assert!(
        std::fs::symlink_metadata(dir.path("link"))
            .unwrap()
            .is_symlink()
    );
    assert!(std::fs::read(&real).unwrap() == trace("go1.27-gens.trace"));
    let mode = std::fs::metadata(&real).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);

    assert_eq!(run(["assemble", &text, "-o", "/dev/null"]).result(), "");
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
}
