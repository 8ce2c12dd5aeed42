//! The programs and libraries that this process has loaded, and where.
#![allow(unsafe_code, reason = "asks the loader")]

use std::ops::Range;
use std::path::{Path, PathBuf};

/// A loaded program or library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// What to open to read it.
    file: PathBuf,
    /// What to call it.
    path: PathBuf,
    /// What to subtract from an address in memory to get the address that the file gives it.
    bias: u64,
    /// Where its code is.
    code: Vec<Range<u64>>,
}

impl Module {
    /// A module of this or of another process: the file, what was added to its addresses when it was
    /// loaded, and the addresses in memory of its code.
    #[must_use]
    pub fn new(path: PathBuf, bias: u64, code: Vec<Range<u64>>) -> Self {
        Self {
            file: path.clone(),
            path,
            bias,
            code,
        }
    }

    /// What to open to read it.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The program's or library's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The addresses in memory of its code.
    #[must_use]
    pub fn code(&self) -> &[Range<u64>] {
        &self.code
    }

    /// What was added to the addresses that the file gives, when it was loaded.
    #[must_use]
    pub const fn bias(&self) -> u64 {
        self.bias
    }

    /// Whether there is code of this module at an address.
    #[must_use]
    pub fn contains(&self, address: u64) -> bool {
        self.code.iter().any(|code| code.contains(&address))
    }

    /// The address that the file gives to what is at `address` in memory.
    #[must_use]
    pub const fn address_in_file(&self, address: u64) -> u64 {
        address.wrapping_sub(self.bias)
    }
}

/// Changes whenever a library is loaded or unloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Epoch {
    loaded: u64,
    unloaded: u64,
}

impl Epoch {
    /// Whether something that was there `before` may be gone, and something else in its place.
    pub(super) const fn has_unloaded_since(self, before: Self) -> bool {
        self.unloaded != before.unloaded
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::ffi::{CStr, OsStr, c_int, c_void};
    use std::os::unix::ffi::OsStrExt;

    use super::{Epoch, Module, Path, PathBuf};

    /// What is loaded now. Takes the loader's lock.
    pub(crate) fn loaded() -> Vec<Module> {
        let mut modules: Vec<Module> = vec![];
        each(&mut |info| {
            modules.extend(module(info, modules.is_empty()));
            true
        });
        modules
    }

    /// Tells whether [`loaded`] would say something new.
    pub(in crate::stack) fn epoch() -> Option<Epoch> {
        let mut epoch = None;
        each(&mut |info| {
            epoch = Some(Epoch {
                loaded: info.dlpi_adds,
                unloaded: info.dlpi_subs,
            });
            false
        });
        epoch
    }

    type Visitor<'a> = &'a mut dyn FnMut(&libc::dl_phdr_info) -> bool;

    /// Visits the modules until the visitor says that it is enough.
    fn each(mut visitor: Visitor<'_>) {
        unsafe extern "C" fn visit(
            info: *mut libc::dl_phdr_info,
            size: usize,
            argument: *mut c_void,
        ) -> c_int {
            // A system from before the counters would give less than the whole structure.
            if size < size_of::<libc::dl_phdr_info>() {
                return 1;
            }
            // SAFETY: `argument` is what was passed below, a `Visitor` that lives through the call and
            // that nobody else uses; `info` is valid during this call, and whole (checked).
            let (visitor, info) = unsafe { (&mut *argument.cast::<Visitor<'_>>(), &*info) };
            c_int::from(!visitor(info))
        }
        // SAFETY: the callback has the signature that is asked for, and gets what it expects. The
        // visitors above do not panic: they only copy (a failure to allocate aborts).
        unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut visitor).cast()) };
    }

    fn module(info: &libc::dl_phdr_info, is_first: bool) -> Option<Module> {
        let name = if info.dlpi_name.is_null() {
            c""
        } else {
            // SAFETY: the loader's name of the module, which lives as long as the module does.
            unsafe { CStr::from_ptr(info.dlpi_name) }
        };
        // The program itself comes first and has no name. What was started is what is open there,
        // even after the file has been replaced.
        let path = PathBuf::from(OsStr::from_bytes(name.to_bytes()));
        let (file, path) = if is_first {
            let program = std::env::current_exe().unwrap_or(path);
            (Path::new("/proc/self/exe").to_path_buf(), program)
        } else if path.as_os_str().is_empty() {
            return None;
        } else {
            (path.clone(), path)
        };
        let headers = if info.dlpi_phdr.is_null() {
            &[]
        } else {
            // SAFETY: the module's program headers, so many as the loader says, which live as long as
            // the module does.
            unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) }
        };
        #[allow(clippy::unnecessary_cast, reason = "32-bit systems have shorter ones")]
        let bias = info.dlpi_addr as u64;
        #[allow(clippy::unnecessary_cast, reason = "32-bit systems have shorter ones")]
        let code = headers
            .iter()
            .filter(|h| h.p_type == libc::PT_LOAD && h.p_flags & libc::PF_X != 0)
            .map(|h| {
                let start = bias.wrapping_add(h.p_vaddr as u64);
                start..start.wrapping_add(h.p_memsz as u64)
            })
            .collect();
        Some(Module {
            file,
            path,
            bias,
            code,
        })
    }
}

/// Where the loader cannot be asked, nothing is known.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use super::{Epoch, Module};

    pub(crate) fn loaded() -> Vec<Module> {
        Vec::new()
    }

    pub(in crate::stack) fn epoch() -> Option<Epoch> {
        None
    }
}

pub(super) use system::epoch;
pub(crate) use system::loaded;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_program_is_loaded_and_knows_its_code() {
        let modules = loaded();
        let here = (loaded as fn() -> Vec<Module>) as usize as u64;
        let ours: Vec<_> = modules.iter().filter(|m| m.contains(here)).collect();
        assert_eq!(ours.len(), 1);
        assert_eq!(ours[0].path(), std::env::current_exe().unwrap());
        assert!(modules.len() > 1, "{modules:?}");
        let local = 0u8;
        assert!(
            !modules
                .iter()
                .any(|m| m.contains((&raw const local).addr() as u64))
        );
        let epoch = epoch().unwrap();
        assert!(epoch.loaded >= modules.len() as u64);
        assert!(!epoch.has_unloaded_since(epoch));
    }
}
