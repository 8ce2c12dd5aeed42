//! Traces of running programs: `http://HOST/debug/pprof/trace?seconds=N`.

use std::{io::Read, time::Duration};

use crate::{
    error::{Failure, io_reason},
    progress::{ByteCount, Progress},
    terminal::harmless,
};

/// Longest part of an error page that is shown.
const ERROR_TEXT: u64 = 200;

/// Sends the request; the body is the trace.
///
/// There is no time limit beyond that for connecting: a program answers when the recording is
/// over, and only whoever asked knows when that should be. Until then, the progress line says that
/// we wait.
pub(super) fn get(address: &str, show_progress: bool) -> Result<Box<dyn Read + Send>, Failure> {
    if !address
        .get(.."http://".len())
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"))
    {
        return Err(Failure::open(
            address,
            "https is not read here; try `curl -fsS ADDRESS | exectrace … -`",
        ));
    }
    let agent = ureq::Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(10)))
        .http_status_as_error(false)
        // The program is asked itself: a proxy might answer from memory, or keep the recording.
        .proxy(None)
        .user_agent(concat!("exectrace/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent();
    let waiting = Progress::start(
        show_progress,
        "waiting for the program",
        ByteCount::default(),
        None,
    );
    let response = agent.get(address).call().map_err(|error| match error {
        // Its own text begins with `io:`.
        ureq::Error::Io(error) => Failure::open(address, io_reason(&error)),
        error => Failure::open(address, error),
    })?;
    drop(waiting);
    let status = response.status();
    let mut body = response.into_body().into_reader();
    if status.is_success() {
        return Ok(Box::new(body));
    }
    let mut page = Vec::new();
    // The status says enough if the page cannot be read.
    let _ = body.by_ref().take(ERROR_TEXT).read_to_end(&mut page);
    let page = String::from_utf8_lossy(&page);
    let text = page.trim().lines().next().unwrap_or_default();
    let colon = if text.is_empty() { "" } else { ": " };
    Err(Failure::open(
        address,
        format!(
            "the program answers {}{colon}{}",
            status.as_u16(),
            harmless(text)
        ),
    ))
}
