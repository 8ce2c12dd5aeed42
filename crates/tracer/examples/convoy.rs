//! A lock convoy: four threads do their work under one lock, and each waits for all others.
//!
//! `cargo run --example convoy`, then `go tool trace convoy.trace` or `exectrace blocking convoy.trace`.

use std::time::Duration;

use exectrace::{
    Session, SessionError,
    sink::Sink,
    sync::Mutex,
    thread::{self, Builder},
};

fn main() -> Result<(), SessionError> {
    let session = Session::start(Sink::path("convoy.trace"))?;
    thread::register_current("main");
    convoy();
    session.stop().map(drop)
}

/// What is traced.
pub(crate) fn convoy() {
    let ledger = Mutex::new(0);
    thread::scope(|scope| {
        for n in 0..4 {
            let ledger = &ledger;
            let clerk = Builder::new().name(format!("clerk {n}"));
            let clerk = clerk.spawn_scoped(scope, move || {
                for _ in 0..10 {
                    let mut entries = ledger.lock().unwrap_or_else(|e| e.into_inner());
                    *entries += 1;
                    // Too long for who holds a lock.
                    thread::sleep(Duration::from_micros(200));
                }
            });
            // One clerk less: the others have more room.
            drop(clerk);
        }
    });
}
