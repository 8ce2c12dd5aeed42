//! Runs the command as a user would and looks at what it leaves behind.
#![allow(dead_code, reason = "each test file uses a part")]

use std::{
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

/// The command, without colour or a user's settings.
pub(crate) fn exectrace<I: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = I>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_exectrace"));
    command
        .args(args)
        .current_dir(corpus(""))
        .env_remove("NO_COLOR")
        .env("http_proxy", "http://127.0.0.1:1")
        .stdin(Stdio::null());
    command
}

/// Runs the command with a file's bytes on standard input.
pub(crate) fn with_stdin(mut command: Command, bytes: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // The command may stop reading before the end.
            let _ = stdin.write_all(bytes);
        });
        child.wait_with_output().unwrap()
    })
}

/// What came out, as text.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn run<const N: usize>(args: [&str; N]) -> Ran {
    exectrace(args).output().unwrap().into()
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8 output");
        Self {
            status: output.status.code().expect("an exit status"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Ran {
    /// Checks that nothing came out but one message, and returns it without the command's name.
    #[track_caller]
    pub(crate) fn message(&self, status: i32) -> &str {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        let message = self.stderr.strip_prefix("exectrace: ").expect("our name");
        let message = message.strip_suffix('\n').expect("a line");
        assert!(!message.contains('\n'), "one line: {message}");
        message
    }

    /// Checks that all is well and nothing is said, and returns the result.
    #[track_caller]
    pub(crate) fn result(&self) -> &str {
        assert_eq!((self.status, &*self.stderr), (0, ""), "{self:?}");
        &self.stdout
    }
}

/// A file of the corpus of real traces.
pub(crate) fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/corpus")
        .join(name)
}

pub(crate) fn trace(name: &str) -> Vec<u8> {
    fs::read(corpus(name)).unwrap()
}

/// What Go prints for a trace of the corpus.
pub(crate) fn go_output(name: &str) -> Vec<u8> {
    let mut text = Vec::new();
    flate2::read::MultiGzDecoder::new(fs::File::open(corpus(name)).unwrap())
        .read_to_end(&mut text)
        .unwrap();
    text
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// An empty directory of a test's own, removed when it ends.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "cli-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> String {
        fs::write(self.0.join(name), bytes).unwrap();
        self.path(name)
    }

    /// The names in the directory, hidden ones included.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Compares with a golden file; with UPDATE_GOLDEN=1, writes it instead.
#[track_caller]
pub(crate) fn assert_golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        fs::write(&path, found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{name} differs; `cargo xtask golden` accepts it\n--- found\n{found}\n--- expected\n{expected}"
    );
}
