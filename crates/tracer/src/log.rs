//! Logs: messages of the program, with the moment, the goroutine and the stack.

use std::fmt::{self, Write as _};

use exectrace_wire::{TaskId, limits::MAX_STRING_BYTES};

use crate::{AsTask, is_enabled, raw, stack::Here};

/// Writes a message, for a task or `()`. The category is a text that repeats. Of the message the first
/// 1024 bytes are kept.
#[inline(always)]
pub fn write(task: impl AsTask, category: &'static str, message: &str) {
    write_text(task.as_task(), category, message);
}

#[inline(always)]
pub(crate) fn write_text(task: TaskId, category: &'static str, message: &str) {
    if is_enabled() {
        raw::log(task, category, message);
    }
}

/// What [`log!`](crate::log!) calls when tracing is on.
#[doc(hidden)]
#[inline(always)]
pub fn write_arguments(task: TaskId, category: &'static str, arguments: fmt::Arguments<'_>) {
    format(Here::now(), task, category, arguments);
}

/// Formats a message, without allocation, and writes it.
#[cold]
fn format(here: Here, task: TaskId, category: &'static str, arguments: fmt::Arguments<'_>) {
    if let Some(text) = arguments.as_str() {
        return raw::user::log_at(here, task, category, text);
    }
    let mut message = Message::new();
    // An error is of a program's own `Display`, or says that there is no more room: what is there is
    // the message.
    let _ = message.write_fmt(arguments);
    raw::user::log_at(here, task, category, message.as_str());
}

/// The beginning of a text, as much of it as a log may have.
struct Message {
    bytes: [u8; MAX_STRING_BYTES],
    length: usize,
}

impl Message {
    const fn new() -> Self {
        Self {
            bytes: [0; MAX_STRING_BYTES],
            length: 0,
        }
    }

    fn as_str(&self) -> &str {
        // It is made of whole characters.
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl fmt::Write for Message {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MAX_STRING_BYTES - self.length;
        let mut end = text.len().min(room);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.bytes[self.length..self.length + end].copy_from_slice(&text.as_bytes()[..end]);
        self.length += end;
        // Nothing more is formatted than there is room for.
        if end < text.len() {
            Err(fmt::Error)
        } else {
            Ok(())
        }
    }
}

/// Logs a formatted message: `log!("category", "took {} ms", ms)`, or for a task:
/// `log!(task: &task, "category", "took {} ms", ms)`.
///
/// While tracing is off this is a load and a branch: the arguments are not evaluated. The category is a
/// `&'static str` that repeats. Of the message the first 1024 bytes are kept, in whole characters.
///
/// ```
/// let rows = 7;
/// exectrace::log!("query", "{rows} rows");
/// let task = exectrace::Task::new("request");
/// exectrace::log!(task: task, "query", "{} of {}", rows, 100);
/// ```
#[macro_export]
macro_rules! log {
    (task: $task:expr, $category:expr, $($message:tt)+) => {
        if $crate::is_enabled() {
            $crate::log::write_arguments(
                $crate::AsTask::as_task(&$task),
                $category,
                ::core::format_args!($($message)+),
            );
        }
    };
    ($category:expr, $($message:tt)+) => {
        $crate::log!(task: (), $category, $($message)+)
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_between_characters() {
        let mut message = Message::new();
        assert!(message.write_str(&"x".repeat(1023)).is_ok());
        assert!(message.write_str("ä").is_err());
        assert_eq!(message.as_str().len(), 1023);
        assert!(message.write_str("y").is_ok());
        assert_eq!(message.as_str().len(), 1024);
        assert!(message.write_str("").is_ok());
        assert!(message.write_str("z").is_err());
    }
}
