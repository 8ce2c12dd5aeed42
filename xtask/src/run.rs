//! Running other programs, from the root of the workspace, without standard input.

use std::ffi::{OsStr, OsString};
use std::process::{Command, Output, Stdio};

use crate::{Outcome, root};

/// A program to run.
#[derive(Debug)]
pub struct Step {
    command: Command,
}

impl Step {
    /// `program`, without arguments yet. It runs in the workspace's root.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.current_dir(root()).stdin(Stdio::null());
        Self { command }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Discards the program's standard output.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.command.stdout(Stdio::null());
        self
    }

    /// Runs the program; its output goes where ours goes.
    ///
    /// # Errors
    ///
    /// When it cannot be started or does not succeed.
    pub fn run(mut self) -> Outcome {
        let status = self
            .command
            .status()
            .map_err(|e| format!("{}: {e}", self.shown()))?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("{}: {status}", self.shown()))
        }
    }

    /// Runs the program and returns its standard output; its standard error goes where ours goes.
    ///
    /// # Errors
    ///
    /// As [`Step::run`], or when the output is not UTF-8.
    pub fn output(mut self) -> Outcome<String> {
        let shown = self.shown();
        let Output { status, stdout, .. } = self
            .command
            .stderr(Stdio::inherit())
            .output()
            .map_err(|e| format!("{shown}: {e}"))?;
        if !status.success() {
            return Err(format!("{shown}: {status}"));
        }
        String::from_utf8(stdout).map_err(|_| format!("{shown}: its output is not UTF-8"))
    }

    /// The command line, as a person would type it.
    #[must_use]
    pub fn shown(&self) -> String {
        let words: Vec<OsString> = std::iter::once(self.command.get_program())
            .chain(self.command.get_args())
            .map(OsStr::to_os_string)
            .collect();
        words.join(OsStr::new(" ")).to_string_lossy().into_owned()
    }
}
