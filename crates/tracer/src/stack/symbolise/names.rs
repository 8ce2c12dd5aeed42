//! The names of functions and files, each stored once, and what is special about some.

use std::collections::HashMap;
use std::sync::Arc;

use exectrace_wire::limits::MAX_STRING_BYTES;

/// A name of a function or file. See [`super::Symboliser::name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NameId(u32);

impl NameId {
    /// Its number: ids are dense from 0, so a vector can map them.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What code is the tracer's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Own {
    /// Crates, as their functions' names begin.
    pub crates: &'static [&'static str],
    /// Folders of source files, as a part of a path: inlined functions may have no crate in their names.
    pub folders: &'static [&'static str],
}

impl Own {
    /// This crate.
    pub const TRACER: Self = Self {
        crates: &["exectrace"],
        folders: &[this_crate()],
    };
}

/// The folder of this crate's source files, as the compiler was told.
const fn this_crate() -> &'static str {
    const HERE: &str = "stack/symbolise/names.rs";
    let this = file!();
    this.split_at(this.len() - HERE.len()).0
}

/// All names.
#[derive(Debug)]
pub(super) struct Names {
    names: Vec<Name>,
    ids: HashMap<Arc<str>, NameId>,
    own: Own,
}

#[derive(Debug)]
struct Name {
    text: Arc<str>,
    /// As a function, it is the tracer's.
    is_own_function: bool,
    /// As a file, it is the tracer's.
    is_own_file: bool,
    /// As a file, it is the standard library's.
    is_library: bool,
    is_thread_start: bool,
}

impl Names {
    pub(super) fn new(own: Own) -> Self {
        Self {
            names: Vec::new(),
            ids: HashMap::new(),
            own,
        }
    }

    /// The id of a name, cut to what a trace takes: the end says more than the beginning (as in Go's
    /// runtime).
    pub(super) fn intern(&mut self, name: &str) -> NameId {
        let start = name.len().saturating_sub(MAX_STRING_BYTES);
        let start = (start..).find(|&at| name.is_char_boundary(at));
        let name = start
            .and_then(|start| name.get(start..))
            .unwrap_or_default();
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = NameId(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        let text: Arc<str> = name.into();
        self.names.push(Name {
            text: Arc::clone(&text),
            is_own_function: self.own.crates.iter().any(|own| is_of_crate(name, own)),
            is_own_file: self.own.folders.iter().any(|own| name.contains(own)),
            is_library: LIBRARY.iter().any(|library| name.contains(library)),
            is_thread_start: name.contains("__rust_begin_short_backtrace"),
        });
        self.ids.insert(text, id);
        id
    }

    pub(super) fn get(&self, id: NameId) -> &str {
        self.names.get(id.index()).map_or("", |name| &name.text)
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether it is a function of the tracer.
    pub(super) fn is_own_function(&self, id: NameId) -> bool {
        self.is(id, |name| name.is_own_function)
    }

    /// Whether it is a source file of the tracer.
    pub(super) fn is_own_file(&self, id: NameId) -> bool {
        self.is(id, |name| name.is_own_file)
    }

    /// Whether it is a source file of the standard library.
    pub(super) fn is_library(&self, id: NameId) -> bool {
        self.is(id, |name| name.is_library)
    }

    /// Whether it is the function that the standard library puts below a thread's own code.
    pub(super) fn is_thread_start(&self, id: NameId) -> bool {
        self.is(id, |name| name.is_thread_start)
    }

    fn is(&self, id: NameId, what: fn(&Name) -> bool) -> bool {
        self.names.get(id.index()).is_some_and(what)
    }

    pub(super) fn clear(&mut self) {
        self.names = Vec::new();
        self.ids = HashMap::new();
    }
}

/// What the paths of the standard library's source files have: as it was built, and as the compiler
/// finds it where the component `rust-src` is installed.
const LIBRARY: &[&str] = &["/rustc/", "/rustlib/src/rust/library/"];

/// Whether a demangled function is of a crate: `crate::f` and `<crate::Type>::f`, with a hash behind
/// the crate's name in some versions of the compiler (`crate[5f]::f`).
fn is_of_crate(function: &str, krate: &str) -> bool {
    let rest = function.trim_start_matches(['<', '&']);
    let rest = rest.strip_prefix("mut ").unwrap_or(rest);
    rest.strip_prefix(krate)
        .is_some_and(|rest| rest.starts_with("::") || rest.starts_with('['))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_have_one_id() {
        let mut names = Names::new(Own::default());
        let (a, b) = (names.intern("a"), names.intern("b"));
        assert_eq!((names.intern("a"), a.index(), b.index()), (a, 0, 1));
        assert_eq!((names.get(a), names.get(b), names.len()), ("a", "b", 2));
        names.clear();
        assert_eq!((names.len(), names.get(a)), (0, ""));
    }

    #[test]
    fn long_names_keep_their_end_and_whole_characters() {
        let mut names = Names::new(Own::default());
        let exact = "x".repeat(MAX_STRING_BYTES);
        let id = names.intern(&format!("abc{exact}"));
        assert_eq!(names.get(id), exact);
        // The cut would be in the middle of the first character.
        let id = names.intern(&format!("\u{20ac}{}", "y".repeat(MAX_STRING_BYTES - 1)));
        assert_eq!(names.get(id), "y".repeat(MAX_STRING_BYTES - 1));
    }

    #[test]
    fn this_crates_folder_is_known() {
        let mut names = Names::new(Own::TRACER);
        for (file, is_own) in [(file!(), true), ("src/lib.rs", false)] {
            let id = names.intern(&format!("/somewhere/{file}"));
            assert_eq!(names.is_own_file(id), is_own, "{file}");
            assert!(!names.is_library(id));
        }
        let id = names.intern("/rustc/abcdef/library/core/src/option.rs");
        assert!(names.is_library(id) && !names.is_own_file(id));
    }

    #[test]
    fn functions_belong_to_crates() {
        for own in [
            "tracer::f",
            "<tracer::T>::f",
            "<&mut tracer::T as X>::f",
            "tracer[5f]::f",
        ] {
            assert!(is_of_crate(own, "tracer"), "{own}");
        }
        for other in [
            "tracer_tokio::f",
            "<X as tracer::T>::f",
            "app::tracer::f",
            "tracer",
            "",
        ] {
            assert!(!is_of_crate(other, "tracer"), "{other}");
        }
    }
}
