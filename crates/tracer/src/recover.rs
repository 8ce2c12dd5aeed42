//! The trace of a process that died, from the file that was its trace memory.
//!
//! What `exectrace recover` does. A program can do it, too, for what an earlier run of it left.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use exectrace_mend::{
    layout::Code,
    recover::{Image, ImageError, NamedFrame, RecoverError, StackSource},
};
use exectrace_wire::Generation;

pub use exectrace_mend::recover::Report;

use crate::stack::{Frame, Symboliser, modules::Module, scan, symbolise::Own};

/// Why a trace was not recovered.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The block file cannot be read.
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is no block file.
    Image {
        /// The file.
        path: PathBuf,
        /// Why.
        error: ImageError,
    },
    /// What there is cannot be joined.
    Recover(RecoverError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { path, error } => write!(f, "cannot read {}: {error}", path.display()),
            Self::Image { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Recover(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Open { error, .. } => Some(error),
            Self::Image { error, .. } => Some(error),
            Self::Recover(error) => Some(error),
        }
    }
}

/// What was recovered, and from what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// What there was, and what is lost.
    pub report: Report,
    /// The process that died.
    pub process: u64,
    /// The process had ended its trace: its output has all.
    pub was_closed: bool,
    /// The output that the trace begins with, if it was there.
    pub output: Option<PathBuf>,
    /// Files that are not those that the process ran: their functions have no names.
    pub changed_files: Vec<PathBuf>,
}

/// Recovers the trace of the process that left `blocks`, and writes it to `trace`.
///
/// `output` is the trace that the process had written itself; without it, it is looked for where the
/// process wrote it. Both files stay as they are.
///
/// Functions, files and lines come from the program's files, where they are still those that it ran.
///
/// # Errors
///
/// [`Error`]. What has been written to `trace` by then is whole generations.
pub fn recover(
    blocks: &Path,
    output: Option<&Path>,
    trace: &mut dyn Write,
) -> Result<Recovered, Error> {
    let open = |path: &Path, error| Error::Open {
        path: path.to_path_buf(),
        error,
    };
    // 1. The memory.
    let bytes = fs::read(blocks).map_err(|error| open(blocks, error))?;
    let image = Image::parse(&bytes).map_err(|error| Error::Image {
        path: blocks.to_path_buf(),
        error,
    })?;
    // 2. The output: one that was named has to be there.
    let named = output.map(Path::to_path_buf);
    let recorded = image.output().map(PathBuf::from);
    let (path, mut file) = match (named, recorded) {
        (Some(path), _) => {
            let file = File::open(&path).map_err(|error| open(&path, error))?;
            (Some(path), Some(file))
        }
        (None, Some(path)) => match File::open(&path) {
            Ok(file) if file.metadata().is_ok_and(|metadata| metadata.is_file()) => {
                (Some(path), Some(file))
            }
            _ => (None, None),
        },
        (None, None) => (None, None),
    };
    // 3. The trace.
    let mut stacks = Stacks::new(image.code());
    let report = exectrace_mend::recover::recover(
        &image,
        file.as_mut().map(|file| file as &mut dyn Read),
        &mut stacks,
        trace,
    )
    .map_err(Error::Recover)?;
    Ok(Recovered {
        report,
        process: image.process(),
        was_closed: image.is_closed(),
        output: path,
        changed_files: stacks.changed,
    })
}

/// Names addresses of a dead process.
#[derive(Debug)]
struct Stacks {
    symboliser: Symboliser,
    changed: Vec<PathBuf>,
}

impl Stacks {
    fn new(code: impl Iterator<Item = Code>) -> Self {
        // 1. The ranges of a file belong together.
        let mut files: BTreeMap<(String, u64), (Option<String>, Vec<_>)> = BTreeMap::new();
        for code in code {
            let file = files.entry((code.path, code.bias)).or_default();
            file.0 = code.build_id;
            file.1.push(code.addresses);
        }
        // 2. A file that is another one now would give wrong names.
        let mut modules = Vec::new();
        let mut changed = Vec::new();
        for ((path, bias), (build_id, code)) in files {
            let path = PathBuf::from(path);
            if crate::build_id::build_id(&path) == build_id {
                modules.push(Module::new(path, bias, code));
            } else if path.exists() || build_id.is_some() {
                changed.push(path);
            }
        }
        Self {
            symboliser: Symboliser::of_modules(modules, Own::TRACER),
            changed,
        }
    }

    fn named(&self, frame: &Frame) -> NamedFrame {
        /// What the symboliser calls that of which it knows nothing.
        const UNKNOWN: &str = "[unknown]";
        let function = self.symboliser.name(frame.function);
        NamedFrame {
            pc: frame.pc,
            function: (function != UNKNOWN).then(|| function.to_owned()),
            file: self.symboliser.name(frame.file).to_owned(),
            line: frame.line.into(),
        }
    }
}

impl StackSource for Stacks {
    fn scan(&mut self, memory: &[u8], generation: Generation) -> Vec<(u64, Vec<u64>)> {
        scan(memory, generation.0)
            .map(|(id, addresses)| (id, addresses.into_iter().map(|a| a as u64).collect()))
            .collect()
    }

    fn frames(&mut self, addresses: &[u64]) -> Vec<NamedFrame> {
        let addresses: Vec<usize> = addresses.iter().map(|address| *address as usize).collect();
        let mut frames = Vec::new();
        self.symboliser.stack(&addresses, &mut frames);
        frames.iter().map(|frame| self.named(frame)).collect()
    }
}
