//! Frames of this program: functions, lines, inlined calls, what is left out, and what is remembered.
#![allow(unsafe_code, reason = "libraries are loaded")]

use super::super::walk::{Captured, Here, capture};
use super::*;

/// The names and lines of a stack.
fn described(symboliser: &mut Symboliser, addresses: &[usize]) -> Vec<(String, String, u32)> {
    let mut frames = vec![];
    symboliser.stack(addresses, &mut frames);
    frames
        .iter()
        .map(|frame| {
            let name = |id| symboliser.name(id).to_owned();
            (name(frame.function), name(frame.file), frame.line)
        })
        .collect()
}

/// An address in here, and its line.
#[inline(always)]
fn inner() -> (usize, u32) {
    let mut stack = Captured::new();
    let (here, line) = (Here::now(), line!());
    capture(here, &mut stack);
    (stack.addresses()[0], line)
}

#[inline(always)]
fn middle() -> ((usize, u32), u32) {
    (inner(), line!())
}

#[inline(never)]
fn outer() -> ((usize, u32), u32, u32) {
    let (inner, middle) = middle();
    (inner, middle, line!() - 1)
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn inlined_calls_are_frames() {
    let ((address, inner_line), middle_line, outer_line) = outer();
    let mut symboliser = Symboliser::new(Own::default());
    let frames = described(&mut symboliser, &[address]);
    // Here::now itself is inlined, too. Without full debug information the inlined have short names.
    let expected = [
        ("inner", inner_line),
        ("middle", middle_line),
        ("outer", outer_line),
    ];
    let found: Vec<_> = frames[1..]
        .iter()
        .map(|(function, _, line)| (function.rsplit("::").next().unwrap(), *line))
        .collect();
    assert_eq!(found, expected);
    assert!(frames[0].0.ends_with("now"), "{frames:?}");
    assert_eq!(frames[3].0, "exectrace::stack::symbolise::tests::outer");
    assert!(
        frames[1..]
            .iter()
            .all(|(_, file, _)| file.ends_with("symbolise/tests.rs"))
    );

    let mut frames = vec![];
    symboliser.stack(&[address], &mut frames);
    let pcs: Vec<u64> = frames.iter().map(|f| f.pc).collect();
    let expected: Vec<u64> = (0..4).map(|depth| address as u64 | depth << 48).collect();
    assert_eq!(pcs, expected);
}

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#[test]
fn the_tracers_own_frames_are_left_out_at_the_leaf() {
    let ((own, _), ..) = outer();
    let program = libc::getpid as unsafe extern "C" fn() -> _ as usize + 1;
    let library = std::thread::current as fn() -> std::thread::Thread as usize + 1;
    let mut symboliser = Symboliser::new(Own::default());
    let (program_frames, library_frames) = (
        described(&mut symboliser, &[program]),
        described(&mut symboliser, &[library]),
    );
    let is_library = |f: &(String, String, u32)| f.1.contains("/library/std/");
    assert!(library_frames.iter().all(is_library), "{library_frames:?}");

    let mut symboliser = Symboliser::new(Own::TRACER);
    // Only at the leaf.
    let frames = described(&mut symboliser, &[own, program, own]);
    assert_eq!(frames[..program_frames.len()], program_frames);
    assert_eq!(frames.len(), program_frames.len() + 4);
    // With the standard library's in between, but not with the one that the program called.
    let frames = described(&mut symboliser, &[own, library, own, library, program]);
    let expected = [library_frames, program_frames].concat();
    assert_eq!(frames, expected);
    // Unless there would be nothing left.
    assert_eq!(described(&mut symboliser, &[own]).len(), 4);
}

/// Named like the standard library's, as test harnesses have it, too. It does what no other function
/// does, otherwise the optimizer may make one of the two, under the other's name; and it begins with
/// nothing inlined, which would be a frame of its own.
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#[inline(never)]
fn __rust_begin_short_backtrace() {
    // SAFETY: instructions that do nothing.
    unsafe { core::arch::asm!("nop", "nop", "nop", options(nomem, nostack)) };
}

/// What starts threads is left out at the root, and so is what is no code.
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#[test]
fn the_root_ends_where_the_program_does() {
    let program = libc::getpid as unsafe extern "C" fn() -> _ as usize + 1;
    let start = __rust_begin_short_backtrace as fn() as usize + 1;
    let local = 0u64;
    let no_code = (&raw const local).addr();
    let mut symboliser = Symboliser::new(Own::default());
    let expected = described(&mut symboliser, &[program]);
    let unknown = vec![("[unknown]".to_owned(), "[unknown]".to_owned(), 1)];

    let mut stack = |addresses: &[usize]| described(&mut symboliser, addresses);
    assert_eq!(stack(&[program, start, program, program]), expected);
    assert_eq!(stack(&[program, no_code, 4097]), expected);
    let between = [expected.clone(), unknown.clone(), expected].concat();
    assert_eq!(stack(&[program, no_code, program, no_code]), between);
    // Unless there would be nothing left.
    assert_eq!(stack(&[start]).len(), 1);
    assert_eq!(stack(&[no_code]), unknown);
    assert_eq!(stack(&[]), []);
}

#[cfg(target_os = "linux")]
#[test]
fn without_debug_information_there_are_symbols_or_offsets() {
    let mut symboliser = Symboliser::new(Own::default());
    let address = libc::getpid as unsafe extern "C" fn() -> _ as usize + 1;
    let frames = described(&mut symboliser, &[address]);
    let (function, file, line) = frames.last().unwrap();
    assert!(
        function.contains("getpid") || function.contains("+0x"),
        "{frames:?}"
    );
    assert!(!file.is_empty() && *line >= 1, "{frames:?}");

    // A file that is not there.
    let module = Module::new(
        "gone/lib.so".into(),
        0x1000,
        std::iter::once(0x1000..0x3000).collect(),
    );
    let mut symboliser = Symboliser::of_modules(vec![module], Own::default());
    let expected = ("lib.so+0x1000".to_owned(), "gone/lib.so".to_owned(), 1);
    assert_eq!(described(&mut symboliser, &[0x2001]), [expected]);
    assert_eq!(described(&mut symboliser, &[0x3001])[0].0, "[unknown]");
    // The return address of a call at the very end of the code.
    assert_eq!(described(&mut symboliser, &[0x3000])[0].0, "lib.so+0x1fff");
}

#[cfg(target_os = "linux")]
#[test]
fn libraries_that_come_later_are_seen_in_the_next_generation() {
    let mut symboliser = Symboliser::new(Own::default());
    symboliser.begin_generation();
    // SAFETY: libm's initialization does nothing that could matter here, and the handle is not used
    // after it is closed.
    let (library, cosine) = unsafe {
        let library = libc::dlopen(c"libBrokenLocale.so.1".as_ptr(), libc::RTLD_NOW);
        if library.is_null() {
            return; // Not glibc.
        }
        (
            library,
            libc::dlsym(library, c"__ctype_get_mb_cur_max".as_ptr()),
        )
    };
    assert!(!cosine.is_null());
    let address = cosine.addr() + 1;
    assert_eq!(
        described(&mut symboliser, &[address + (1 << 40)])[0].0,
        "[unknown]"
    );
    let forgot = symboliser.begin_generation();
    let frames = described(&mut symboliser, &[address]);
    assert!(
        frames[0].1.contains("libBrokenLocale"),
        "{frames:?} {forgot}"
    );
    // SAFETY: as above.
    unsafe { libc::dlclose(library) };
    assert!(symboliser.begin_generation(), "a library is gone");
    assert_eq!(described(&mut symboliser, &[address])[0].0, "[unknown]");
}

#[test]
fn what_is_known_is_bounded_and_meanwhile_kept() {
    let mut symboliser = Symboliser::of_modules(vec![], Own::default());
    symboliser.max_addresses = 100;
    let addresses: Vec<usize> = (0..100).map(|n| 0x1000 + n).collect();
    let before = described(&mut symboliser, &addresses);
    assert!(!symboliser.begin_generation());
    assert_eq!(symboliser.known.len(), 100);
    assert_eq!(described(&mut symboliser, &addresses), before);
    assert_eq!(symboliser.frames.len(), 100);
    described(&mut symboliser, &[5]);
    assert!(symboliser.begin_generation());
    assert_eq!((symboliser.known.len(), symboliser.names()), (0, 0));
    assert_eq!(described(&mut symboliser, &addresses), before);
}

#[test]
fn stacks_are_cut_to_what_a_trace_takes() {
    let mut symboliser = Symboliser::of_modules(vec![], Own::default());
    let addresses: Vec<usize> = (0..200).map(|n| 0x1000 + n).collect();
    let mut frames = vec![];
    symboliser.stack(&addresses, &mut frames);
    symboliser.stack(&addresses, &mut frames);
    assert_eq!(frames.len(), 2 * MAX_STACK_FRAMES);
}

/// What readers demand of frames (format specification, sections 2.3 and 8.3), on a stretch of this
/// program's code: one meaning for each number, and nothing empty, 0 or too long.
#[cfg(target_os = "linux")]
#[test]
fn frames_are_what_readers_demand() {
    let start = Symboliser::of_modules as fn(_, _) -> _ as usize;
    let mut symboliser = Symboliser::new(Own::default());
    let (mut frames, mut inlined) = (vec![], 0);
    let mut meanings = HashMap::new();
    for address in (start - 20_000..start + 20_000).step_by(7) {
        frames.clear();
        symboliser.stack(&[address, address + 1], &mut frames);
        assert!((1..=MAX_STACK_FRAMES).contains(&frames.len()));
        for frame in &frames {
            let (function, file) = (symboliser.name(frame.function), symboliser.name(frame.file));
            assert!(frame.pc != 0 && frame.line != 0, "{frame:?}");
            for name in [function, file] {
                assert!((1..=1024).contains(&name.len()), "{name}");
            }
            assert_eq!(*meanings.entry(frame.pc).or_insert(*frame), *frame);
            inlined += usize::from(frame.pc >> ADDRESS_BITS > 0);
        }
    }
    assert!(inlined > 0, "no inlined call in {} frames", meanings.len());
}
