//! A request that is worked on by two threads: a task with parts, regions and logs.
//!
//! `cargo run --example annotations`, then `go tool trace annotations.trace` (user-defined tasks) or
//! `exectrace tasks annotations.trace`.

use exectrace::{Session, SessionError, Task, log, region, sink::Sink, sync::mpsc, thread};

fn main() -> Result<(), SessionError> {
    let session = Session::start(Sink::path("annotations.trace"))?;
    thread::register_current("main");
    serve();
    session.stop().map(drop)
}

/// What is traced: how many bytes were answered.
pub(crate) fn serve() -> usize {
    let (to_database, queries) = mpsc::channel::<(Task, mpsc::Sender<String>)>();
    let database = thread::spawn(move || {
        for (query, answer) in queries {
            region!(query, "look up");
            log!(task: query, "rows", "{} found", 3);
            // If nobody waits for the answer any more, it is not needed.
            let _ = answer.send("a b c".to_owned());
        }
    });
    let answered = (0..3).map(|n| {
        let request = Task::new("request");
        log!(task: request, "path", "/items/{n}");
        let (answer, rows) = mpsc::channel();
        if to_database.send((request.child("query"), answer)).is_err() {
            return 0;
        }
        let rows = request.in_region("wait for rows", || rows.recv().unwrap_or_default());
        request.in_region("render", || rows.len())
    });
    let bytes = answered.sum();
    drop(to_database);
    // A database that has panicked has said so.
    let _ = database.join();
    bytes
}
