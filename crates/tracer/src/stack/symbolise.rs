//! From addresses to functions, files and lines.
//!
//! Happens at a generation's end, never on the path of an event. Reading debug information is slow (a
//! millisecond for a program's first address, microseconds for others), so what is found is kept for the
//! generations to come.
//!
//! `addr2line` reads DWARF, symbol tables, split debug information and Rust's and C++'s mangled names. It
//! is what the standard library's backtraces are made of; but those keep their modules for ever, behind
//! one lock, and do not see libraries that were loaded later.

mod names;

use std::collections::HashMap;
use std::fmt;

use addr2line::Loader;
use exectrace_wire::limits::MAX_STACK_FRAMES;

use super::modules::{self, Epoch, Module};
use names::Names;
pub use names::{NameId, Own};

/// Addresses to keep from generation to generation. Each takes some 100 bytes with its frames.
const MAX_ADDRESSES: usize = 64 * 1024;

/// A frame, as a trace has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The frame's place in the code, as the trace names it.
    ///
    /// Readers keep one frame for each number (format specification, section 2.3), so the calls that
    /// were inlined at an address need numbers of their own: the address's lower 48 bits, with the
    /// number of calls that are inlined into this one, the innermost 0, above them.
    pub pc: u64,
    /// The function, demangled.
    pub function: NameId,
    /// The path of the source file, or that of the module where it is not known.
    pub file: NameId,
    /// The line, from 1, also where it is not known: Go's tools take no frame without one.
    pub line: u32,
}

/// The bits of an address. Linux gives programs no higher ones unless they ask for them.
const ADDRESS_BITS: u32 = 48;

/// Finds the frames of addresses of this process (or, with [`Symboliser::of_modules`], of another).
pub struct Symboliser {
    modules: Vec<Loaded>,
    /// When `modules` were read; `None` for another process's.
    epoch: Option<Epoch>,
    is_own_process: bool,
    names: Names,
    /// The frames of an address, as a range of `frames`.
    known: HashMap<usize, Known>,
    frames: Vec<Frame>,
    max_addresses: usize,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    first: u32,
    count: u16,
    /// Whether the address is in a module.
    is_code: bool,
}

/// A module, and its debug information once it is needed; `None` if there is none to be read.
struct Loaded {
    module: Module,
    debug: Option<Option<Box<Loader>>>,
}

impl fmt::Debug for Symboliser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Symboliser")
            .field("modules", &self.modules.len())
            .field("addresses", &self.known.len())
            .field("frames", &self.frames.len())
            .finish_non_exhaustive()
    }
}

/// It moves with whoever ends a generation.
const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Symboliser>();
};

impl Symboliser {
    /// For this process. What is the tracer's `own` is left out at the leaf end of stacks.
    #[must_use]
    pub fn new(own: Own) -> Self {
        let mut symboliser = Self::of_modules(modules::loaded(), own);
        symboliser.epoch = modules::epoch();
        symboliser.is_own_process = true;
        symboliser
    }

    /// For a process that had these modules, for example one that is dead.
    #[must_use]
    pub fn of_modules(modules: Vec<Module>, own: Own) -> Self {
        Self {
            modules: modules.into_iter().map(Loaded::new).collect(),
            epoch: None,
            is_own_process: false,
            names: Names::new(own),
            known: HashMap::new(),
            frames: Vec::new(),
            max_addresses: MAX_ADDRESSES,
        }
    }

    /// To be called before a generation's stacks: [`NameId`]s from before are void if it returns true.
    ///
    /// Forgets everything if there is too much of it, or if a library was unloaded: another one may be at
    /// its place. During a generation what is known only grows, so each number has one meaning.
    pub fn begin_generation(&mut self) -> bool {
        let epoch = if self.is_own_process {
            modules::epoch()
        } else {
            None
        };
        let mut forget = self.known.len() > self.max_addresses;
        if epoch != self.epoch {
            forget |= match (epoch, self.epoch) {
                (Some(now), Some(before)) => now.has_unloaded_since(before),
                _ => true,
            };
            self.refresh(epoch, forget);
        }
        if forget {
            self.known = HashMap::new();
            self.frames = Vec::new();
            self.names.clear();
            for loaded in &mut self.modules {
                loaded.debug = None;
            }
        }
        forget
    }

    /// Reads the list of modules anew, and keeps the debug information of those that are still there.
    fn refresh(&mut self, epoch: Option<Epoch>, forget: bool) {
        let mut before = std::mem::take(&mut self.modules);
        self.modules = modules::loaded().into_iter().map(Loaded::new).collect();
        if !forget {
            for loaded in &mut self.modules {
                if let Some(same) = before.iter_mut().find(|b| b.module == loaded.module) {
                    loaded.debug = same.debug.take();
                }
            }
        }
        self.epoch = epoch;
    }

    /// The string behind an id of a [`Frame`], at most 1024 bytes.
    #[must_use]
    pub fn name(&self, id: NameId) -> &str {
        self.names.get(id)
    }

    /// How many names there are. Their ids are the numbers below.
    #[must_use]
    pub fn names(&self) -> usize {
        self.names.len()
    }

    /// Appends the frames of a captured stack to `frames`, leaf first: at least one if `addresses` has
    /// one, at most [`MAX_STACK_FRAMES`].
    ///
    /// Left out are the tracer's own frames at the leaf, what the standard library needs to start
    /// a thread at the root (from `__rust_begin_short_backtrace` on, as backtraces do), and what is no
    /// code at the root, where a frame pointer was none.
    pub fn stack(&mut self, addresses: &[usize], frames: &mut Vec<Frame>) {
        let start = frames.len();
        let mut code_end = start;
        for &address in addresses {
            let known = self.address(address);
            let first = known.first as usize;
            frames.extend_from_slice(&self.frames[first..first + usize::from(known.count)]);
            if known.is_code {
                code_end = frames.len();
            }
        }
        if code_end > start {
            frames.truncate(code_end);
        }
        self.trim(start, frames);
        frames.truncate(start + MAX_STACK_FRAMES);
    }

    /// Takes the frames away that say nothing about the program, unless all are such.
    fn trim(&self, start: usize, frames: &mut Vec<Frame>) {
        let stack = &frames[start..];
        let end = stack
            .iter()
            .position(|frame| self.names.is_thread_start(frame.function))
            .unwrap_or(stack.len());
        // The tracer's functions, with those of the standard library that they use in between.
        let first = stack
            .iter()
            .take_while(|frame| self.is_own(frame) || self.names.is_library(frame.file))
            .enumerate()
            .filter(|(_, frame)| self.is_own(frame))
            .last()
            .map_or(0, |(at, _)| at + 1);
        if first < end {
            frames.truncate(start + end);
            frames.drain(start..start + first);
        }
    }

    fn is_own(&self, frame: &Frame) -> bool {
        self.names.is_own_function(frame.function) || self.names.is_own_file(frame.file)
    }

    /// The frames of an address, found or remembered.
    fn address(&mut self, address: usize) -> Known {
        if let Some(known) = self.known.get(&address) {
            return *known;
        }
        let first = self.frames.len();
        let is_code = self.find(address);
        let known = Known {
            first: u32::try_from(first).unwrap_or(u32::MAX),
            count: (self.frames.len() - first) as u16,
            is_code,
        };
        self.known.insert(address, known);
        known
    }

    /// Appends the frames of an address, innermost first and at least one, to those that are known.
    /// Returns whether it is in a module.
    fn find(&mut self, address: usize) -> bool {
        let first = self.frames.len();
        #[cfg(not(loom))]
        if self.is_own_process
            && let Some(place) = super::named::Place::at(address)
        {
            let function = self.names.intern(place.function);
            let file = self.names.intern(place.file);
            self.frames
                .push(frame(address, 0, function, file, Some(place.line)));
            return true;
        }
        // A return address may be in the next line or function; the call was before it.
        let call = (address as u64).wrapping_sub(1);
        let Some(loaded) = self.modules.iter_mut().find(|l| l.module.contains(call)) else {
            let unknown = self.names.intern("[unknown]");
            self.frames.push(frame(address, 0, unknown, unknown, None));
            return false;
        };
        let in_file = loaded.module.address_in_file(call);
        let path = loaded.module.path().to_string_lossy().into_owned();
        let module_file = self.names.intern(&path);

        // 1. The symbol table knows functions by their whole names.
        let debug = loaded.debug();
        let symbol = debug.and_then(|d| d.find_symbol(in_file));
        let symbol = symbol.map(|s| addr2line::demangle_auto(s.into(), None).into_owned());

        // 2. Debug information knows lines and inlined calls.
        let mut has_path = true;
        let mut found = debug.and_then(|d| d.find_frames(in_file).ok());
        for depth in 0..MAX_STACK_FRAMES as u64 {
            let Some(next) = found.as_mut().and_then(|f| f.next().ok().flatten()) else {
                break;
            };
            // A function into which nothing is inlined may have lines only.
            let name = next.function.as_ref().and_then(full_name);
            let Some((name, with_path)) = name.or_else(|| Some((symbol.clone()?, true))) else {
                continue;
            };
            has_path = with_path;
            let function = self.names.intern(&name);
            let (file, line) = next.location.map_or((None, None), |l| (l.file, l.line));
            let file = file.map_or(module_file, |file| self.names.intern(file));
            self.frames
                .push(frame(address, depth, function, file, line));
        }
        if let Some(outermost) = self.frames[first..].last_mut() {
            // The symbol is that of the function that is not inlined.
            if let (Some(symbol), false) = (symbol, has_path) {
                outermost.function = self.names.intern(&symbol);
            }
            return true;
        }

        // 3. Without debug information there is the symbol. Without that, the file can tell, together
        //    with its debug information, which may be elsewhere.
        let function = symbol.unwrap_or_else(|| {
            let file = path.rsplit('/').next().unwrap_or_default();
            format!("{file}+{in_file:#x}")
        });
        let function = self.names.intern(&function);
        let frame = frame(address, 0, function, module_file, None);
        self.frames.push(frame);
        true
    }
}

/// A function's demangled name, and whether the functions that it is in are part of it: with
/// `debug = "line-tables-only"` the compiler writes the last part alone.
fn full_name<R: addr2line::gimli::Reader>(
    function: &addr2line::FunctionName<R>,
) -> Option<(String, bool)> {
    let mangled = function.raw_name().ok()?;
    let name = function.demangle().ok()?;
    let was_mangled = name != mangled;
    Some((name.into_owned(), was_mangled))
}

const ADDRESS_MASK: u64 = (1 << ADDRESS_BITS) - 1;

/// A frame at an address, with so many calls inlined into it.
fn frame(address: usize, depth: u64, function: NameId, file: NameId, line: Option<u32>) -> Frame {
    Frame {
        pc: address as u64 & ADDRESS_MASK | depth << ADDRESS_BITS,
        function,
        file,
        line: line.unwrap_or(1).max(1),
    }
}

impl Loaded {
    const fn new(module: Module) -> Self {
        Self {
            module,
            debug: None,
        }
    }

    fn debug(&mut self) -> Option<&Loader> {
        let module = &self.module;
        self.debug
            .get_or_insert_with(|| Loader::new(module.file()).ok().map(Box::new))
            .as_deref()
    }
}

#[cfg(test)]
mod tests;
