//! Trace memory in a file, so that what a process has traced outlives it, whatever kills it.
//!
//! The file is as `exectrace_mend::layout` says; `exectrace recover` (or [`crate::recover`]) makes
//! a trace of it. Writing an event costs the same as without: it is a store into memory, which the
//! file shares.
//!
//! In the file are
//!
//! - the blocks that threads write to, as the pool takes them;
//! - generations that are finished, until everybody has let go of them: sinks that have yet to write
//!   them, and flight recorders, whose contents are thus saved, too.
//!
//! The file has a fixed size and its place on the disk is reserved at once: a disk that is full later
//! does no harm. If there is no room in it for a finished generation, that is counted, and the
//! generation goes where it would go otherwise.

mod mapping;
#[cfg(test)]
mod tests;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use exectrace_mend::layout::{BLOCK_BYTES, Code, file};

use crate::{
    block::{Block, Kind, Pool},
    build_id::build_id,
    clock, control,
    generation::EncodedGeneration,
    stack::modules,
};

use mapping::{Mapping, Memory};

/// Why trace memory could not be mapped.
#[derive(Debug)]
#[non_exhaustive]
pub enum MapError {
    /// The file could not be created, or there is no room for it.
    Create {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The process has traced before, or has mapped its memory before.
    InUse,
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { path, error } => write!(
                f,
                "cannot map trace memory to {}: {error}; name a file in a folder with enough room",
                path.display()
            ),
            Self::InUse => f.write_str(
                "trace memory is in use already; map it once, before the process traces anything",
            ),
        }
    }
}

impl std::error::Error for MapError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Create { error, .. } => Some(error),
            Self::InUse => None,
        }
    }
}

/// The process's trace memory, once it is mapped.
static INSTALLED: OnceLock<Installed> = OnceLock::new();

#[derive(Debug)]
struct Installed {
    mapped: Mapped,
    keeper: Keeper,
}

/// The process's trace memory in a file: see the module's documentation. When it is dropped, nothing
/// changes.
#[derive(Debug)]
#[non_exhaustive]
pub struct MappedMemory {}

impl MappedMemory {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        INSTALLED.get().map_or(Path::new(""), |i| &i.mapped.path)
    }

    /// Finished generations that there was no room for in the file.
    #[must_use]
    pub fn refused(&self) -> u64 {
        INSTALLED.get().map_or(0, |i| i.keeper.refused())
    }

    /// Says that nothing is left to be recovered, and removes the file. Memory is as before, but does
    /// not outlive the process any more.
    ///
    /// # Errors
    ///
    /// If the file cannot be removed.
    pub fn close(&self) -> io::Result<()> {
        INSTALLED.get().map_or(Ok(()), |i| i.mapped.close())
    }
}

/// Takes all trace memory, up to `bytes`, from a file from now on. MUST come before anything is traced,
/// and can be done once in a process.
///
/// `output` is where the trace is going to be, if it is: there `exectrace recover` looks for what came
/// before.
///
/// # Errors
///
/// [`MapError`].
pub fn install(path: &Path, bytes: usize, output: Option<&Path>) -> Result<MappedMemory, MapError> {
    if INSTALLED.get().is_some() || control::has_pool() {
        return Err(MapError::InUse);
    }
    let mapped = Mapped::create(path, bytes, output).map_err(|error| MapError::Create {
        path: path.to_path_buf(),
        error,
    })?;
    let pool = Pool::with_source(bytes.div_ceil(BLOCK_BYTES), Box::new(mapped.memory()));
    let Some(pool) = control::set_pool(pool) else {
        let _ = mapped.close();
        return Err(MapError::InUse);
    };
    let keeper = Keeper::new(pool);
    // Nobody else gets here: the pool can be set once.
    let _ = INSTALLED.set(Installed { mapped, keeper });
    Ok(MappedMemory {})
}

/// Keeps a finished generation in mapped memory, if there is any.
pub(crate) fn keep(generation: &Arc<EncodedGeneration>) {
    if let Some(installed) = INSTALLED.get() {
        installed.keeper.keep(generation);
    }
}

/// A mapped file, which is the memory of a pool.
#[derive(Debug)]
struct Mapped {
    mapping: Arc<Mapping>,
    path: PathBuf,
}

impl Mapped {
    /// Creates the file, of `bytes` bytes or a little more, in the place of an older one.
    ///
    /// `output` is where the trace is going to be: [`crate::recover`] looks there for what came
    /// before.
    ///
    /// # Errors
    ///
    /// If the file cannot be created or there is no room for it.
    fn create(path: &Path, bytes: usize, output: Option<&Path>) -> io::Result<Self> {
        let blocks = bytes.div_ceil(BLOCK_BYTES).max(1);
        let storage = crate::sink::create_file(path)?;
        let mapping = Mapping::new(&storage, (1 + blocks) * BLOCK_BYTES).inspect_err(|_| {
            let _ = fs::remove_file(path);
        })?;
        let mapped = Self {
            mapping: Arc::new(mapping),
            path: path.to_path_buf(),
        };
        mapped.describe(blocks, output);
        Ok(mapped)
    }

    /// Writes what somebody needs to know who finds the file.
    fn describe(&self, blocks: usize, output: Option<&Path>) {
        let put = |offset: usize, number: u64| {
            self.mapping.field(offset).store(number, Ordering::Relaxed)
        };
        put(file::BLOCKS, blocks as u64);
        put(file::PROCESS, u64::from(std::process::id()));
        put(file::FREQUENCY, clock::TICKS_PER_SECOND);
        let clock = clock::snapshot();
        let numbers = [
            clock.time.0,
            clock.monotonic_ns,
            clock.wall.as_secs(),
            u64::from(clock.wall.subsec_nanos()),
        ];
        for (number, offset) in numbers.into_iter().zip((file::CLOCK..).step_by(8)) {
            put(offset, number);
        }
        // Absolute, for whoever looks later may be elsewhere.
        let output = output.and_then(|path| std::path::absolute(path).ok());
        let program = std::env::current_exe().ok();
        let text = |path: Option<PathBuf>| path.map(|p| p.to_string_lossy().into_owned());
        let paths = [text(output), text(program)].map(Option::unwrap_or_default);
        let paths = format!("{}\0{}\0", paths[0], paths[1]);
        self.text(
            file::PATHS,
            file::PATHS_BYTES,
            file::MODULES - file::PATHS,
            &paths,
        );
        let mut code = String::new();
        for module in modules::loaded() {
            let build_id = build_id(module.file());
            for addresses in module.code() {
                let line = Code {
                    addresses: addresses.clone(),
                    bias: module.bias(),
                    build_id: build_id.clone(),
                    path: module.path().to_string_lossy().into_owned(),
                };
                code += &format!("{line}\n");
            }
        }
        // Lines that find no place are those of libraries that were loaded last.
        let room = BLOCK_BYTES - file::MODULES;
        let whole = code.get(..room).map_or(&*code, |cut| {
            cut.rsplit_once('\n').map_or("", |(lines, _)| lines)
        });
        self.text(file::MODULES, file::MODULES_BYTES, room, whole);
        self.mapping.finish_header();
    }

    fn text(&self, offset: usize, length: usize, room: usize, text: &str) {
        if text.len() <= room {
            self.mapping.put_header(offset, text.as_bytes());
            let length = self.mapping.field(length);
            length.store(text.len() as u64, Ordering::Relaxed);
        }
    }

    /// Blocks in the file, for a pool.
    fn memory(&self) -> Memory {
        Memory::new(Arc::clone(&self.mapping))
    }

    /// Says that nothing is left to be recovered, and removes the file. The memory stays.
    ///
    /// # Errors
    ///
    /// If the file cannot be removed.
    fn close(&self) -> io::Result<()> {
        self.mapping.field(file::CLOSED).store(1, Ordering::Release);
        fs::remove_file(&self.path)
    }
}

/// Keeps finished generations in blocks of a pool for as long as somebody else has them.
#[derive(Debug)]
struct Keeper {
    pool: &'static Pool,
    kept: Mutex<Vec<Kept>>,
    refused: AtomicU64,
}

#[derive(Debug)]
struct Kept {
    generation: Weak<EncodedGeneration>,
    /// Held, not read.
    _blocks: Vec<Block>,
}

impl Keeper {
    const fn new(pool: &'static Pool) -> Self {
        Self {
            pool,
            kept: Mutex::new(Vec::new()),
            refused: AtomicU64::new(0),
        }
    }

    /// Generations for which there was no room.
    fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Copies a generation; none if there is no room for all of it.
    fn copy(&self, generation: &EncodedGeneration) -> Option<Vec<Block>> {
        let mut blocks = Vec::new();
        let mut rest = &*generation.bytes;
        while !rest.is_empty() {
            let mut block = self
                .pool
                .take(Kind::Finished, generation.number.0, u64::MAX)?;
            let memory = block.memory();
            let (part, after) = rest.split_at(rest.len().min(memory.len()));
            if let Some(place) = memory.get_mut(..part.len()) {
                place.copy_from_slice(part);
            }
            block.publish(part.len());
            blocks.push(block);
            rest = after;
        }
        Some(blocks)
    }

    fn keep(&self, generation: &Arc<EncodedGeneration>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| kept.generation.strong_count() > 0);
        match self.copy(generation) {
            Some(blocks) => kept.push(Kept {
                generation: Arc::downgrade(generation),
                _blocks: blocks,
            }),
            None => {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
