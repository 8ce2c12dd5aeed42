//! Walks over real stacks and over memory that only looks like one.
#![allow(unsafe_code, reason = "stacks that are none")]

use super::*;

/// Words of a made-up stack, and a place at its lower end.
fn walk(words: &mut [usize], frame: usize) -> Vec<usize> {
    let range = words.as_mut_ptr_range();
    let (low, high) = (range.start.addr(), range.end.addr());
    let here = Here {
        pc: 0x1111,
        fp: frame,
        sp: low,
        thread: PhantomData,
    };
    let mut stack = Captured::new();
    // SAFETY: this thread's own stack pointer is not in the range.
    let guard = unsafe { bounds::enter_stack(low..high) };
    follow(here, &mut stack);
    drop(guard);
    stack.addresses().to_vec()
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn frames_are_followed_to_the_end_of_the_stack() {
    let mut words = vec![0usize; 12];
    let at = |i: usize| words.as_ptr().wrapping_add(i).addr();
    let (one, two, three) = (at(2), at(5), at(10));
    words[2] = two;
    words[3] = 0x2222;
    words[5] = three;
    words[6] = 0x3333;
    words[10] = one; // down again: the end
    words[11] = 0x4444;
    assert_eq!(walk(&mut words, one), [0x1111, 0x2222, 0x3333, 0x4444]);

    // A frame that would reach over the end, one below the place, and one between words.
    let end = words.as_ptr().wrapping_add(11).addr();
    for frame in [
        end,
        end + 8,
        end + 800,
        one - 32,
        one + 4,
        0,
        usize::MAX,
        usize::MAX - 15,
    ] {
        assert_eq!(walk(&mut words, frame), [0x1111], "{frame:#x}");
    }
    // No code is in the first page.
    words[6] = 0xfff;
    assert_eq!(walk(&mut words, one), [0x1111, 0x2222]);
    // A frame that points to itself.
    words[2] = one;
    assert_eq!(walk(&mut words, one), [0x1111, 0x2222]);
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn a_deep_stack_is_cut() {
    let mut words = vec![0usize; 400];
    for i in 0..199 {
        words[2 * i] = words.as_ptr().wrapping_add(2 * i + 2).addr();
        words[2 * i + 1] = 0x10_0000 + i;
    }
    let first = words.as_ptr().addr();
    let stack = walk(&mut words, first);
    assert_eq!(stack.len(), MAX_STACK_FRAMES);
    assert_eq!(
        stack[1..],
        (0..127).map(|i| 0x10_0000 + i).collect::<Vec<_>>()
    );
}

/// Whatever memory holds, a walk ends, stays inside (else it faults), and gives no more than fits.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn any_memory_is_harmless() {
    let mut state = 1u64;
    let mut next = move || {
        state = state
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        (state >> 33) as usize
    };
    let mut words = vec![0usize; 512];
    for _ in 0..2_000 {
        for i in 0..words.len() {
            words[i] = match next() % 4 {
                0 => next() << 32 | next(),
                1 => next() % 8192,
                // Mostly upwards, and mostly aligned.
                _ => words.as_ptr().wrapping_add(i + next() % 16).addr() + next() % 8 / 7,
            };
        }
        let frame = words.as_ptr().wrapping_add(next() % 512).addr();
        assert!((1..=MAX_STACK_FRAMES).contains(&walk(&mut words, frame).len()));
    }
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn on_an_unknown_stack_there_is_only_the_place() {
    std::thread::spawn(|| {
        let mut stack = Captured::new();
        follow(Here::now(), &mut stack);
        assert_eq!(stack.addresses().len(), 1);
    })
    .join()
    .unwrap();
}

#[test]
fn equal_stacks_have_equal_hashes() {
    let hash = |addresses: &[usize]| Captured::from_addresses(addresses).hash();
    assert_eq!(hash(&[1, 2, 3]), hash(&[1, 2, 3]));
    assert_ne!(hash(&[1, 2, 3]), hash(&[1, 3, 2]));
    assert_ne!(hash(&[1, 2, 3]), hash(&[1, 2]));
    assert_eq!(Captured::from_addresses(&[7; 200]).addresses(), [7; 128]);
}

#[cfg(all(unix, any(target_arch = "x86_64", target_arch = "aarch64")))]
#[test]
fn unwind_tables_give_the_callers() {
    #[inline(never)]
    fn outer(calls: usize) -> Vec<usize> {
        let stack = if std::hint::black_box(calls) > 0 {
            outer(calls - 1)
        } else {
            let mut stack = Captured::new();
            unwind::capture(Here::now(), &mut stack);
            stack.addresses().to_vec()
        };
        std::hint::black_box(stack)
    }
    let (shallow, deep) = (outer(0), outer(7));
    assert_eq!(deep.len(), shallow.len() + 7);
    assert!(shallow.len() > 5);
    // The same return address for each recursion, and the same callers.
    assert!(deep[1..8].iter().all(|pc| *pc == deep[1]));
    assert_eq!(deep[9..], shallow[2..]);
    assert_eq!(outer(200).len(), 64);
}

/// The method fits what a walk finds.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn the_method_is_what_the_build_allows() {
    #[inline(never)]
    fn nested(calls: usize) -> usize {
        let depth = if std::hint::black_box(calls) > 0 {
            nested(calls - 1)
        } else {
            let mut stack = Captured::new();
            capture(Here::now(), &mut stack);
            stack.addresses().len()
        };
        std::hint::black_box(depth)
    }
    let method = method();
    assert_eq!(method.advice().is_none(), method == Method::FramePointers);
    bounds::prepare_thread();
    let calls = if method == Method::FramePointers {
        20
    } else {
        0
    };
    assert_eq!(nested(20), nested(0) + calls);
}
