//! What stacks a build gives: `cargo run --example stacks`, with and without
//! `RUSTFLAGS="-C force-frame-pointers=yes"`, in debug and release, with `-- --unwind-tables`.
#![allow(clippy::print_stdout, reason = "shows stacks")]

use std::sync::Once;

use exectrace::stack::{Captured, Here, Own, Symboliser, prepare_thread, walk};

fn main() {
    let mut method = walk::method();
    if std::env::args().any(|arg| arg == "--unwind-tables") {
        method = walk::use_unwind_tables(true);
    }
    println!("method: {method:?}");
    if let Some(advice) = method.advice() {
        println!("advice: {advice}");
    }
    prepare_thread();
    request("directly", &mut |title| show(title));
    request("through the standard library", &mut |title| {
        // Not generic, so it was compiled when the standard library was.
        static ONCE: Once = Once::new();
        ONCE.call_once(|| show(title));
    });
    let thread = std::thread::spawn(|| {
        prepare_thread();
        request("on another thread", &mut |title| show(title));
    });
    if thread.join().is_err() {
        println!("the thread panicked");
    }
}

#[inline(never)]
fn request(title: &str, work: &mut dyn FnMut(&str)) {
    parse(title, work);
    // Not the last thing that is done, so that the call is none that the compiler turns into a jump.
    std::hint::black_box(title);
}

#[inline(always)]
fn parse(title: &str, work: &mut dyn FnMut(&str)) {
    query(title, work);
}

#[inline(never)]
fn query(title: &str, work: &mut dyn FnMut(&str)) {
    work(title);
    std::hint::black_box(title);
}

/// Captures a stack and prints it.
fn show(title: &str) {
    let mut stack = Captured::new();
    walk::capture(Here::now(), &mut stack);

    println!("\n{title}: {} addresses", stack.addresses().len());
    let mut symboliser = Symboliser::new(Own::default());
    let mut frames = vec![];
    symboliser.stack(stack.addresses(), &mut frames);
    for frame in frames {
        let file = symboliser.name(frame.file);
        let file = file.rsplit('/').next().unwrap_or(file);
        let function = symboliser.name(frame.function);
        println!("  {function} ({file}:{})", frame.line);
    }
}
